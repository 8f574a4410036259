"""What refusals hold: codes, envelope, wording."""

from generators.case import Case
from suites.cases import themed
from suites.session import Session


@themed("error")
def test_error(case: Case, sts: Session) -> None:
    """Send the case, hold the answer against its expectation."""
    sts.hold(case)
