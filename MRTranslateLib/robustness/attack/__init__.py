"""Black-box search for the worst a bounded perturbation can do: for training's attacker and for robustness runs."""
