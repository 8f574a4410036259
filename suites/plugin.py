"""pytest's hooks of the suites: when things happen. What happens stands in `suites.session`."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reports.model import CaseResult
from reports.text import visible
from specs.loader import SpecError
from suites.items import run, wants_full_protocol
from suites.loops import catch_interrupts
from suites.options import OptionError, Options, add_options, read_options

if TYPE_CHECKING:
    from collections.abc import Generator

    from suites.scrub import Scrubber
    from suites.session import Report, Session

SUITES = Path(__file__).parent

_session: pytest.StashKey[Session] = pytest.StashKey()
_options = pytest.StashKey[Options]()
_report: pytest.StashKey[Report] = pytest.StashKey()
_notes = pytest.StashKey[list[str]]()
_scrubber: pytest.StashKey[Scrubber] = pytest.StashKey()  # to the very end: what fails in the end is shown as well


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Read options and open the target, so that mistakes end the run before anything is collected."""
    try:
        from suites.cases import marker_lines  # noqa: PLC0415 - reads the contract, which may be mistaken

        for line in marker_lines():
            config.addinivalue_line("markers", line)
        if _is_worker(config):
            _open_worker(config)
        elif _runs_suites(config):
            _open(config)
    except (OptionError, SpecError) as error:
        raise pytest.UsageError(str(error)) from None


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def _runs_suites(config: pytest.Config) -> bool:
    """Whether anything below suites/ is asked for, to be run."""
    if config.option.help or config.option.collectonly or getattr(config.option, "markers", False):
        return False
    paths = [Path(argument.partition("::")[0]) for argument in config.args]
    places = [(config.invocation_params.dir / path).resolve() for path in paths]
    return any(place == SUITES or SUITES in place.parents or place in SUITES.parents for place in places)


def _open(config: pytest.Config) -> None:
    from suites.session import open_session  # noqa: PLC0415 - tests of the tool need none of it
    from targets.target import TargetError  # noqa: PLC0415

    options = config.stash[_options] = read_options(config)
    config.stash[_notes] = []
    if options.plan is not None:
        return
    try:
        options.report.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise pytest.UsageError(f"--report {options.report}: {error.strerror}; expected a folder") from None
    workers = config.option.tx if hasattr(config.option, "tx") and config.getoption("numprocesses", None) else None
    try:
        session = open_session(options, workers=len(workers or []) or 1)
    except TargetError as error:
        raise pytest.UsageError(f"--target: {error}") from None
    _heed_allure(config, session)
    _take(config, session)
    config.add_cleanup(catch_interrupts())
    config.pluginmanager.register(_Collector(config), "sts-collector")
    config.add_cleanup(lambda: _close(config))


def _heed_allure(config: pytest.Config, session: Session) -> None:
    session.allure = bool(config.getoption("allure_report_dir", None))
    session.allure_links_report = "report" in dict(config.getoption("allure_link_pattern", None) or ())


def _open_worker(config: Any) -> None:
    from suites.session import worker_session  # noqa: PLC0415

    text = config.workerinput.get("sts")
    if text is not None:
        session = worker_session(text)
        _take(config, session)
        _heed_allure(config, session)
        config.add_cleanup(lambda: _close(config))


def _take(config: pytest.Config, session: Session) -> None:
    """Have hooks know the session, and nothing of it shown that is not clean."""
    config.stash[_session] = session
    config.stash[_scrubber] = session.scrubber
    config.add_cleanup(session.scrubber.clean_logs())
    config.pluginmanager.register(_FaultCleaner(session.scrubber), "sts-fault-cleaner")


def _close(config: pytest.Config) -> None:
    session = config.stash.get(_session, None)
    if session is not None:
        del config.stash[_session]
        left = session.close()
        config.stash.setdefault(_notes, []).extend(f"could not be removed from the target: {what}" for what in left)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Under xdist the controller prepares the target before its workers start."""
    config = session.config
    if _session in config.stash and not _is_worker(config) and config.getoption("numprocesses", None):
        _prepare(config)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker about the target."""
    from suites.session import worker_input  # noqa: PLC0415

    session = node.config.stash.get(_session, None)
    if session is not None:
        node.workerinput["sts"] = worker_input(session)


