"""What the namespaces of both regions look like: for the logs that are kept when a test fails."""

from __future__ import annotations

import subprocess
from pathlib import Path

from lab.openstack import wires

_QUESTIONS = (
    ("ip", "-br", "address"),
    ("ip", "route"),
    ("ip", "-6", "route"),
    ("ip", "neigh"),
    ("bridge", "link"),
    ("iptables-save", "-c"),
    ("ip6tables-save", "-c"),
    ("ebtables-save",),
    ("ss", "-lntup"),
)
_SECONDS = 5


def write(target: Path) -> None:
    """Write one text file a namespace into the folder `target`, which is made. Never raises for a
    namespace that goes away meanwhile."""
    target.mkdir(parents=True, exist_ok=True)
    for path in wires.namespaces():
        said = [f"$ {' '.join(q)}\n{_ask(path, q)}" for q in _QUESTIONS]
        (target / f"{path.parent.name}.{path.name}.txt").write_text("\n".join(said))


def _ask(namespace: Path, question: tuple[str, ...]) -> str:
    try:
        done = subprocess.run(
            ["nsenter", f"--net={namespace}", *question],
            capture_output=True, text=True, timeout=_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{error}\n"
    return done.stdout + done.stderr
