"""How requests travel: methods, encodings, actions, versions, lists."""

from generators.case import Case
from suites.cases import themed
from suites.session import Session


@themed("wire", "operation")
def test_wire(case: Case, sts: Session) -> None:
    """Send the case, hold the answer against its expectation."""
    sts.hold(case)
