"""Stages of a run, in the order of the configuration (METHODS 4.2)."""
