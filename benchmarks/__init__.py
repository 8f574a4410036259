"""How fast the suite is, beside a bare loop and beside other tools, measured in one run.

`python -m benchmarks.run` measures. Nothing here is a test: times are compared, never asserted.
"""
