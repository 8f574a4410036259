"""What holds for any request: tried with many examples that Hypothesis makes."""

from generators.case import Case
from suites.cases import themed
from suites.session import Session


@themed("property")
def test_property(case: Case, sts: Session) -> None:
    """Try the property, and tell the smallest example of each way in which it does not hold."""
    sts.hold(case)
