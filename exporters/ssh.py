"""Commands on vantages and routers over SSH, with OpenSSH's own client: host keys are checked."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path

from gaoling.evidence.probes import Completed, remote

CONNECT_SECONDS = 5
MOST_OUTPUT = 4_000_000  # characters of an answer


class SshRunner:
    """Runs commands through `ssh -F <folder>/ssh_config`.

    Connections stay open for `persist` seconds; with 0 each is closed at once.
    """

    def __init__(self, access: Path, run: Path, persist: int = 120) -> None:
        self._config = access / "ssh_config"
        self._run = run
        self._persist = persist

    def command(self, host: str) -> list[str]:
        """Return the command line in front of what the far side shall run."""
        line = ["ssh", "-F", str(self._config), "-T", "-o", "BatchMode=yes"]
        line += ["-o", f"ConnectTimeout={CONNECT_SECONDS}"]
        if self._persist:
            line += ["-o", "ControlMaster=auto", "-o", f"ControlPath={self._run}/%C"]
            line += ["-o", f"ControlPersist={self._persist}"]
        line += ["-o", "StrictHostKeyChecking=yes", "-o", "LogLevel=ERROR"]
        return [*line, host, "--"]

    def __call__(self, vantage: str, argv: list[str], timeout: float, stdin: str = "") -> Completed:
        """Run a command line on a vantage; see gaoling.evidence.probes.Runner."""
        return self._run_line([*self.command(vantage), remote(argv)], timeout, stdin)

    def ask(self, router: str, line: str, timeout: float) -> Completed:
        """Run commands of a router's own language, as the account of ssh_config (`monitor`)."""
        return self._run_line([*self.command(router), line], timeout, "")

    def _run_line(self, line: list[str], timeout: float, stdin: str) -> Completed:
        if not self._config.exists():
            return Completed(255, "", f"{self._config} is not there")
        self._run.mkdir(mode=0o700, parents=True, exist_ok=True)
        # a session of its own: after the deadline all of it can be ended, ssh's helpers too
        with subprocess.Popen(
            line,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        ) as process:
            try:
                out, err = process.communicate(stdin, timeout=timeout)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
                return Completed(None, "", "")
        return Completed(process.returncode, out[:MOST_OUTPUT], err[:MOST_OUTPUT])

    def close(self) -> None:
        """End the connections that were kept open."""
        if not self._run.is_dir():
            return
        for socket in self._run.iterdir():
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                subprocess.run(
                    ["ssh", "-o", f"ControlPath={socket}", "-O", "exit", "gaoling"],
                    capture_output=True,
                    timeout=5,
                    check=False,
                )
