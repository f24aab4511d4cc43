"""The lab for the tests that need it: a running one is used and left, else one is started.

A test says by its marks which parts it needs (cloud, extranet, monitoring); the parts of all
selected tests are started together, before the first of them, and stopped after the last.

Several processes can share the work (`make test`: pytest-xdist, `-n 4`). One has the tests on the
lab's own city, those that need all of it first; another those without the lab meanwhile. When
nobody needs the extranet beside the cloud any more, its own tests begin, and with them what would
only have made the first steps slower (`after_whole`); when the city's are over, the tests that make
something of their own in the cloud (`after_city`, a group a module or a name) follow side by side:
they wait more than they work. What is done once a run, the first to need it does.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PARTS = ("cloud", "extranet", "monitoring")
NEEDED: set[str] = set()
# a line of each step's output at which half of it is done
IN_THE_MIDDLE = {
    "lab up": r"wires laid|configuration written",
    "cloud up": r"primary-\d+: [1-9]\d* of \d+",
    "network apply": r"wave 2",
}


SHARED = "GAOLING_TEST_RUN"  # the folder that the processes of a run share
# files in it: the tests that need cloud and extranet have ended; those on the lab's own city have
WHOLE_OVER, CITY_OVER = "whole is over", "city is over"
SAID = "said"  # a file in it: what the others had to say
GROUPS = "groups.json"  # a file in it: test -> group
DONE = "done"  # a file in it: a byte for each test that has ended
# groups; after the city they are named by their mark or module
CITY, UNITS, BESIDE, LAST = "city", "units", "beside", "last"
PATIENCE_SECONDS = 3000.0
BACK = 10  # the niceness of what nobody waits for


def pytest_configure(config: pytest.Config) -> None:
    """Make the folder that all processes of the run share: before there are others."""
    if not _together(config):
        os.environ[SHARED] = tempfile.mkdtemp(prefix="gaoling-test-run-")
        config.add_cleanup(lambda: shutil.rmtree(os.environ.pop(SHARED)))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Remember which parts of the lab are needed, and put each test into its group and order."""
    for item in items:
        needs = _needs(item)
        NEEDED.update(needs)
        if needs:  # many daemons on few cores: once more, and the summary says so (reruns)
            item.add_marker(pytest.mark.flaky(reruns=1, reruns_delay=10))
    # alone, a process begins with what needs no lab; of several, the first has the city at once
    first = [CITY, UNITS] if _together(config) else [UNITS, CITY]
    turn = {first[0]: 0, first[1]: 1, BESIDE: 2, LAST: 4}
    size = Counter(_group(item) for item in items)

    def place(item: pytest.Item) -> tuple[Any, ...]:
        group = _group(item)
        if group in turn:
            return (turn[group], 0, group, not _whole(item), not _needs(item))
        return (3, -size[group], group)  # the largest first: the last must not run alone for long

    items.sort(key=place)
    if _together(config):
        fresh = Path(os.environ[SHARED]) / f"{GROUPS}.{os.getpid()}"
        fresh.write_text(json.dumps({item.nodeid: _group(item) for item in items}))
        fresh.replace(fresh.with_name(GROUPS))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give all of a group to one process, in the order of the tests.

    xdist's own `loadgroup` writes the group into a test's id, where pytest 9.2 does not look.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByGroup(LoadScopeScheduling):  # type: ignore[misc]
        @cached_property
        def groups(self) -> dict[str, str]:
            return dict(json.loads((Path(os.environ[SHARED]) / GROUPS).read_text()))

        def _split_scope(self, nodeid: str) -> str:
            return self.groups[nodeid]

        def _reschedule(self, node: Any) -> None:
            # a process asks for more at its last test, not before: some groups are of one test
            if not self.workqueue or self._pending_of(self.assigned_work[node]) <= 1:
                super()._reschedule(node)

    config.option.loadscopereorder = False
    return ByGroup(config, log)


def _needs(item: pytest.Item) -> set[str]:
    return {part for part in PARTS if item.get_closest_marker(part)}


def _whole(item: pytest.Item) -> bool:
    """Return whether a test on the lab's city needs more of it than the cloud."""
    return _group(item) == CITY and _needs(item) != {"cloud"}


