"""How far a translation may be off: spread under what the acquisition leaves open, calibrated into an interval."""
