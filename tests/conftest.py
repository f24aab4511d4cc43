"""The lab for the tests that need it: a running one is used and left, else one is started.

A test says by its marks which parts it needs (cloud, extranet, monitoring); the parts of all
selected tests are started together, before the first of them, and stopped after the last.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what needs no lab first, and remember which parts the rest needs."""
    for item in items:
        needs = {part for part in PARTS if item.get_closest_marker(part)}
        NEEDED.update(needs)
        if needs:  # many daemons on few cores: once more, and the summary says so (reruns)
            item.add_marker(pytest.mark.flaky(reruns=1, reruns_delay=10))
    items.sort(
        key=lambda item: (
            item.get_closest_marker("last") is not None,
            any(item.get_closest_marker(part) for part in PARTS),
        )
    )


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


@dataclass
class Lab:
    """The running lab: which parts are up, and the seconds that steps of it took."""

    parts: set[str]
    say: Callable[[str], None]
    fresh: bool  # started by these tests: its first steps have something to do
    seconds: dict[str, float] = field(default_factory=dict)
    interrupted: dict[str, Interrupted] = field(default_factory=dict)

    def interrupt(self, name: str, *arguments: str, after: str) -> None:
        """Begin a step on a fresh lab and press Ctrl-C once its output matches `after`.

        The step that follows has to go on from there: what came of it is for a test to look at.
        """
        if self.fresh:
            self.interrupted[name] = press_ctrl_c(arguments, after)
            self.say(f"lab: {name} interrupted after {self.interrupted[name].seconds:.1f} s")

    def step(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        start = time.monotonic()
        done = gaoling(*arguments)
        self.seconds[name] = time.monotonic() - start
        self.say(f"lab: {name} {self.seconds[name]:.1f} s")
        return done


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
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """The parts of the lab that the selected tests need."""
    from lab import whole

    before = whole.running()
    reporter = request.config.pluginmanager.getplugin("terminalreporter")
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def say(text: str) -> None:
        """Write a line past pytest's capture: which phase took how long."""
        with capture.global_and_fixture_disabled():
            reporter.ensure_newline()
            reporter.write_line(text, flush=True)

    found = Lab(set(NEEDED), say, fresh=not before)
    parts = [p for p in PARTS if p in NEEDED]
    try:
        found.interrupt("lab up", "lab", "up", *parts, after=IN_THE_MIDDLE["lab up"])
        found.step("lab up", "lab", "up", *parts)
        yield found
    finally:
        if request.session.testsfailed:
            say(f"lab: logs kept in {keep_logs()}")
        if not before:
            found.step("lab down", "lab", "down")


@pytest.fixture(autouse=True)
def _lab_for_marked_tests(request: pytest.FixtureRequest) -> None:
    if any(request.node.get_closest_marker(part) for part in PARTS):
        request.getfixturevalue("lab")


@pytest.fixture(scope="session")
def landing_zones(lab: Lab) -> Lab:
    """The cloud filled by `pulumi up`, in both regions."""
    lab.interrupt("cloud up", "cloud", "up", "--yes", after=IN_THE_MIDDLE["cloud up"])
    lab.step("cloud up", "cloud", "up", "--yes")
    return lab


@pytest.fixture(scope="session")
def dual_stack(lab: Lab) -> Lab:
    """Every router of the extranet taken from IPv4 to dual stack."""
    after = IN_THE_MIDDLE["network apply"]
    lab.interrupt("network apply", "network", "apply", "--yes", after=after)
    lab.step("network apply", "network", "apply", "--yes")
    return lab