def _group(item: pytest.Item) -> str:
    """Return who a test runs with: those without the lab, those on its city, its module's."""
    if item.get_closest_marker("last"):
        return LAST
    if mark := item.get_closest_marker("after_city"):
        return str(mark.args[0]) if mark.args else item.path.stem
    needs = _needs(item)
    if needs == {"extranet"} or item.get_closest_marker("after_whole"):
        return BESIDE
    return CITY if needs else UNITS


def _together(config: pytest.Config) -> bool:
    """Return whether this process is one of several that another one started."""
    return hasattr(config, "workerinput")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Generator[None, object, object]:
    """Let a test wait for those that it must not meet; the last one waits for all.

    All of a test is within: its fixtures too, and those of its module. Nobody's time runs yet.
    """
    if not _together(item.config):
        return (yield)
    whole, city, done = (Path(os.environ[SHARED]) / n for n in (WHOLE_OVER, CITY_OVER, DONE))
    group, everything = _group(item), item.session.items
    if os.geteuid() == 0:  # the city's tests are the longest: those without the lab stand back
        os.setpriority(os.PRIO_PROCESS, 0, BACK if group == UNITS else 0)
    if group == LAST:
        others = sum(_group(other) != LAST for other in everything)
        _wait_until("all others over", lambda: done.exists() and done.stat().st_size >= others)
    elif group == BESIDE and any(map(_whole, everything)):
        _wait_until(WHOLE_OVER, whole.exists)
    elif group not in (CITY, UNITS) and any(_group(other) == CITY for other in everything):
        _wait_until(CITY_OVER, city.exists)
    result = yield
    with done.open("a") as file:
        file.write(".")
    if group == CITY and not (nextitem and _whole(nextitem)):
        whole.touch()
    if group == CITY and not (nextitem and _group(nextitem) == CITY):
        city.touch()
    return result


