"""JSON Schema for editors and a table for readers, both generated from the models.

`python -m gaoling.city.schema` writes them anew; a test says when they are out of date.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from gaoling.city.model import Confirmation, Row, Settings
from gaoling.city.read import TABLES

FIELDS = "docs/register-fields.md"
SCHEMAS = "docs/schema"
_HEAD = """# The register, field by field

Generated from `gaoling/city/` by `python -m gaoling.city.schema`: do not edit. A header may be the
field's name or its Chinese title. How to work with the register: [register.md](register.md).
"""


def generated() -> dict[str, str]:
    """Return path within the project -> text of every generated file."""
    models: dict[str, type[Row]] = {**TABLES, "confirmations": Confirmation}
    found = {f"{SCHEMAS}/{name}.schema.json": _schema(model) for name, model in models.items()}
    found[f"{SCHEMAS}/city.schema.json"] = _schema(Settings)
    parts = [_HEAD]
    for name, model in models.items():
        parts.append(f"\n## `{name}.csv`\n\n{_first_line(model)}\n\n{_table(model)}")
    parts.append(f"\n## `city.yaml`\n\n{_first_line(Settings)}\n\n{_table(Settings)}")
    for inner in sorted(Settings.model_json_schema()["$defs"]):
        model = next(m for m in Row.__subclasses__() if m.__name__ == inner)
        parts.append(f"\n### {inner}\n\n{_first_line(model)}\n\n{_table(model)}")
    found[FIELDS] = "".join(parts)
    return found


def _schema(model: type[Row]) -> str:
    return json.dumps(model.model_json_schema(), ensure_ascii=False, indent=1) + "\n"


def _first_line(model: type[Row]) -> str:
    return (model.__doc__ or "").strip().splitlines()[0]


def _table(model: type[Row]) -> str:
    schema = model.model_json_schema()
    required = schema.get("required", ())
    lines = ["| field | 列名 | values | meaning |", "|---|---|---|---|"]
    for name, info in model.model_fields.items():
        values = _values(schema["properties"][name], schema.get("$defs", {}))
        if name not in required:
            values += "; may be left out"
        meaning = info.description or ""
        lines.append(f"| `{name}` | {info.title or ''} | {values} | {meaning} |")
    return "\n".join(lines) + "\n"


def _values(part: dict[str, Any], inner: dict[str, Any]) -> str:
    if "$ref" in part:
        name = part["$ref"].rpartition("/")[2]
        return _values(inner[name], inner) if "enum" in inner[name] else name
    if "enum" in part:
        return ", ".join(map(str, part["enum"]))
    if "anyOf" in part:
        texts = [_values(p, inner) for p in part["anyOf"] if p.get("type") != "null"]
        return " or ".join(texts) + ", or empty"
    if part.get("type") == "array":
        items = part.get("items") or (part.get("prefixItems") or [{}])[0]
        return f"list of {_values(items, inner)}"
    text = part.get("format") or {
        "integer": "whole number", "string": "text", "boolean": "是 or 否", "number": "number"
    }.get(part.get("type", ""), "")  # fmt: skip
    if "minimum" in part and "maximum" in part:
        text += f" {part['minimum']} to {part['maximum']}"
    if "pattern" in part:
        text = "id: a-z, 0-9, '-'"
    return str(text)


def main(root: Path) -> int:
    for name, text in generated().items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
        print(name)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(__file__).parents[2]))
