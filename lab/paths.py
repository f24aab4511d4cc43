"""Where a part of the lab keeps its things: state, configuration, logs, sockets."""

from __future__ import annotations

import contextlib
import os
import pwd
from dataclasses import dataclass
from pathlib import Path

STATE = Path("/var/lib/gaoling/lab")
RUN = Path("/run/gaoling")  # short: a unix socket's path has 108 bytes at most
PARTS = ("cloud", "extranet", "monitoring")


@dataclass(frozen=True)
class LabPaths:
    """The folders of one part (`cloud`, `extranet` or `monitoring`)."""

    part: str

    @property
    def state(self) -> Path:
        return STATE / self.part

    @property
    def etc(self) -> Path:
        return self.state / "etc"

    @property
    def log(self) -> Path:
        return self.state / "log"

    @property
    def run(self) -> Path:
        return RUN / self.part

    def make(self) -> LabPaths:
        """Create the folders: passable for the services' own users, listable by root alone."""
        for folder in (STATE.parent, STATE, RUN, self.state, self.etc, self.log, self.run):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o711)
        return self

    def borrow(self, folder: Path, user: str = "root") -> None:
        """Make a package's own folder under /run, as systemd-tmpfiles does at boot where there is
        one; what is there stays. `give_back` removes what was made here."""
        if folder.exists():
            return
        owner = pwd.getpwnam(user)
        with self._borrowed.open("a") as file:
            file.write(f"{folder}\n")
        folder.mkdir(mode=0o755)
        os.chown(folder, owner.pw_uid, owner.pw_gid)

    def give_back(self) -> None:
        """Remove the folders that `borrow` made, where nobody else keeps something in them."""
        if self._borrowed.exists():
            for name in self._borrowed.read_text().splitlines():
                with contextlib.suppress(OSError):
                    Path(name).rmdir()

    @property
    def _borrowed(self) -> Path:
        return self.state / "borrowed"


def cache_home() -> Path:
    """Return the folder for what can be made again (XDG Base Directory Specification)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gaoling"
