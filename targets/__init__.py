"""Endpoints: finding one by name, starting one, signing and sending, and what cases need to exist there.

Knows cases as requests to be sent; does not judge what comes back: see `suites`.
"""
