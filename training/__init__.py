"""Training of every MRTranslate component; imports MRTranslateLib, never the reverse."""