def _wait_until(what: str, true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < end, f"{what}: not within {PATIENCE_SECONDS:.0f} s"
        time.sleep(0.5)


def once(name: str, act: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return what `act` returns, done by the first process of a run that asks for it.

    What failed is not tried again: all who ask for it are told why.
    """
    base = Path(os.environ[SHARED])
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done, failed = base / f"{name}.json", base / f"{name}.failed"
        assert not failed.exists(), failed.read_text()
        if not done.exists():
            try:
                done.write_text(json.dumps(act()))
            except Exception as error:
                failed.write_text(f"{name} failed before: {error}")
                raise
        return dict(json.loads(done.read_text()))


def gaoling(
    *arguments: str, check: bool = True, timeout: float = 900, **env: str
) -> subprocess.CompletedProcess[str]:
    """Run the `gaoling` command on the lab's city, as a person would."""
    done = subprocess.run(
        [str(Path(sys.executable).parent / "gaoling"), *arguments],
        env={**os.environ, "GAOLING_CITY": "lab", **env},
        cwd=ROOT, capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip
    if check and done.returncode:
        raise AssertionError(
            f"gaoling {' '.join(arguments)}: exit {done.returncode}\n"
            f"{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
        )
    return done


@pytest.fixture(scope="session", autouse=True)
def tree_at_start() -> str:
    """What `git status` said before the first test; empty on a clean checkout."""
    return subprocess.run(
        ["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout


@dataclass(frozen=True)
class Interrupted:
    """What a command said and did when it was interrupted; `reached` is False when it was over
    before."""

    reached: bool
    code: int
    output: str
    seconds: float


def press_ctrl_c(arguments: tuple[str, ...], after: str, timeout: float = 300) -> Interrupted:
    """Run `gaoling` as a terminal does, in a process group of its own, and interrupt the group."""
    start = time.monotonic()
    process = subprocess.Popen(
        [str(Path(sys.executable).parent / "gaoling"), *arguments],
        env={**os.environ, "GAOLING_CITY": "lab"}, cwd=ROOT, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        # a shell's background job ignores Ctrl-C, and all that it starts
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    assert process.stdout
    said, reached = [], False
    with contextlib.closing(process.stdout) as lines:
        for line in lines:
            said.append(line)
            if not reached and re.search(after, line):
                reached = True
                os.killpg(process.pid, signal.SIGINT)
    code = process.wait(timeout)
    return Interrupted(reached, code, "".join(said), time.monotonic() - start)


def say(config: pytest.Config, text: str) -> None:
    """Write a line past pytest's capture: which phase took how long.

    One of several processes leaves it to the first, which says all before the lab is stopped.
    """
    if _together(config):
        with (Path(os.environ[SHARED]) / SAID).open("a") as file:
            file.write(f"{text}\n")
        return
    reporter = config.pluginmanager.getplugin("terminalreporter")
    with config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        reporter.ensure_newline()
        reporter.write_line(text, flush=True)


@dataclass
class Lab:
    """The running lab: what became of its steps, in whichever process they were taken."""

    say: Callable[[str], None]
    fresh: bool  # started by these tests: its first steps have something to do
    interrupted: dict[str, Interrupted] = field(default_factory=dict)

    def step(self, name: str, *arguments: str) -> None:
        """Take a step of the main job, once a run.

        On a fresh lab it is first interrupted by Ctrl-C in its middle, and has to go on from
        there: what came of it is for a test to look at.
        """
        if broken := once(name, lambda: self._take(name, arguments)):
            self.interrupted[name] = Interrupted(**broken)

    def _take(self, name: str, arguments: tuple[str, ...]) -> dict[str, Any]:
        broken: dict[str, Any] = {}
        if self.fresh:
            broken = asdict(press_ctrl_c(arguments, IN_THE_MIDDLE[name]))
            self.say(f"lab: {name} interrupted after {broken['seconds']:.1f} s")
        timed(self.say, name, *arguments)
        return broken


def timed(tell: Callable[[str], None], name: str, *arguments: str) -> None:
    """Run `gaoling` and say how long it took."""
    start = time.monotonic()
    gaoling(*arguments)
    tell(f"lab: {name} {time.monotonic() - start:.1f} s")


def keep_logs() -> Path:
    """Keep the lab's logs before it goes: what failed is looked at afterwards. Returns the file."""
    from lab.openstack import snapshot
    from lab.paths import STATE, cache_home

    snapshot.write(STATE / "cloud" / "log" / "namespaces")
    target = cache_home() / "logs" / time.strftime("%Y%m%dT%H%M%S.tar.gz")
    target.parent.mkdir(parents=True, exist_ok=True)
    folders = [p for p in (*STATE.glob("*/log"), STATE / "work" / "pulumi" / "logs") if p.is_dir()]
    with tarfile.open(target, "w:gz") as tar:
        for folder in folders:
            tar.add(folder, folder.relative_to(STATE))
    target.chmod(0o600)
    return target


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest) -> Lab:
    """The parts of the lab that the selected tests need; it is stopped when the run is over."""
    from lab import whole

    config = request.config
    before = once("before", lambda: {"running": bool(whole.running())})["running"]
    found = Lab(lambda text: say(config, text), fresh=not before)
    found.step("lab up", "lab", "up", *(p for p in PARTS if p in NEEDED))
    return found


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Stop the lab that the run has started: before the summary, which is the last word."""
    before = Path(os.environ[SHARED]) / "before.json"
    if _together(session.config) or not before.exists():
        return

    def tell(text: str) -> None:
        say(session.config, text)

    said = before.with_name(SAID)
    for line in said.read_text().splitlines() if said.exists() else []:
        tell(line)
    if session.testsfailed:
        tell(f"lab: logs kept in {keep_logs()}")
    if not json.loads(before.read_text())["running"]:
        timed(tell, "lab down", "lab", "down")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Show what a test failed of that passed when it was run again: it may be no accident."""
    for report in terminalreporter.stats.get("rerun", []):
        terminalreporter.write_sep("=", f"run again: {report.nodeid}")
        terminalreporter.write_line(report.longreprtext)


@pytest.fixture(autouse=True)
def _lab_for_marked_tests(request: pytest.FixtureRequest) -> None:
    if _needs(request.node):
        request.getfixturevalue("lab")


@pytest.fixture(scope="session")
def landing_zones(lab: Lab) -> Lab:
    """The cloud filled by `pulumi up`, in both regions."""
    lab.step("cloud up", "cloud", "up", "--yes")
    return lab


@pytest.fixture(scope="session")
def dual_stack(lab: Lab) -> Lab:
    """Every router of the extranet taken from IPv4 to dual stack."""
    lab.step("network apply", "network", "apply", "--yes")
    return lab
