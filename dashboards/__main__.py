"""`python -m dashboards build|check`: the JSON of every dashboard; whether all of it is right."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards import lint, overview

HERE = Path(__file__).parent
GOLDEN = HERE.parent / "tests" / "exporters" / "golden.prom"
DASHBOARDS: dict[str, ModuleType] = {"overview": overview}


def generate(module: ModuleType) -> str:
    """Return a dashboard's JSON: the same for the same source."""
    text = JSONEncoder(sort_keys=True).encode(module.build().build())
    return json.dumps(json.loads(text), ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def build() -> list[str]:
    """Write every dashboard's JSON; return the files that changed."""
    changed = []
    for name, module in DASHBOARDS.items():
        path, text = HERE / f"{name}.json", generate(module)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            changed.append(path.name)
    return changed


def check() -> list[str]:
    """Return what is wrong with dashboards and rules; empty when all is right."""
    files = sorted((HERE / "rules").glob("*.yml"))
    known = lint.known_metrics(GOLDEN, files)
    wrong = lint.rules(files, known, HERE / "runbooks")
    for name, module in DASHBOARDS.items():
        path, text = HERE / f"{name}.json", generate(module)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            wrong.append(f"{path.name}: not what {name}.py makes: run python -m dashboards build")
        wrong += lint.dashboard(path.name, json.loads(text), known)
    return wrong


def main(words: list[str]) -> int:
    """Run one command; return its exit code."""
    if words == ["build"]:
        print("\n".join(build()) or "nothing changed")
        return 0
    if words == ["check"]:
        wrong = check()
        print("\n".join(wrong) or "dashboards and rules: nothing wrong")
        return 1 if wrong else 0
    print("usage: python -m dashboards build|check", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