def _prepare(config: pytest.Config, ids: list[str] | None = None) -> None:
    from suites.session import Report  # noqa: PLC0415
    from targets.embedded import EmbeddedServerError  # noqa: PLC0415
    from targets.provision import NotAnSts  # noqa: PLC0415

    session = config.stash[_session]
    try:
        session.prepare(for_workers=ids is None)
        command = " ".join(map(str, config.invocation_params.args))
        config.stash[_report] = Report(config.stash[_options], session, command, ids)
    except (NotAnSts, EmbeddedServerError) as error:
        raise pytest.UsageError(f"--target: {visible(str(error))}") from None
    except OSError as error:
        raise pytest.UsageError(f"--report {config.stash[_options].report}: {error.strerror}") from None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put those that wait to the end; write the plan, if that is all that is wanted."""
    items.sort(key=lambda item: (case := _case(item)) is not None and case.after > 0)
    options = config.stash.get(_options, None)
    if options is None or options.plan is None:
        return
    from suites.plan import plan  # noqa: PLC0415
    from targets.target import TargetError, points_at_aws  # noqa: PLC0415

    try:
        text = plan(_case_ids(items), restrain=points_at_aws(options.target, options.region))
    except TargetError as error:
        raise pytest.UsageError(f"--target: {error}") from None
    try:
        options.plan.write_text(text, encoding="utf-8")
    except OSError as error:
        raise pytest.UsageError(f"--plan {options.plan}: {error.strerror}; expected a file to write") from None
    config.stash[_notes].append(f"plan of {len(_case_ids(items))} cases written to {options.plan}; nothing was sent")
    items.clear()


def _case_ids(items: list[pytest.Item]) -> list[str]:
    return [case.id for item in items if (case := _case(item)) is not None]


def _case(item: pytest.Item) -> Any:
    callspec = getattr(item, "callspec", None)
    return callspec.params.get("case") if callspec is not None and SUITES in item.path.parents else None


def pytest_collection_finish(session: pytest.Session) -> None:
    """Prepare the target and begin sending; pytest reports while requests are under way."""
    config = session.config
    ours = config.stash.get(_session, None)
    ids = _case_ids(session.items)
    if ours is None or not ids:
        return
    if _is_worker(config):
        ours.start(())
    elif not config.getoption("numprocesses", None):
        _prepare(config, ids)
        # Items and cases live to the end: nothing of them is garbage that is worth looking for while sending.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)
        ours.start(ids)


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Look for the lines that the target draws, once all cases have their verdicts."""
    done = yield
    report = session.config.stash.get(_report, None)
    if report is not None:
        report.find_edges()
    return done


@pytest.fixture(scope="session")
def sts(request: pytest.FixtureRequest) -> Session:
    """Return the run under way."""
    return request.config.stash[_session]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> bool | None:
    """Run our items the short way, unless an option needs pytest's own."""
    session = item.config.stash.get(_session, None)
    if session is None or _case(item) is None or wants_full_protocol(item.config):
        return None
    run(item, session)
    return True


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Clean a report before other plug-ins see it; attach the verdict to that of an item of ours."""
    report = yield
    scrubber = item.config.stash.get(_scrubber, None)
    if scrubber is not None:
        scrubber.report(report, call)
    session = item.config.stash.get(_session, None)
    if report.when == "call" and session is not None and _case(item) is not None:
        session.attach(report, _case(item), as_text=_is_worker(item.config))
    return report


class _FaultCleaner:
    """Cleans what is shown of a fault of the tool, in whichever process; that hook is told of no configuration."""

    def __init__(self, scrubber: Scrubber) -> None:
        self._scrubber = scrubber

    @pytest.hookimpl(tryfirst=True)
    def pytest_internalerror(self, excrepr: Any) -> None:
        """Clean it before anybody prints it."""
        self._scrubber.representation(excrepr)


class _Collector:
    """Keeps the verdicts that reports carry, in the process that writes results."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Take a verdict; one from an xdist worker came as text."""
        carried = getattr(report, "sts_result", None)
        written = self._config.stash.get(_report, None)
        if carried is not None and written is not None and report.when == "call":
            written.add(CaseResult.model_validate_json(carried) if isinstance(carried, str) else carried)


def pytest_report_teststatus(report: Any) -> tuple[str, str, str] | None:
    """Call verdicts by their names; only `conforms` is a pass."""
    verdict = getattr(report, "sts_verdict", None)
    if verdict is None or report.when != "call" or report.passed or report.failed:
        return None
    letters = {"known-deviation": "k", "deviates": "d", "flaky": "f", "unsupported": "u", "untestable": "n"}
    return verdict, letters.get(verdict, "i"), verdict.upper()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Complete results and page, and clean the target up, before the terminal's summary."""
    config = session.config
    options = config.stash.get(_options, None)
    if options is not None and options.plan is not None and session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
        session.exitstatus = pytest.ExitCode.OK
    report = config.stash.get(_report, None)
    if report is not None:
        from suites.session import table  # noqa: PLC0415

        done = session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}
        results = report.finish(broken_off=not done)
        config.stash[_notes] += [table(results), f"report: {report.page}", f"results: {report.path}"]
    _forget_teardowns(config)
    _close(config)


def _forget_teardowns(config: pytest.Config) -> None:
    """Spare the terminal a search of all teardown reports for each failure: ours have nothing to tell."""
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.stats[""] = [report for report in reporter.stats.get("", ()) if report.sections]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the summary and where the report is."""
    notes = config.stash.get(_notes, [])
    if notes:
        terminalreporter.section("STS conformance")
        for note in notes:
            terminalreporter.write_line(visible(note, lines=True))
