"""Where the records of metering come from: a region's APIs, and the journal of samples.

The journal is a folder, one file a month: `<state>/metering/<city>/2026-11.jsonl`, appended to and
never rewritten. Each line names the hash of the one before: a line that was changed or taken out
is seen.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from gaoling.cloud.access import TAG
from gaoling.cloud.metering import Month, Project, Sample, Thing, Usage

FORM = 1  # of a journal's line
WORKERS = 8
PAGE = 500  # servers asked for at once
_MICROVERSION = "2.40"  # os-simple-tenant-usage in pages


class MeteringError(Exception):
    """A region could not be asked, or the journal not be used: the message says which and why."""


# ------------------------------------------------------------------------------ the journal
class Journal:
    """Samples of a city, kept. `warnings` says which lines could not be believed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.warnings: list[str] = []

    def append(self, samples: Sequence[Sample]) -> None:
        """Append samples, whole or not at all. Raises MeteringError."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for sample in samples:
                self._append(self.folder / f"{Month.at(sample.at)}.jsonl", sample)
        except OSError as error:
            raise MeteringError(
                f"{error.filename or self.folder}: {error.strerror}, expected a folder to keep "
                "samples in; set GAOLING_STATE"
            ) from None

    def _append(self, path: Path, sample: Sample) -> None:
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "rb+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            last = _last_line(file)
            line = json.dumps(as_json(sample, _digest(last)), ensure_ascii=False) + "\n"
            # a line that a killed run left unfinished is closed, not taken away
            file.write(b"\n" * (last != b"" and not last.endswith(b"\n")) + line.encode())

    def around(self, region: str, start: int, end: int) -> list[Sample]:
        """Return a region's samples in [start, end], and the nearest one on each side of it."""
        files = sorted(self.folder.glob("20??-??.jsonl")) if self.folder.is_dir() else []
        first, last = str(Month.at(start)), str(Month.at(end))
        inside: list[Sample] = []
        for path in files:
            if first <= path.stem <= last:
                inside += self._read(path, region)
        before = [s for s in inside if s.at < start]
        after = [s for s in inside if s.at > end]
        if not before:
            before = self._nearest([p for p in reversed(files) if p.stem < first], region, -1)
        if not after:
            after = self._nearest([p for p in files if p.stem > last], region, 0)
        found = [*before[-1:], *(s for s in inside if start <= s.at <= end), *after[:1]]
        return sorted(found, key=lambda s: s.at)

    def _nearest(self, files: Sequence[Path], region: str, place: int) -> list[Sample]:
        for path in files:
            if found := sorted(self._read(path, region), key=lambda s: s.at):
                return [found[place]]
        return []

    def _read(self, path: Path, region: str) -> list[Sample]:
        found, before = [], b""
        for number, line in enumerate(path.read_bytes().splitlines(keepends=True), 1):
            try:
                data = json.loads(line)
                sample = from_json(data)
            except (ValueError, KeyError, TypeError, AttributeError):
                self._warn(f"{path}:{number}: found a damaged line, expected a sample; left out")
                before = line
                continue
            if data["before"] != _digest(before):
                self._warn(f"{path}:{number}: found another hash of the line before, expected "
                           f"{_digest(before)[:12]}: the journal was changed")  # fmt: skip
            before = line
            if sample.region == region:
                found.append(sample)
        return found

    def _warn(self, text: str) -> None:
        if text not in self.warnings:
            self.warnings.append(text)


def _last_line(file: Any) -> bytes:
    size = file.seek(0, os.SEEK_END)
    step = 1 << 16
    while size:
        start = max(0, size - step)
        file.seek(start)
        tail: bytes = file.read(size - start)
        place = tail.rstrip(b"\n").rfind(b"\n")
        if place >= 0 or start == 0:
            return tail[place + 1 :]
        step *= 4
    return b""


def _digest(line: bytes) -> str:
    text = line.rstrip(b"\n")
    return hashlib.sha256(text).hexdigest() if text else ""


def as_json(sample: Sample, before: str) -> dict[str, Any]:
    """Return a journal's line."""
    return {
        "form": FORM,
        "at": sample.at,
        "region": sample.region,
        "projects": [[p.id, p.name, p.system, p.department] for p in sample.projects],
        "things": [[t.id, t.project, t.item, t.amount, t.created] for t in sample.things],
        "objects": dict(sample.objects),
        "missed": dict(sample.missed),
        "before": before,
    }


def from_json(data: Mapping[str, Any]) -> Sample:
    """Return the sample of a journal's line. Raises ValueError, KeyError or TypeError for another
    thing."""
    if data["form"] != FORM:
        raise ValueError(f"form {data['form']}")
    return Sample(
        int(data["at"]),
        str(data["region"]),
        tuple(Project(*map(str, p)) for p in data["projects"]),
        tuple(Thing(str(i), str(p), str(k), int(a), int(c)) for i, p, k, a, c in data["things"]),
        {str(p): int(n) for p, n in data["objects"].items()},
        {str(p): str(w) for p, w in data["missed"].items()},
    )


