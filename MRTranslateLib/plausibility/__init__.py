"""Does a synthetic image show what its sources do not, or hide what they show?"""
