"""What holds over several calls and several principals."""

from generators.case import Case
from suites.cases import themed
from suites.session import Session


@themed("scenario")
def test_scenario(case: Case, sts: Session) -> None:
    """Make what the case needs, send what comes before it, and hold its own answer against its expectation."""
    sts.hold(case)
