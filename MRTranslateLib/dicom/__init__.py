"""A result as DICOM that says what it is: computed, from what, by which model, and not for diagnostic use."""
