"""MRTranslate's library: brain-MRI contrast translation without Slicer, and without torch until a network runs."""

__version__ = "0.1.0"
