"""Running one item without pytest's fixture machinery, which costs more than sending a case does.

The test function is called as it stands; what it raises becomes a report without a traceback. Whatever asks
for pytest's full protocol (Allure, --pdb, --setup-show) gets that instead: see `suites.plugin`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Literal

import pytest

if TYPE_CHECKING:
    from suites.scrub import Scrubber
    from suites.session import Session

Outcome = Literal["passed", "failed", "skipped"]


def wants_full_protocol(config: pytest.Config) -> bool:
    """Whether an option relies on every phase of pytest's protocol."""
    options = ("usepdb", "trace", "setupshow", "setuponly", "setupplan", "allure_report_dir")
    return any(config.getoption(name, None) for name in options)


def run(item: pytest.Item, session: Session) -> None:
    """Run the item's test function and log its reports, as pytest's own protocol would."""
    hooks = item.ihook
    hooks.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    hooks.pytest_runtest_logreport(report=_call(item, session))
    # JUnit's and xdist's bookkeeping of an item ends with its teardown.
    hooks.pytest_runtest_logreport(report=_report(item, "passed", None, "teardown"))
    hooks.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)


def _call(item: Any, session: Session) -> pytest.TestReport:
    begun = time.time()
    case = item.callspec.params["case"]
    outcome, longrepr, xfail = _outcome(item, lambda: item.obj(case=case, sts=session), session.scrubber)
    report = _report(item, outcome, longrepr, "call", begun)
    if xfail is not None:
        report.wasxfail = xfail
    session.attach(report, case, as_text=hasattr(item.config, "workerinput"))
    return report


def _outcome(item: pytest.Item, function: Any, scrubber: Scrubber) -> tuple[Outcome, Any, str | None]:
    """Return the outcome, what pytest is to show of it, and the reason if it was expected to fail."""
    path, line, _ = item.location
    place = (path, (line or 0) + 1)
    try:
        function()
    except pytest.xfail.Exception as expected:
        reason = str(expected.msg)
        return "skipped", (*place, reason), reason
    except pytest.skip.Exception as skipped:
        return "skipped", (*place, str(skipped.msg)), None
    except pytest.fail.Exception as failed:
        return "failed", str(failed.msg), None
    except Exception:  # noqa: BLE001 - a fault of ours fails the item, with its traceback
        return "failed", scrubber.text(str(pytest.ExceptionInfo.from_current().getrepr(style="short"))), None
    return "passed", None, None


def _report(
    item: pytest.Item, outcome: Outcome, longrepr: Any, when: Literal["call", "teardown"], begun: float = 0.0
) -> pytest.TestReport:
    ended = time.time()
    return pytest.TestReport(
        nodeid=item.nodeid,
        location=item.location,
        keywords=dict.fromkeys(item.keywords, 1),
        outcome=outcome,
        longrepr=longrepr,
        when=when,
        duration=ended - begun if begun else 0.0,
        start=begun or ended,
        stop=ended,
        user_properties=item.user_properties,
    )
