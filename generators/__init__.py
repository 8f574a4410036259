"""Contract in, cases out: pure functions, no I/O, no pytest; the same contract gives the same cases.

`case` says what a case is, `expectation` what an answer must be; `everything.cases()` is the way in.
"""
