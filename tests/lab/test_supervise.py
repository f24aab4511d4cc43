"""Processes of the lab: started in waves, kept alive, ended without a rest."""

import io
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import sweep
from lab.errors import LabError
from lab.paths import LabPaths, cache_home
from lab.progress import Progress
from lab.supervise import Service, Supervisor, base_env

pytestmark = pytest.mark.root
QUIET = Progress("test", out=io.StringIO())


BASE = Path(f"/run/gaoling-test-{os.getpid()}")


class Here(LabPaths):
    """Folders of a part that exists for this test alone."""

    @property
    def state(self) -> Path:
        return BASE / "state"

    @property
    def run(self) -> Path:
        return BASE / "run"

    def make(self) -> "Here":
        for folder in (self.state, self.etc, self.log, self.run):
            folder.mkdir(parents=True, exist_ok=True)
        return self


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    found = Supervisor(Here("test-supervise"))
    yield found
    found.down()
    shutil.rmtree(BASE, ignore_errors=True)


def sleeper(name: str, **more: object) -> Service:
    return Service(name, ("sleep", "1000"), **more)  # type: ignore[arg-type]


def wait(condition, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not within the time"
        time.sleep(0.05)


def test_a_second_up_leaves_running_services_alone(supervisor: Supervisor):
    services = [sleeper("a"), sleeper("b", wave=1)]
    supervisor.up(services, QUIET)
    before = {s.name: s.pid for s in supervisor.status()}
    supervisor.up(services, QUIET)
    assert {s.name: s.pid for s in supervisor.status()} == before


def test_a_killed_service_comes_back(supervisor: Supervisor):
    supervisor.up([sleeper("a")], QUIET)
    pid = supervisor.pid("a")
    os.kill(pid, signal.SIGKILL)
    wait(lambda: supervisor.pid("a") not in (0, pid))


def test_a_changed_service_is_started_anew_and_the_others_are_not(supervisor: Supervisor):
    supervisor.up([sleeper("a"), sleeper("b")], QUIET)
    before = {s.name: s.pid for s in supervisor.status()}
    supervisor.up([sleeper("a", env={"X": "1"}), sleeper("b")], QUIET)
    after = {s.name: s.pid for s in supervisor.status()}
    assert after["a"] != before["a"]
    assert after["b"] == before["b"]


def test_a_service_that_is_not_healthy_is_shown_with_the_end_of_its_log(supervisor: Supervisor):
    ill = Service("ill", ("sh", "-c", "echo no database; sleep 100"), ready=lambda: "no answer")
    with pytest.raises(LabError) as caught:
        supervisor.up([ill], QUIET, timeout=3)
    assert "ill is not healthy: no answer" in str(caught.value)
    assert "no database" in str(caught.value)


def test_a_killed_supervisor_leaves_no_double_when_up_runs_again(supervisor: Supervisor):
    supervisor.up([sleeper("a")], QUIET)
    daemon = int((supervisor.paths.run / "supervisord.pid").read_text())
    os.kill(daemon, signal.SIGKILL)
    wait(lambda: not supervisor.alive())
    supervisor.up([sleeper("a")], QUIET)
    assert sweep.marked("test-supervise") == [supervisor.pid("a")]


def test_down_leaves_no_process(supervisor: Supervisor):
    supervisor.up([sleeper("a"), Service("b", ("sh", "-c", "trap '' TERM; sleep 1000 & wait"),
                                         stop_seconds=1)], QUIET)  # fmt: skip
    supervisor.down()
    assert sweep.marked("test-supervise") == []
    assert supervisor.status() == []


def test_a_service_runs_as_the_user_it_names(supervisor: Supervisor):
    supervisor.up([sleeper("a", uid=61199)], QUIET)
    status = Path(f"/proc/{supervisor.pid('a')}/status").read_text()
    assert "Uid:\t61199\t61199\t61199\t61199" in status
    assert "NoNewPrivs:\t1" in status


def test_secrets_in_the_environment_are_not_readable_by_others(supervisor: Supervisor):
    supervisor.up([sleeper("a", env={"PASSWORD": 'p%"w'})], QUIET)
    conf = supervisor.programs / "a.conf"
    assert conf.stat().st_mode & 0o077 == 0
    environ = Path(f"/proc/{supervisor.pid('a')}/environ").read_bytes()
    assert b'PASSWORD=p%"w' in environ.split(b"\0")


def test_nobody_gets_a_home_that_root_would_make_somewhere_on_the_machine():
    assert base_env(61204)["HOME"] == "/nonexistent", "not to be made without rights"
    assert Path(base_env(None)["HOME"]).is_relative_to(cache_home())