# ------------------------------------------------------------------------------ the cloud
def moment(text: str) -> int:
    """Return a time of an OpenStack API (UTC, whatever it ends with) in whole seconds since 1970.

    Raises ValueError.
    """
    found = dt.datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    if found.tzinfo is None:
        found = found.replace(tzinfo=dt.UTC)
    return int(found.timestamp())


def tagged(tags: Sequence[str], key: str) -> str:
    """Return the value of a tag `key=value`; "" without one."""
    return next((t.partition("=")[2] for t in tags if t.startswith(f"{key}=")), "")


def take(cloud: Any, region: str, now: int) -> Sample:
    """Return what a region has at this moment. Raises MeteringError."""
    try:
        return _take(cloud, region, now)
    except Exception as error:  # the SDK, keystoneauth and requests each have their own
        raise _failed(region, error) from None


def _failed(region: str, error: Exception) -> MeteringError:
    text = f"{type(error).__name__}: {error}".splitlines()[0]
    return MeteringError(f"{region}: {text[:200]}; no bill without it")


def _take(cloud: Any, region: str, now: int) -> Sample:
    projects, ours = [], []
    for each in cloud.identity.projects():
        tags = list(each.tags or ())
        projects.append(
            Project(each.id, each.name, tagged(tags, "system"), tagged(tags, "department"))
        )
        if TAG in tags:
            ours.append((each.id, each.name))
    things = [
        Thing(v.id, v.project_id or "", f"volume/{v.volume_type or ''}", int(v.size),
              moment(v.created_at))
        for v in cloud.block_storage.volumes(details=True, all_projects=True)
    ]  # fmt: skip
    things += [
        Thing(ip.id, ip.project_id or "", "floating_ip", 1, moment(ip.created_at))
        for ip in cloud.network.ips()
    ]
    objects: dict[str, int] = {}
    missed: dict[str, str] = {}
    with ThreadPoolExecutor(WORKERS) as pool:
        for (project, _), found in zip(
            ours, pool.map(lambda each: _bytes(cloud, *each), ours), strict=True
        ):
            if isinstance(found, int):
                objects[project] = found
            else:
                missed[project] = found
    return Sample(now, region, tuple(projects), tuple(things), objects, missed)


def _bytes(cloud: Any, project: str, name: str) -> int | str:
    """Return the bytes of a project's containers, or why they could not be asked for."""
    try:
        answer = cloud.connect_as_project({"id": project, "name": name}).object_store.head("/")
    except Exception as error:
        return f"{type(error).__name__}: {error}".splitlines()[0][:200]
    if answer.status_code == 404:
        return 0  # no account: it never stored anything
    if answer.status_code >= 300:
        return f"object store: HTTP {answer.status_code}"
    return int(answer.headers.get("X-Account-Bytes-Used", 0))


def servers(cloud: Any, region: str, start: int, end: int) -> list[Usage]:
    """Return what Nova says of servers between two times; deleted ones count while they lived.

    Raises MeteringError.
    """
    found: list[Usage] = []
    form = "%Y-%m-%dT%H:%M:%S"
    params: dict[str, Any] = {
        "detailed": 1,
        "limit": PAGE,
        "start": dt.datetime.fromtimestamp(start, dt.UTC).strftime(form),
        "end": dt.datetime.fromtimestamp(end, dt.UTC).strftime(form),
    }
    try:
        while True:
            answer = cloud.compute.get(
                "/os-simple-tenant-usage", params=params, microversion=_MICROVERSION
            )
            if answer.status_code >= 300:
                raise MeteringError(
                    f"{region}: os-simple-tenant-usage: HTTP {answer.status_code}; no bill without "
                    "it (it takes an administrator)"
                )
            page = answer.json()
            for tenant in page["tenant_usages"]:
                for each in tenant["server_usages"]:
                    found += _server(region, each, start, end)
            marker = _next(page)
            if not marker or marker == params.get("marker"):
                return found
            params["marker"] = marker
    except MeteringError:
        raise
    except Exception as error:
        raise _failed(region, error) from None


def _next(page: Mapping[str, Any]) -> str:
    """Return the marker of the page that follows; "" when there is none."""
    for link in page.get("tenant_usages_links") or ():
        if link["rel"] == "next":
            return str(parse_qs(urlsplit(link["href"]).query)["marker"][0])
    return ""


def _server(region: str, about: Mapping[str, Any], start: int, end: int) -> list[Usage]:
    if not about["started_at"]:
        return []  # it never ran
    first = max(moment(about["started_at"]), start)
    last = min(moment(about["ended_at"]), end) if about["ended_at"] else end
    amounts = {"vcpu": about["vcpus"], "memory": about["memory_mb"], "disk": about["local_gb"]}
    return [
        Usage(region, about["tenant_id"], item, about["instance_id"], int(amount), first, last)
        for item, amount in amounts.items()
        if first < last and amount
    ]
