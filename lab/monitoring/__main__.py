"""`python -m lab.monitoring up|down|status`: this part of the lab alone."""

from __future__ import annotations

import sys

from lab.errors import LabError
from lab.monitoring import part
from lab.progress import Progress


def main(words: list[str]) -> int:
    """Run one command; return its exit code."""
    if words not in (["up"], ["down"], ["status"]):
        print("usage: python -m lab.monitoring up|down|status", file=sys.stderr)
        return 2
    progress = Progress("monitoring")
    try:
        if words == ["up"]:
            part.up(progress)
        elif words == ["down"]:
            part.down(progress)
        else:
            found = part.status()
            problems = [f"{s.name}: {s.state} {s.detail}" for s in found if s.state != "RUNNING"]
            problems += part.health() if found else ["down"]
            print(f"{len(found)} services")
            print("\n".join(problems) or "healthy")
            return 1 if problems else 0
    except LabError as error:
        print(f"monitoring: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
