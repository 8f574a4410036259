"""Verdicts in, documents out: results.json, the summary of the terminal, pages of one run and of several, badges.

Knows what a verdict is and nothing of contracts, requests or endpoints. Pure data first (`model`),
rendering second. What decides a verdict does not live here: see `suites`.
"""
