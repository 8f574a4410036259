"""A real client: boto3 sends, and reads the answers."""

from generators.case import Case
from suites.cases import themed
from suites.session import Session


@themed("sdk")
def test_sdk(case: Case, sts: Session) -> None:
    """Send the case, hold the answer against its expectation."""
    sts.hold(case)
