"""What a run that was cut off left open: creates of which nobody knows whether they were done.

A run may be killed while the cloud makes something, or the answer of a service may be lost after
the work was done. The state knows nothing of it then, and the next run would make it twice. So each
such create is looked up in the cloud: what is there is taken into the state, what is not is made by
the next run. Nothing is deleted here but a credential whose only secret went with the answer.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gaoling.cloud.events import EventLog, Progress
from gaoling.cloud.finders import BROKEN, FINDERS, IDEMPOTENT, UNREADY, VAIN, Found

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"  # the engine's mark for what is not known yet
SECRET = "[secret]"  # noqa: S105 (what the engine writes in place of one)
SETTLE_SECONDS = 10.0  # a request under way when its sender died is done or refused by then
READY_SECONDS = 90.0
PAUSE = 2.0
Resource = dict[str, Any]


class Unsettled(Exception):
    """A create that was cut off and cannot be settled: says which, and what a person can do."""


@dataclass
class Marks:
    """What the next run of a stack has to look at first; kept in a file beside the logs.

    `events` are the event logs of runs that did not end well, `everything` says that the state is
    an old copy, `adopted` are resources that still have to be read from the cloud.
    """

    path: Path
    events: list[str] = field(default_factory=list)
    everything: bool = False
    adopted: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> Marks:
        if not path.exists():
            return cls(path)
        return cls(path, **json.loads(path.read_text()))

    def write(self) -> None:
        if not self:
            self.path.unlink(missing_ok=True)
            return
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = self.path.with_suffix(".new")
        fresh.write_text(
            json.dumps(
                {"events": self.events, "everything": self.everything, "adopted": self.adopted}
            )
        )
        fresh.replace(self.path)

    def __bool__(self) -> bool:
        return bool(self.events or self.everything or self.adopted)

    def begun(self, events: Path) -> None:
        self.events.append(str(events))
        self.write()

    def ended(self, events: Path, progress: Progress) -> None:
        """Forget a run that ended by itself and left no create open."""
        if not progress.lost:
            self.events.remove(str(events))
            self.write()


def pending(deployment: Mapping[str, Any]) -> list[Resource]:
    """Return the creates that a killed run left open in an exported deployment."""
    held = deployment["deployment"].get("pending_operations") or []
    return [o["resource"] for o in held if o["type"] == "creating" and o["resource"].get("custom")]


def failed(marks: Marks) -> list[Resource]:
    """Return the creates that runs reported as failed, or began and never ended."""
    found: dict[str, Resource] = {}
    for name in marks.events:
        progress = Progress()
        for event in EventLog(Path(name)).new():
            progress.take(event)
        found.update(progress.lost)
    return list(found.values())


@dataclass
class Settled:
    """What became of the creates of a stack: taken into the state, or to be made by the run."""

    adopted: list[tuple[str, str]] = field(default_factory=list)  # URN, id
    absent: list[str] = field(default_factory=list)
    removed: list[tuple[str, str]] = field(default_factory=list)  # its only secret was lost
    waiting: list[str] = field(default_factory=list)  # what they hang on is not known yet


def settle(
    deployment: dict[str, Any],
    creates: Iterable[Resource],
    connection: Callable[[str], Any],
    young: bool = False,
    components: Iterable[Resource] = (),
) -> Settled:
    """Look for each of `creates` in the cloud and write what is there into `deployment`.

    `connection` gives a connection for an entry of clouds.yaml; `young` says that the cloud may
    still be at work; `components` are parents and providers that the state may lack. Raises
    Unsettled when a kind is unknown or when more than one answers the description; nothing is
    written then.
    """
    result = Settled()
    inside = deployment["deployment"]
    resources: list[Resource] = inside.get("resources") or []
    held = {r["urn"]: r for r in resources if not r.get("delete")}
    ids = {r["id"] for r in resources if r.get("id")}
    frames = {r["urn"]: r for r in components}
    added: list[Resource] = []
    # all requests under way had the same sender, which is dead: one wait does for all of them
    patient = time.monotonic() + (SETTLE_SECONDS if young else 0.0)
    for create in creates:
        urn, kind = create["urn"], create["type"]
        if urn in held and held[urn].get("inputs") == create.get("inputs"):
            continue  # a later run has made it; with other arguments it is a replacement
        if not kind.startswith("openstack:") or kind in IDEMPOTENT:
            continue
        if _holds(create.get("inputs") or {}, UNKNOWN):
            result.waiting.append(urn)
            continue
        found = _look(create, entry_of(create, held, frames), connection, ids, patient)
        if found is None:
            result.absent.append(urn)
            continue
        if kind in VAIN:
            VAIN[kind](connection(entry_of(create, held, frames)), found[0])
            result.removed.append((urn, found[0]))
            continue
        for one in (*_frames(create, held, frames), _resource(create, *found)):
            held[one["urn"]] = one
            added.append(one)
        ids.add(found[0])
        result.adopted.append((urn, found[0]))
    for one in added:
        for old in resources:  # a replacement: the engine removes the old one at the next run
            if old["urn"] == one["urn"]:
                old["delete"] = True
    inside["resources"] = [*resources, *added]
    inside.pop("pending_operations", None)
    return result


def _look(
    create: Resource,
    entry: str,
    connection: Callable[[str], Any],
    ids: Collection[str],
    patient: float,
) -> Found | None:
    """Return what a create has made; `patient` is when (monotonic, s) nothing more can appear."""
    urn, kind = create["urn"], create["type"]
    finder = FINDERS.get(kind)
    if finder is None:
        raise Unsettled(
            f"{urn}: a run was cut off while it was made, and how to look up a {kind} is not "
            "known here; look whether it is there, then `pulumi refresh` with "
            "--import-pending-creates or --clear-pending-creates"
        )
    if _holds(create["inputs"], SECRET):
        raise Unsettled(
            f"{urn}: a run was cut off while it was made, and its arguments hold a secret; "
            "look whether it is there, and remove it or `pulumi import` it"
        )
    from keystoneauth1.exceptions import Unauthorized

    cloud = connection(entry)
    ready = time.monotonic() + READY_SECONDS
    while True:
        try:
            found = [one for one in finder(cloud, create["inputs"]) if one[0] not in ids]
        except Unauthorized:  # we are known to the cloud: there is no such project yet
            return None
        now = time.monotonic()
        if len(found) == 1 and found[0][1] in UNREADY and now < ready:
            time.sleep(PAUSE)
        elif found or now >= patient:
            break
        else:
            time.sleep(PAUSE)
    if len(found) > 1:
        listed = ", ".join(one[0] for one in found)
        raise Unsettled(
            f"{urn}: a run was cut off while it was made, and the cloud has {len(found)} that it "
            f"could be: {listed}; remove those that are not wanted, then run again"
        )
    return found[0] if found else None


def entry_of(create: Resource, held: Mapping[str, Resource], frames: Mapping[str, Resource]) -> str:
    """Return the entry of clouds.yaml that a resource's provider speaks to."""
    urn = create.get("provider", "").rpartition("::")[0]
    provider = held.get(urn) or frames.get(urn)
    cloud = ((provider or {}).get("inputs") or {}).get("cloud")
    if not cloud:
        raise Unsettled(f"{create['urn']}: its provider {urn} names no entry of clouds.yaml")
    return str(cloud)


