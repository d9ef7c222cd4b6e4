"""Blinded reading sessions: readers judge real and synthetic images without knowing which is which.

:func:`MRTranslateLib.review.plan.plan_session` makes a session from a batch,
:func:`MRTranslateLib.review.reading.open_reading` is all that a reader's program needs, and
:func:`MRTranslateLib.review.summary.summarize` unblinds and reports.

What the blinding protects against: a reader who looks, and a program that compares names, sizes, times, headers, value
ranges or outlines, learns nothing of what an item is. What it does not: whoever opens ``key.json`` knows all, so keep
that file away from readers (it is needed only to summarize), and so does whoever knows the seed, from which the orders
follow; whoever has the scans or the results can compare voxels with them; equal files show what is a repeat; and the
image itself, its noise and its sharpness, is what readers are asked to judge.
"""
