"""Identity providers for tests and for runs against any target: SAML, OpenID Connect and MFA devices.

What lives here makes assertions, tokens and codes, genuine ones and ones spoilt in a named way. Nothing here
verifies any, and nothing here knows the reference: what it makes must convince every target alike.
"""
