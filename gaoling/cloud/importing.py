"""Files for `pulumi import -f`: what a project has already, under the names that a stack gives it.

The names, types and parents are not kept here a second time: they are read from a preview of the
stack, which declares all that it would create. This module finds, for each of these, the thing in
the project that it can only be: by its name, by what it hangs on, or because there is just one.
What has no counterpart is left for `pulumi up` to create; what the program has no place for stays
outside Pulumi. Both are said.

A landing zone's own provider is scoped to its project, and Pulumi cannot import with a provider
that is not in the state yet. So there may be two files, and a `pulumi up --target` between them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"  # how the engine writes what it does not know yet
ZONE = "gaoling:cloud:LandingZone"
STACK = "pulumi:pulumi:Stack"
PROVIDER = "pulumi:providers:"
PROJECT = "openstack:identity/project:Project"

# what the provider does not read back: after the import a preview shows it as a change
UNREAD = {
    "openstack:compute/instance:Instance":
        "the provider reads neither the port, nor user_data, nor the server group of a server, "
        "and would replace it: run --complete after the import",
    "openstack:networking/secGroup:SecGroup":
        "the provider does not read delete_default_rules, and would replace the group: run "
        "--complete after the import",
    "openstack:objectstorage/container:Container":
        "the provider reads neither metadata nor the synchronisation of a container",
}  # fmt: skip


class ImportingError(Exception):
    """Nothing can be written: the message says what was found and what was expected."""


@dataclass(frozen=True)
class Wanted:
    """A resource that a preview of the stack has; `new` when the state does not hold it."""

    urn: str
    type: str
    parent: str
    provider: str  # the URN of its provider; "" for components
    custom: bool
    new: bool
    inputs: Mapping[str, Any]
    needs: Mapping[str, Sequence[str]]  # URNs of what each input comes from
    dependencies: Sequence[str] = ()
    id: str = ""  # where the state holds it

    @property
    def name(self) -> str:
        return self.urn.rpartition("::")[2]

    def given(self, key: str) -> Any:
        """Return an input; None where it is not said, or not known before the creation."""
        found = self.inputs.get(key)
        return None if found in (UNKNOWN, "") else found

    def source(self, key: str) -> str:
        """Return the URN that an input comes from; "" when it comes from none, or from several."""
        found = self.needs.get(key) or ()
        return found[0] if len(found) == 1 else ""


@dataclass(frozen=True)
class Item:
    """Something that the project has in the region. `kind` is the type it would have in Pulumi."""

    kind: str
    id: str
    name: str
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str]:
        return self.kind, self.id


@dataclass
class Match:
    """What was found for what is wanted."""

    wanted: list[Wanted]
    ids: dict[str, str] = field(default_factory=dict)  # URN -> import id
    by_order: list[str] = field(default_factory=list)  # URNs paired by order, not by name
    missing: list[tuple[Wanted, str]] = field(default_factory=list)  # and why
    differing: list[tuple[Wanted, str]] = field(default_factory=list)  # found, but not as declared
    left: list[Item] = field(default_factory=list)  # what the program has no place for


# ------------------------------------------------------------------------------ the preview
def read_preview(data: Mapping[str, Any], system: str) -> list[Wanted]:
    """Return what `pulumi preview --json --show-sames` declares for a system's landing zone.

    Raises ImportingError when it declares nothing for it.
    """
    found: dict[str, Wanted] = {}
    for step in data.get("steps", ()):
        state = step.get("newState")
        if state is None:
            continue
        provider = str(state.get("provider", "")).rpartition("::")[0]
        found[step["urn"]] = Wanted(
            step["urn"], state["type"], state.get("parent", ""), provider,
            bool(state.get("custom")), step["op"] == "create", state.get("inputs") or {},
            state.get("propertyDependencies") or {}, tuple(state.get("dependencies") or ()),
            str((step.get("oldState") or {}).get("id", "")),
        )  # fmt: skip
    zone = next((w.urn for w in found.values() if w.type == ZONE and w.name == system), None)
    if zone is None:
        raise ImportingError(
            f"found no landing zone of {system} in the stack's preview, expected one: is the "
            "system in the register, migrating or on the cloud, and not classified?"
        )

    def inside(urn: str) -> bool:
        while urn and urn in found:
            if urn == zone:
                return True
            urn = found[urn].parent
        return False

    return [w for w in found.values() if inside(w.urn)]


# ------------------------------------------------------------------------------ matching
Rule = Callable[["_Matcher", Sequence[Wanted]], None]


def match(
    wanted: Sequence[Wanted], items: Iterable[Item], project: str, region: str
) -> Match:  # fmt: skip
    """Return the id of each wanted resource that the project has; `region` as the cloud names it.

    What the state holds already is taken as found, and is in no file.
    """
    matcher = _Matcher(Match(list(wanted)), list(items), project, region)
    for each in wanted:
        item = next((i for i in matcher.items if (i.kind, i.id) == (each.type, each.id)), None)
        if item is not None and not each.new:
            matcher.claimed.add(item.key)
            matcher.of[each.urn] = item
    todo = [w for w in wanted if w.new and w.custom and not w.type.startswith(PROVIDER)]
    for kind, rule in RULES.items():
        rule(matcher, [w for w in todo if w.type == kind])
    for each in todo:
        if each.type not in RULES:
            why = "no way to find it in the cloud is known (a secret, or a kind that is new here)"
            matcher.found.missing.append((each, why))
    told = {w.urn for w, _ in matcher.found.missing}
    matcher.found.missing += [
        (w, "nothing like it in the project")
        for w in todo if w.urn not in matcher.found.ids and w.urn not in told
    ]  # fmt: skip
    matcher.found.left = [
        i for i in matcher.items if i.key not in matcher.claimed and i.kind != PROJECT
    ]
    return matcher.found


@dataclass
class _Matcher:
    found: Match
    items: list[Item]
    project: str
    region: str
    claimed: set[tuple[str, str]] = field(default_factory=set)
    of: dict[str, Item] = field(default_factory=dict)  # URN -> item

    def free(self, kind: str) -> Iterator[Item]:
        return (i for i in self.items if i.kind == kind and i.key not in self.claimed)

    def take(self, wanted: Wanted, item: Item) -> None:
        self.claimed.add(item.key)
        self.of[wanted.urn] = item
        self.found.ids[wanted.urn] = item.id

    def pick(self, wanted: Wanted, right: Callable[[Item], bool]) -> None:
        """Take the item of that kind for which `right` holds, when there is exactly one."""
        fits = [i for i in self.free(wanted.type) if right(i)]
        if len(fits) > 1:
            fits = [i for i in fits if i.name == wanted.given("name")] or fits
        if len(fits) == 1:
            self.take(wanted, fits[0])

    def ident(self, urn: str) -> str:
        return self.of[urn].id if urn in self.of else ""

    def differs(self, wanted: Wanted, what: str, there: Any, declared: Any) -> None:
        if declared is not None and str(there) != str(declared):
            text = f"{what} is {there}, the program says {declared}"
            self.found.differing.append((wanted, text))


def _named(m: _Matcher, wanted: Sequence[Wanted]) -> None:
    """By name; what is left in order, when there are as many things as names."""
    for each in wanted:
        m.pick(each, lambda i, each=each: i.name == each.given("name"))  # type: ignore[misc]
    rest = [w for w in wanted if w.urn not in m.found.ids]
    if not rest:
        return
    free = sorted(m.free(rest[0].type), key=lambda i: (i.name, i.id))
    if len(free) == len(rest):
        for each, item in zip(sorted(rest, key=lambda w: w.name), free, strict=True):
            m.take(each, item)
            m.found.by_order.append(each.urn)


def _project(m: _Matcher, wanted: Sequence[Wanted]) -> None:
    for each in wanted:
        m.pick(each, lambda i: i.id == m.project)
        if each.urn in m.of:
            m.differs(each, "name", m.of[each.urn].name, each.given("name"))


def _role(m: _Matcher, wanted: Sequence[Wanted]) -> None:
    for each in wanted:
        who = (each.given("userId"), each.given("groupId"), each.given("roleId"))
        m.pick(each, lambda i, who=who: (  # type: ignore[misc]
            i.about["user"] or None, i.about["group"] or None, i.about["role"]) == who)  # fmt: skip


def _quota(m: _Matcher, wanted: Sequence[Wanted]) -> None:
    """Every project has quotas, whether somebody set them or not."""
    for each in wanted:
        m.found.ids[each.urn] = f"{m.project}/{m.region}"


def _subnet(m: _Matcher, wanted: Sequence[Wanted]) -> None:
    for each in wanted:
        network, version = m.ident(each.source("networkId")), each.given("ipVersion")
        m.pick(each, lambda i, n=network, v=version: (  # type: ignore[misc]
            n != "" and i.about["network"] == n and i.about["ip_version"] == v))  # fmt: skip
        if each.urn in m.of:
            m.differs(each, "prefix", m.of[each.urn].about["cidr"], each.given("cidr"))


def _interface(m: _Matcher, wanted: Sequence[Wanted]) -> None:
    for each in wanted:
        router, subnet = m.ident(each.source("routerId")), m.ident(each.source("subnetId"))
        m.pick(each, lambda i, r=router, s=subnet: (  # type: ignore[misc]
            r != "" and i.about["router"] == r and i.about["subnets"] == [s]))  # fmt: skip


def _rule(m: _Matcher, wanted: Sequence[Wanted]) -> None:
    for each in wanted:
        group = m.ident(each.source("securityGroupId"))
        remote_from = each.source("remoteGroupId")
        remote = m.ident(remote_from) if remote_from else each.given("remoteGroupId")
        if not group or remote == "":
            continue
        key = (each.given("direction"), each.given("ethertype"), _protocol(each.given("protocol")),
               each.given("portRangeMin"), each.given("portRangeMax"),
               each.given("remoteIpPrefix"), remote)  # fmt: skip
        m.pick(each, lambda i, g=group, k=key: i.about["group"] == g and (  # type: ignore[misc]
            i.about["direction"], i.about["ethertype"], _protocol(i.about["protocol"]),
            i.about["first_port"], i.about["last_port"], i.about["prefix"] or None,
            i.about["remote"] or None) == k)  # fmt: skip


def _protocol(name: str | None) -> str | None:
    return {"ipv6-icmp": "icmpv6", "icmp6": "icmpv6"}.get(name or "", name or None)


def _port(m: _Matcher, wanted: Sequence[Wanted]) -> None:
    """A port is that of its server; without a server the one with its name."""
    users = {s: w.urn for w in m.found.wanted for s in w.needs.get("networks", ())}
    for each in wanted:
        server = m.ident(users.get(each.urn, ""))
        name = each.given("name")
        m.pick(each, lambda i, s=server, n=name: (  # type: ignore[misc]
            i.about["device"] == s if s else i.name == n))  # fmt: skip


def _volume(m: _Matcher, wanted: Sequence[Wanted]) -> None:
    """By name, by the server that it hangs on, then in order."""
    attached = {}
    for w in m.found.wanted:
        if w.type == "openstack:compute/volumeAttach:VolumeAttach":
            attached[w.source("volumeId")] = m.ident(w.source("instanceId"))
    for each in wanted:
        m.pick(each, lambda i, each=each: i.name == each.given("name"))  # type: ignore[misc]
    for each in wanted:
        server = attached.get(each.urn)
        if each.urn not in m.of and server:
            m.pick(each, lambda i, s=server: s in i.about["servers"])  # type: ignore[misc]
    _named(m, [w for w in wanted if w.urn not in m.of])
    for each in wanted:
        if each.urn in m.of:
            m.differs(each, "size in GiB", m.of[each.urn].about["size"], each.given("size"))


def _attachment(m: _Matcher, wanted: Sequence[Wanted]) -> None:
    for each in wanted:
        server, volume = m.ident(each.source("instanceId")), m.of.get(each.source("volumeId"))
        if volume is not None and server in volume.about["servers"]:
            m.found.ids[each.urn] = f"{server}/{volume.id}"


def _container(m: _Matcher, wanted: Sequence[Wanted]) -> None:
    for each in wanted:
        m.pick(each, lambda i, each=each: i.name == each.given("name"))  # type: ignore[misc]


# in this order: each may lean on what was found before it
RULES: dict[str, Rule] = {
    PROJECT: _project,
    "openstack:identity/roleAssignment:RoleAssignment": _role,
    "openstack:compute/quotaSetV2:QuotaSetV2": _quota,
    "openstack:networking/quotaV2:QuotaV2": _quota,
    "openstack:blockstorage/quoteSetV3:QuoteSetV3": _quota,
    "openstack:networking/network:Network": _named,
    "openstack:networking/subnet:Subnet": _subnet,
    "openstack:networking/router:Router": _named,
    "openstack:networking/routerInterface:RouterInterface": _interface,
    "openstack:networking/secGroup:SecGroup": _named,
    "openstack:networking/secGroupRule:SecGroupRule": _rule,
    "openstack:compute/serverGroup:ServerGroup": _named,
    "openstack:compute/instance:Instance": _named,
    "openstack:networking/port:Port": _port,
    "openstack:blockstorage/volume:Volume": _volume,
    "openstack:compute/volumeAttach:VolumeAttach": _attachment,
    "openstack:objectstorage/container:Container": _container,
}


# ------------------------------------------------------------------------------ the files
@dataclass(frozen=True)
class Files:
    """What is written: the second one needs `provider`, which `targets` brings into the state."""

    first: dict[str, Any]
    second: dict[str, Any] | None
    targets: tuple[str, ...]


def files(found: Match) -> Files:
    """Return the import files of a match. Raises ImportingError when nothing was found."""
    if not found.ids:
        raise ImportingError("found nothing in the project that the program declares, expected "
                             "something to import")  # fmt: skip
    by_urn = {w.urn: w for w in found.wanted}
    components = [w for w in found.wanted if not w.custom and w.new]
    late = {
        w.provider for w in found.wanted
        if w.urn in found.ids and w.provider in by_urn and by_urn[w.provider].new
    }  # fmt: skip
    now = [w for w in found.wanted if w.urn in found.ids and w.provider not in late]
    then = [w for w in found.wanted if w.urn in found.ids and w.provider in late]
    # what a target depends on must be in the state or be a target too
    targets: dict[str, None] = {}
    if late:  # the provider knows its project by the name that the program gives it
        targets |= {w.urn: None for w, _ in found.differing if w.type == PROJECT}
    for urn in sorted(late):
        for needed in by_urn[urn].dependencies:
            if needed in by_urn and by_urn[needed].new and needed not in found.ids:
                targets[needed] = None
        targets[urn] = None
    second = _file(then, found.ids, late) if then else None
    return Files(_file([*components, *now], found.ids, set()), second, tuple(targets))


def _file(rows: Sequence[Wanted], ids: Mapping[str, str], providers: set[str]) -> dict[str, Any]:
    here = {w.urn for w in rows}
    table: dict[str, str] = {}

    def refer(urn: str) -> str:
        name = _unique(urn)
        if urn not in here:
            table[name] = urn
        return name

    resources = []
    for each in rows:
        entry: dict[str, Any] = {"type": each.type, "name": _unique(each.urn)}
        entry["logicalName"] = each.name
        if each.custom:
            entry["id"] = ids[each.urn]
            default = each.provider.rpartition("::")[2]
            if default.startswith("default"):
                if version := default.removeprefix("default").strip("_").replace("_", "."):
                    entry["version"] = version
            else:
                entry["provider"] = refer(each.provider)
        else:
            entry["component"] = True
        if each.parent and not each.parent.endswith(
            f"::{STACK}::{each.parent.rpartition('::')[2]}"
        ):
            entry["parent"] = refer(each.parent)
        resources.append(entry)
    return {"nameTable": table, "resources": resources}


def _unique(urn: str) -> str:
    """Return a name that no other resource of the stack has: kind and name."""
    kinds, _, name = urn.rpartition("::")
    kind = kinds.rpartition("::")[2].rpartition("$")[2]
    mine = kind.startswith("gaoling:")
    return f"{'component-' if mine else ''}{kind.rpartition(':')[2]}-{name}"
