"""The suites: thin pytest modules, and what turns a case into a verdict.

`runner` sends and judges ahead of pytest, which reports one case by one in order; `plugin` holds the hooks.
What an expectation accepts is decided in `generators.expectation`, how verdicts are rendered in `reports`.
"""
