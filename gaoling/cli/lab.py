"""`gaoling lab`: a city in a box, for one machine."""

from __future__ import annotations

import json
import subprocess
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="A city in a box on this machine (root).")
Parts = Annotated[
    list[str] | None, typer.Argument(help="cloud, extranet, monitoring; all when none is named.")
]


@app.command()
def up(parts: Parts = None) -> None:
    """Start the lab, or the named parts, and wait until they are healthy. Runs again safely.

    Example: `gaoling lab up extranet`
    """
    from lab import whole

    whole.up(whole.chosen(parts))


@app.command()
def down(parts: Parts = None) -> None:
    """Stop the lab, or the named parts: no process, namespace, interface, mount or file is left."""
    from lab import whole

    whole.down(whole.chosen(parts))


@app.command()
def status(as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """Say what runs. Exit code 1 when something that should run does not."""
    from lab import whole

    found = whole.status()
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=1))
    else:
        for part, about in found.items():
            print(f"{part:<11} {about['state']:<8} {about['running']}/{about['services']} services")
            for line in about["problems"]:
                print(f"            {line}")
    if any(about["problems"] for about in found.values()):
        raise typer.Exit(1)


@app.command()
def logs(
    service: Annotated[str, typer.Argument(help="A service as `lab status --json` names it.")] = "",
    follow: Annotated[bool, typer.Option("--follow", "-f")] = False,
) -> None:
    """Print the end of a service's log; without a name, list the logs."""
    from lab import whole

    found = whole.logs(service)
    if service and len(found) == 1:
        subprocess.run(["tail", "-n", "50", *(["-F"] if follow else []), found[0]], check=False)
        return
    for path in found:
        print(path)


@app.command()
def env(as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """Print the exports for a plain `pulumi up`, `openstack` or `ssh` on the lab.

    Example: `eval "$(gaoling lab env)"`
    """
    from gaoling.cli.environment import variables

    found = variables()
    if as_json:
        print(json.dumps(found, indent=1))
    else:
        import shlex

        for name, value in found.items():
            print(f"export {name}={shlex.quote(value)}")
