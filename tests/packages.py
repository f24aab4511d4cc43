"""Debian packages that tests run beside the lab's; `python -m tests.packages` installs them.

promtool and amtool judge rules, named-checkzone judges zone files, PostgreSQL and Redis carry the
Nautobot that the register is exchanged with. No service of theirs is started or enabled.
"""

from __future__ import annotations

import os
import sys

from lab import packages
from lab.errors import LabError
from lab.progress import Progress

PACKAGES = ("bind9-utils", "postgresql", "prometheus", "prometheus-alertmanager", "redis-server")


def main() -> int:
    """Install what is missing; return 1, with the command that mends it, where that needs root."""
    need = packages.missing(PACKAGES)
    if need and os.geteuid() != 0:
        print(f"tests: missing packages; run: sudo apt-get install {' '.join(need)}")
        return 1
    try:
        packages.ensure(PACKAGES, Progress("tests"))
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
