"""python -m lab.openstack up|down|status|health|memory: this part alone."""

from __future__ import annotations

import sys

from lab.errors import LabError
from lab.openstack import part
from lab.progress import Progress


def main(words: list[str]) -> int:
    progress = Progress("cloud")
    try:
        match words:
            case ["up"]:
                part.up(progress)
            case ["down"]:
                part.down(progress)
            case ["status"]:
                for s in part.status():
                    print(f"{s.name:24} {s.state:10} {s.pid:7} {s.seconds:6} s")
            case ["health"]:
                wrong = part.health()
                print("\n".join(wrong) or "healthy")
                return bool(wrong)
            case ["memory"]:
                found = part.memory()
                for name, size in sorted(found.items(), key=lambda x: -x[1]):
                    print(f"{name:24} {size:8.1f} MiB")
                print(f"{'total':24} {sum(found.values()):8.1f} MiB")
            case _:
                print(__doc__, file=sys.stderr)
                return 2
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
