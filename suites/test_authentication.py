"""Signature Version 4, credentials and session tokens."""

from generators.case import Case
from suites.cases import themed
from suites.session import Session


@themed("authentication")
def test_authentication(case: Case, sts: Session) -> None:
    """Send the case, hold the answer against its expectation."""
    sts.hold(case)
