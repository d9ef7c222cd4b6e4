"""Where a translation is hard: the local discriminator's difficulty as a volume, its regions and its hardest spots."""
