"""`gaoling address`: which prefix everything has, and what each address is."""

from __future__ import annotations

import datetime as dt
import getpass
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gaoling.cli import context

if TYPE_CHECKING:
    from gaoling.addressing import Plan
    from gaoling.addressing.lock import Lock
    from gaoling.city import City

app = typer.Typer(
    no_args_is_help=True,
    help="地址规划: the address plan and its lock.",
    epilog="Example:  gaoling address explain 2001:db8:4400::1",
)
AsJson = Annotated[bool, typer.Option("--json", help="The result as JSON.")]


@contextmanager
def _bad_input() -> Iterator[None]:
    """End with exit code 2 and one clear message where the plan, lock or profile cannot be used."""
    from gaoling.addressing import LockError, PlanError, ProfileError

    try:
        yield
    except (LockError, PlanError, ProfileError) as error:
        print(f"gaoling: {error}", file=sys.stderr)
        raise typer.Exit(2) from None


def _folder(city: City) -> Path:
    return city.directory / "addresses"


def _locked() -> tuple[City, Lock, Plan]:
    """Return the city, its lock, and the plan that follows from both."""
    from gaoling.addressing import plan_city, read_lock

    city = context.city()
    lock = read_lock(_folder(city))
    return city, lock, plan_city(city, lock)


def _print(found: Any, as_json: bool) -> None:
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=1))
        return
    for line in found:
        print(line)


