"""What answers hold: envelope, elements, formats."""

from generators.case import Case
from suites.cases import themed
from suites.session import Session


@themed("response")
def test_response(case: Case, sts: Session) -> None:
    """Send the case, hold the answer against its expectation."""
    sts.hold(case)
