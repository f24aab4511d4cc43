"""A machine of one's own for every test: empty PATH but for a few basics, own home and cache."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

# Compiles nothing: writes its target's name into the target, and what it was asked into calls.log.
FAKE_GO = """#!/bin/sh
echo "$*" >> {log}
if [ "$1" = env ]; then echo go{version}; exit 0; fi
while [ "$1" != -o ]; do shift; done
echo "compiled $2" > "$2"
chmod 700 "$2"
{after}
"""


@dataclass(frozen=True)
class Machine:
    """What a test can put on it, and what it finds there afterwards."""

    folder: Path

    @property
    def bin(self) -> Path:
        return self.folder / "bin"

    @property
    def cache(self) -> Path:
        return self.folder / "cache" / "gaoling" / "pulumi"

    @property
    def log(self) -> Path:
        return self.folder / "calls.log"

    def script(self, path: Path, text: str = "#!/bin/sh\nexit 0\n") -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
        return path

    def go(self, version: str = "1.26.8", after: str = "exit 0") -> Path:
        text = FAKE_GO.format(log=self.log, version=version, after=after)
        return self.script(self.bin / "go", text)

    def compilations(self) -> int:
        """How often Go was asked to build something."""
        if not self.log.exists():
            return 0
        return sum(line.startswith("build ") for line in self.log.read_text().splitlines())

    def builds(self) -> list[Path]:
        """The finished builds in the cache."""
        return sorted(path.parent for path in self.cache.glob("*/manifest.json"))

    def leftovers(self) -> list[str]:
        """What stands in the cache beside finished builds and the lock."""
        done = {"lock", *(build.name for build in self.builds())}
        return sorted(path.name for path in self.cache.glob("*") if path.name not in done)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the command as the Makefile does, at a terminal: Ctrl-C reaches it even where
        whoever started the tests had it ignored."""
        return subprocess.Popen(
            [sys.executable, "-m", "gaoling.cloud.toolchain", *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Run the command; return its exit code, output and error output."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path)
    made.bin.mkdir()
    for name in ("sh", "cat", "chmod", "mkdir", "sleep", "dirname"):
        found = shutil.which(name)
        assert found, f"{name} is missing on this machine"
        (made.bin / name).symlink_to(found)
    for name in list(os.environ):
        if name.startswith(("PULUMI_", "GAOLING_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", str(made.bin))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return made
