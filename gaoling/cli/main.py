"""The `gaoling` command: one subcommand a task; each imports its room when it runs."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from gaoling.city.faults import RegisterError
from gaoling.cli import check, context, demo, doctor, lab

app = typer.Typer(
    name="gaoling",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="高岭: a city's government cloud and extranet as code, and what is really there.",
    epilog="Examples:  gaoling check --city lab   ·   gaoling lab up   ·   gaoling status",
)


@app.callback()
def options(
    city: Annotated[
        str | None, typer.Option(help="The city: a folder of inventories/ or a path.")
    ] = None,
) -> None:
    context.choose_city(city)


app.command("check")(check.check)
app.command("doctor")(doctor.doctor)
app.command("demo")(demo.demo)
app.add_typer(lab.app, name="lab")


def _add(module: str, name: str) -> None:
    """Add a room's commands where the room is there."""
    import importlib

    found = importlib.import_module(f"gaoling.cli.{module}")
    if hasattr(found, "app"):
        app.add_typer(found.app, name=name)
    else:
        app.command(name)(getattr(found, name))


for _module in ("address", "register", "cloud", "capacity", "network", "status"):
    try:
        _add(_module, _module)
    except ModuleNotFoundError as error:  # a room that is being built
        if error.name != f"gaoling.cli.{_module}":
            raise


def main() -> None:
    """Run the command; bad input ends with 2, a fault of the lab or a change with 1."""
    try:
        app(standalone_mode=True)
    except RegisterError as error:
        print(f"{len(error.faults)} 处错误 (faults):\n{error}", file=sys.stderr)
        sys.exit(2)
    except SystemExit as end:
        # typer makes an exit with 130 of Ctrl-C, and says nothing
        if isinstance(getattr(end.__context__, "__cause__", None), KeyboardInterrupt):
            print("interrupted; run it again to go on", file=sys.stderr)
        raise
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in ("gaoling", "lab", "infra"):
            raise
        print(f"gaoling: {error}", file=sys.stderr)
        sys.exit(1)
