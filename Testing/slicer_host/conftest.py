"""Keeps the doctest collector out: these files change Qt for the whole process when they are imported."""

collect_ignore_glob = ["*.py"]
