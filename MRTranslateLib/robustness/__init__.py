"""How far a translation can be trusted when the input is worse than the training data (METHODS 1.7)."""
