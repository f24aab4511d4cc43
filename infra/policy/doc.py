"""`docs/policies.md`, generated from the rules.

`python -m infra.policy.doc` writes it anew; a test says when it is out of date.
"""

from __future__ import annotations

import sys
from pathlib import Path

from infra.policy.rules import RULES

FILE = "docs/policies.md"
_HEAD = """# Policies 策略

Generated from `infra/policy/` by `python -m infra.policy.doc`: do not edit.

The rules are run with every `pulumi preview` and `up` (`gaoling cloud env` exports
`PULUMI_OPTION_POLICY_PACK`), and on what there is:

```
gaoling cloud policy [--stack S] [--json]   every stack's state; exit code 3 when a rule is broken
gaoling cloud policy --rules                the table below
pulumi policy analyze -s lab-primary-0      the same, by hand, with those exports
```

All are mandatory. A rule *before* looks at each resource as it is asked for, and stops it before it
is made; one *together* looks at all of a stack, and stops a preview. The class of a region, the
systems and their owners are the register's of today: a region that lost its class breaks the rule
with what it holds. A clause is named as where a rule comes from; conformance is claimed nowhere.

| rule | 规则 | severity | refuses | why | clause | when |
|---|---|---|---|---|---|---|
"""
_TAIL = """
## 不允许与理由

| 规则 | 不允许 | 理由 |
|---|---|---|
{zh}
## How to mend

| rule | mend |
|---|---|
{mend}
## Exemptions 豁免

`inventories/<city>/exemptions.yaml`, reviewed like code:

```yaml
- rule: dual-stack
  resource: health  # a system, or a URN in which * stands for anything
  reason: the vendor's appliance has no IPv6 until its next release
  until: 2026-12-31
```

An exemption holds to the end of that day in Asia/Shanghai. What is exempt is still said, as
advisory, with reason and day. One that is expired, has no reason, or names a rule or system that
there is not is an error with file, line, field, what was found and what was expected: it stops
previews (rule `exemptions`) and ends `gaoling cloud policy` with 2. `gaoling cloud policy` also
names exemptions that let nothing pass.
"""


def generated() -> str:
    """Return the text of the page."""
    when = {"resource": "before", "stack": "together"}
    rows = [
        f"| `{r.id}` | {r.title} | {r.severity} | {r.refuses} | {r.reason} | {r.clause} "
        f"| {when[r.scope]} |\n"
        for r in RULES
    ]
    zh = "".join(f"| {r.title} | {r.refuses_zh} | {r.reason_zh} |\n" for r in RULES)
    mend = "".join(f"| `{r.id}` | {r.mend} |\n" for r in RULES)
    return _HEAD + "".join(rows) + _TAIL.format(zh=zh, mend=mend)


def main(root: Path) -> int:
    (root / FILE).write_text(generated(), encoding="utf-8")
    print(FILE)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(__file__).parents[2]))
