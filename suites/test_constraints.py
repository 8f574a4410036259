"""Constraints, types, defaults and presence of input members: the values just inside and just outside."""

from generators.case import Case
from suites.cases import themed
from suites.session import Session


@themed("constraint", "type", "required", "default")
def test_constraint(case: Case, sts: Session) -> None:
    """Send the case, hold the answer against its expectation."""
    sts.hold(case)
