"""A reference STS: it keeps the whole contract, over real HTTP, with the IAM that fixtures need.

It proves the suite: every case conforms here, and for every rule a defect can be switched on which the rule's
cases must notice. What lives here reads a request, authenticates, validates, authorizes, acts and renders.
It may read the contract's data; it shares no code with generators/ and none with the judging.
"""
