"""One translation for a reader: what may be believed, where not, and how it was made."""
