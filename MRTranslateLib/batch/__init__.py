"""Many cases with one call: what to do, the doing, the table; a run that was stopped goes on where it stopped.

``find_cases`` or ``read_case_list`` say which file is which, ``batch_run`` does the rest: see
:func:`MRTranslateLib.batch.run.batch_run`.
"""