@app.command()
def plan(
    yes: Annotated[bool, typer.Option("--yes", help="Write the lock.")] = False,
    renumber: Annotated[
        list[str] | None,
        typer.Option(help="Give this key, or name, another prefix; `all` makes the plan anew."),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why it is renumbered; kept in the lock.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show what the register adds to the lock and takes from it; --yes writes it.

    Example: `gaoling address plan --city lab`, then the same with `--yes`, then `git diff`
    """
    from gaoling.addressing import plan_city, read_lock, write_lock
    from gaoling.addressing.compare import compare
    from gaoling.addressing.renumber import renumber as other

    city = context.city()
    with _bad_input():
        lock = read_lock(_folder(city))
        if renumber:
            new = other(city, lock, renumber, reason, getpass.getuser(), dt.date.today())
        else:
            new = plan_city(city, lock)
        changes = compare(lock, new.book)
        files = write_lock(_folder(city), new.book) if yes else []
    if as_json:
        _print({"changes": [vars(c) for c in changes], "written": files}, True)
        return
    _print(changes, False)
    print(f"{len(changes)} changes; " + (f"written: {', '.join(files) or 'nothing'}" if yes else
          "nothing written (--yes writes the lock)"))  # fmt: skip


@app.command()
def diff(as_json: AsJson = False) -> None:
    """Compare register and lock; exit code 1 when the lock is behind.

    Example: `gaoling address diff --city lab`
    """
    from gaoling.addressing.compare import compare

    with _bad_input():
        _, lock, new = _locked()
        changes = compare(lock, new.book)
    _print([vars(c) for c in changes] if as_json else changes, as_json)
    if changes:
        raise typer.Exit(1)


@app.command()
def show(
    wanted: Annotated[str, typer.Argument(help="A part of the key, such as a code.")] = "",
    as_json: AsJson = False,
) -> None:
    """List what has which prefix: key and prefix, in order of address; IPv4 after it.

    Example: `gaoling address show 360202`
    """
    from gaoling.addressing import ipv4

    with _bad_input():
        city, _, new = _locked()
    found = sorted((prefix, key) for key, prefix in new.book.items() if wanted in key)
    old = [use for use in ipv4.uses(city) if wanted in f"{use.use}/{use.owner}"]
    if as_json:
        rows = [{"prefix": str(prefix), "key": key} for prefix, key in found]
        rows += [{"prefix": str(u.network), "key": f"ipv4/{u.use}/{u.owner}"} for u in old]
        _print(rows, True)
    else:
        _print([f"{prefix!s:<30} {key}" for prefix, key in found], False)
        _print([f"{u.network!s:<30} ipv4/{u.use}/{u.owner}" for u in old], False)


@app.command()
def explain(
    address: Annotated[str, typer.Argument(help="An IPv6 or IPv4 address.")],
    as_json: AsJson = False,
) -> None:
    """Say what an address is: level, site and use. Exit code 1 when it is not of this plan.

    Example: `gaoling address explain 2001:db8:4400::1`
    """
    from gaoling.addressing import explain as v6
    from gaoling.addressing import ipv4

    try:
        found = ip_address(address.partition("/")[0])
    except ValueError:
        print(f"gaoling: address: found {address!r}, expected an IPv6 or IPv4 address",
              file=sys.stderr)  # fmt: skip
        raise typer.Exit(2) from None
    with _bad_input():
        city, _, new = _locked()
    if isinstance(found, IPv4Address):
        uses = ipv4.explain4(new, found)
        rows = [{"prefix": str(u.network), "kind": u.use, "name": u.owner} for u in uses]
        _print(rows if as_json else [f"{u}{_called(city, u.owner)}" for u in uses], as_json)
        known = bool(uses)
    else:
        why = v6.explain(new.book, new.profile, found)
        known = why is not None
        if why is not None:
            _print(why.as_json() if as_json else [f"{why}{_called(city, why.owner)}"], as_json)
            if why.free and not as_json:
                print("空闲 (nobody has it)")
    if not known:
        print(f"gaoling: {address} is not of this city's plan", file=sys.stderr)
        raise typer.Exit(1)


def _called(city: City, owner: str) -> str:
    """Return the Chinese name of a site or system, in brackets."""
    name = owner.rpartition("/")[2].partition(":")[0]
    if name in city.device:
        name = city.device[name].site
    found = city.site.get(name) or city.system.get(name)
    return f"（{found.name}）" if found else ""


@app.command()
def free(
    level: Annotated[str, typer.Argument(help="A kind of block: site, village, tenant …")] = "",
    v4: Annotated[bool, typer.Option("--ipv4", help="Free IPv4 of the city's aggregate.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say what is free: every pool with how many it holds, has given, and which is the next.

    Example: `gaoling address free village`
    """
    from gaoling.addressing import ipv4
    from gaoling.addressing.forecast import pools

    with _bad_input():
        city, _, new = _locked()
    if v4:
        _print([str(n) for n in ipv4.free4(city)], as_json)
        return
    found = [p for p in pools(new.book, new.profile) if level in ("", p.kind)]
    if level and not found:
        known = sorted({p.kind for p in pools(new.book, new.profile)})
        print(f"gaoling: level: found {level!r}, expected one of {', '.join(known)}",
              file=sys.stderr)  # fmt: skip
        raise typer.Exit(2)
    if as_json:
        _print([p.as_json() for p in found], True)
        return
    _print([
        f"{p.prefix:<26} {p.title}（{p.kind}） {p.name} used {p.used}, free {p.free}, "
        f"next {p.next or '-'}" for p in found
    ], False)  # fmt: skip


@app.command()
def forecast(
    growth: Annotated[
        list[str] | None, typer.Option(help="Yearly growth of a level: site=0.05.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say which level runs out first, and when. Growth is assumed (假定) unless given.

    Example: `gaoling address forecast --growth tenant=0.4`
    """
    from gaoling.addressing.forecast import forecast as levels

    rates = {}
    for item in growth or []:
        kind, _, rate = item.partition("=")
        try:
            rates[kind] = float(rate)
        except ValueError:
            print(f"gaoling: --growth: found {item!r}, expected level=rate, as site=0.05",
                  file=sys.stderr)  # fmt: skip
            raise typer.Exit(2) from None
    with _bad_input():
        _, _, new = _locked()
    found = levels(new.book, new.profile, dt.date.today(), rates)
    if as_json:
        _print([level.as_json() for level in found], True)
        return
    _print([
        f"{f.title}（{f.level} in {f.parent}） {f.used} in {f.pools} pools; fullest "
        f"{f.fullest.prefix} {f.fullest.name} {f.fullest.used}/{f.fullest.capacity}; "
        f"{f.growth:.1%} a year（假定） → {f.runs_out or 'not within 200 years'}" for f in found
    ], False)  # fmt: skip


@app.command()
def zones(
    out: Annotated[Path, typer.Option(help="The folder to write into.")],
    serial: Annotated[int | None, typer.Option(help="SOA serial; default YYYYMMDD00.")] = None,
) -> None:
    """Write zone files: AAAA records and ip6.arpa.

    Example: `gaoling address zones --out build/zones`
    """
    from gaoling.addressing import names

    with _bad_input():
        _, _, new = _locked()
    number = serial if serial is not None else int(f"{dt.date.today():%Y%m%d}00")
    out.mkdir(parents=True, exist_ok=True)
    forward = names.domain_of(new).rstrip(".")
    texts = {forward: names.forward_zone(new, number), **names.reverse_zones(new, number)}
    for zone, text in texts.items():
        (out / f"{zone}.zone").write_text(text, encoding="utf-8")
        print(out / f"{zone}.zone")


@app.command()
def border(
    platform: Annotated[str, typer.Option(help="The border's platform.")] = "frr",
) -> None:
    """Print prefix lists and the ACL object for the border.

    Example: `gaoling address border --platform huawei_vrp`
    """
    from gaoling.addressing import border as platforms

    if platform not in platforms.PLATFORMS:
        print(f"gaoling: --platform: found {platform!r}, expected one of "
              f"{', '.join(platforms.PLATFORMS)}", file=sys.stderr)  # fmt: skip
        raise typer.Exit(2)
    with _bad_input():
        _, _, new = _locked()
    print(platforms.border(new, platform), end="")
