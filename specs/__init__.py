"""The contract: what STS promises, as YAML under `sts/` with its typed model and loader.

Knows nothing of tests, requests on the wire or endpoints. `contract.load()` is the way in.
"""
