"""The panel of MRTranslate: everything that knows Slicer, one idea a file."""