def _frames(
    create: Resource, held: Mapping[str, Resource], frames: Mapping[str, Resource]
) -> list[Resource]:
    """Return the components and the provider that a resource needs and the state lacks."""
    found: dict[str, Resource] = {}

    def need(urn: str) -> None:
        if not urn or urn in held or urn in found or urn not in frames:
            return
        frame = frames[urn]
        need(frame.get("parent", ""))
        made: Resource = {
            "urn": urn,
            "type": frame["type"],
            "custom": bool(frame.get("custom")),
            "inputs": frame.get("inputs") or {},
            "outputs": frame.get("inputs") or {},
            "parent": frame.get("parent", ""),
        }
        if made["custom"]:
            made["id"] = str(uuid.uuid4())
        found[urn] = made

    urn = create.get("provider", "").rpartition("::")[0]
    need(create.get("parent", ""))
    need(urn)
    if urn in found:
        create["provider"] = f"{urn}::{found[urn]['id']}"
    elif urn in held:
        create["provider"] = f"{urn}::{held[urn]['id']}"
    return list(found.values())


def _resource(create: Resource, identity: str, status: str) -> Resource:
    """Return the entry of the state; the rest is read from the cloud afterwards."""
    kept = ("urn", "type", "inputs", "parent", "provider", "protect", "dependencies",
            "propertyDependencies", "sourcePosition", "customTimeouts")  # fmt: skip
    made = {name: create[name] for name in kept if create.get(name)}
    inputs = create["inputs"]
    outputs = {k: v for k, v in inputs.items() if not k.startswith("__")}
    made |= {"custom": True, "id": identity, "inputs": inputs, "outputs": outputs}
    if status in BROKEN:
        made["taint"] = True  # the next run replaces it
    return made


def _holds(value: Any, mark: str) -> bool:
    if isinstance(value, dict):
        return any(_holds(v, mark) for v in value.values())
    if isinstance(value, list):
        return any(_holds(v, mark) for v in value)
    return bool(value == mark)
