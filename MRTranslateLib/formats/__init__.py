"""The file formats of volumes, one a file; read them through :mod:`MRTranslateLib.io`."""

WRITABLE_EXTENSIONS = (".nii.gz", ".nii", ".nrrd", ".mha")
