# What packages and describes an extension inside Slicer.
