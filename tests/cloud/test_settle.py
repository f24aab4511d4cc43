"""What a run that was cut off left open: found in the cloud and taken in, or left to be made."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from gaoling.cloud import faults, locks, states
from gaoling.cloud.events import Progress
from gaoling.cloud.settle import SETTLE_SECONDS, UNKNOWN, Marks, Unsettled, failed, pending, settle

STACK = "urn:pulumi:s::gaoling::"
PROVIDER = f"{STACK}gaoling:cloud:LandingZone$pulumi:providers:openstack::health"
NETWORK = f"{STACK}gaoling:cloud:LandingZone$openstack:networking/network:Network::health"
ZONE = f"{STACK}gaoling:cloud:LandingZone::health"


def create(urn=NETWORK, kind="openstack:networking/network:Network", **inputs):
    return {
        "urn": urn, "type": kind, "custom": True, "parent": ZONE, "provider": f"{PROVIDER}::p1",
        "inputs": {"name": "health", "__defaults": [], **inputs},
    }  # fmt: skip


def deployment(*more, **inside):
    provider = {
        "urn": PROVIDER, "type": "pulumi:providers:openstack", "id": "p1", "custom": True,
        "inputs": {"cloud": "primary:lab-health"},
    }  # fmt: skip
    zone = {"urn": ZONE, "type": "gaoling:cloud:LandingZone", "inputs": {}}
    return {"version": 3, "deployment": {"resources": [zone, provider, *more], **inside}}


def cloud(*ids, servers=()):
    """Return a connection that has these networks; asked for another entry it fails."""

    def get(entry):
        assert entry == "primary:lab-health"
        rows = [SimpleNamespace(id=i) for i in ids]
        return SimpleNamespace(
            current_project_id="x",
            network=SimpleNamespace(networks=lambda **_: iter(rows)),
            compute=SimpleNamespace(servers=lambda **_: iter(servers)),
        )

    return get


def test_what_is_there_is_taken_into_the_state_with_its_arguments():
    held = deployment(pending_operations=[{"type": "creating", "resource": create()}])
    result = settle(held, pending(held), cloud("n1"))
    assert result.adopted == [(NETWORK, "n1")]
    inside = held["deployment"]
    assert "pending_operations" not in inside
    assert inside["resources"][-1] == {
        "urn": NETWORK, "type": "openstack:networking/network:Network", "custom": True,
        "id": "n1", "parent": ZONE, "provider": f"{PROVIDER}::p1",
        "inputs": {"name": "health", "__defaults": []}, "outputs": {"name": "health"},
    }  # fmt: skip


def test_what_is_not_there_is_left_to_be_made():
    held = deployment(pending_operations=[{"type": "creating", "resource": create()}])
    result = settle(held, pending(held), cloud())
    assert (result.adopted, result.absent) == ([], [NETWORK])
    assert len(held["deployment"]["resources"]) == 2


def test_the_cloud_that_may_still_be_at_work_is_waited_for_once_and_not_for_each(monkeypatch):
    """All that was under way had one sender, and it is dead."""
    now = [1000.0]
    clock = SimpleNamespace(
        monotonic=lambda: now[0], sleep=lambda s: now.__setitem__(0, now[0] + s)
    )
    monkeypatch.setattr("gaoling.cloud.settle.time", clock)
    many = [create(urn=f"{NETWORK}-{n}") for n in range(7)]
    assert len(settle(deployment(), many, cloud(), young=True).absent) == 7
    assert now[0] - 1000.0 == SETTLE_SECONDS
    now[0] = 1000.0
    assert len(settle(deployment(), many, cloud(), young=False).absent) == 7
    assert now[0] == 1000.0


def test_what_is_in_the_state_already_is_not_taken_twice():
    other = {"urn": NETWORK + "-2", "type": "x", "id": "n1"}
    held = deployment(other)
    assert settle(held, [create()], cloud("n1")).absent == [NETWORK]


def test_two_of_the_name_are_refused_by_their_ids():
    held = deployment()
    before = json.dumps(held)
    with pytest.raises(Unsettled, match=r"Network::health: .* the cloud has 2 .*: n1, n2; remove"):
        settle(held, [create()], cloud("n1", "n2"))
    assert json.dumps(held) == before


def test_a_kind_that_nobody_can_look_up_is_refused_by_its_name():
    odd = create(kind="openstack:database/instance:Instance")
    with pytest.raises(Unsettled, match="database/instance:Instance is not known here"):
        settle(deployment(), [odd], cloud())


def test_what_is_there_once_however_often_it_is_asked_for_is_not_looked_up():
    quota = create(kind="openstack:compute/quotaSetV2:QuotaSetV2")
    result = settle(deployment(), [quota], cloud())
    assert not result.adopted
    assert not result.absent


def test_a_credential_whose_secret_was_lost_goes_since_its_name_is_taken():
    gone = []
    kind = "openstack:identity/applicationCredential:ApplicationCredential"
    one = SimpleNamespace(id="c1", name="health", project_id="x")
    identity = SimpleNamespace(
        application_credentials=lambda user: iter([one]),
        delete_application_credential=lambda user, found: gone.append((user, found)),
    )
    api = SimpleNamespace(current_project_id="x", current_user_id="u", identity=identity)
    result = settle(deployment(), [create(kind=kind)], lambda _: api)
    assert (result.removed, result.adopted) == ([(NETWORK, "c1")], [])
    assert gone == [("u", "c1")]


def test_every_kind_that_the_program_declares_can_be_settled():
    """A kind that is added to the components has to be added to the finders too."""
    import re

    from gaoling.cloud.finders import FINDERS, IDEMPOTENT

    known = {kind.rpartition(":")[2] for kind in (*FINDERS, *IDEMPOTENT)}
    root = Path(__file__).resolve().parents[2] / "infra"
    declared = set()
    for path in root.rglob("*.py"):
        declared |= set(re.findall(r"openstack\.[a-z]+\.([A-Z]\w+)\(", path.read_text()))
    assert len(declared) > 20
    assert declared - known == set()


def test_what_hangs_on_something_unknown_waits_for_it():
    assert settle(deployment(), [create(tenantId=UNKNOWN)], cloud("n1")).waiting == [NETWORK]


def test_a_replacement_that_was_made_lets_the_next_run_remove_the_old_one():
    old = {**create(description="old"), "id": "n0"}
    held = deployment(old)
    settle(held, [create(description="new")], cloud("n0", "n1"))
    found = [(r["id"], r.get("delete")) for r in held["deployment"]["resources"][2:]]
    assert found == [("n0", True), ("n1", None)]


def test_a_broken_server_is_taken_in_to_be_made_anew():
    kind = "openstack:compute/instance:Instance"
    held = deployment()
    broken = SimpleNamespace(id="s1", name="health", status="ERROR")
    settle(held, [create(kind=kind)], cloud(servers=[broken]))
    assert held["deployment"]["resources"][-1]["taint"] is True


def test_a_lost_parent_and_its_provider_are_put_back_with_what_they_hold():
    held = {"version": 3, "deployment": {"resources": []}}
    frames = [
        {"urn": ZONE, "type": "gaoling:cloud:LandingZone", "inputs": {}},
        {"urn": PROVIDER, "type": "pulumi:providers:openstack", "custom": True, "parent": ZONE,
         "inputs": {"cloud": "primary:lab-health"}},
    ]  # fmt: skip
    settle(held, [create()], cloud("n1"), components=frames)
    zone, provider, network = held["deployment"]["resources"]
    assert [zone["urn"], provider["urn"], network["urn"]] == [ZONE, PROVIDER, NETWORK]
    assert network["provider"] == f"{PROVIDER}::{provider['id']}"


# -- what a run leaves behind


def step(op="create", done="", urn=NETWORK):
    about = {"op": op, "urn": urn, "type": "openstack:networking/network:Network", "new": create()}
    begin = {"resourcePreEvent": {"metadata": about}}
    end = {"made": {"resOutputsEvent": {"metadata": about}},
           "failed": {"resOpFailedEvent": {"metadata": about}}}  # fmt: skip
    return [begin, *([end[done]] if done else [])]


@pytest.mark.parametrize(("done", "open_"), [("", 1), ("failed", 1), ("made", 0)])
def test_a_create_that_failed_or_never_ended_stays_open(tmp_path: Path, done, open_):
    events = tmp_path / "e.jsonl"
    events.write_text("".join(json.dumps(e) + "\n" for e in step(done=done)))
    marks = Marks(tmp_path / "m" / "s.json")
    marks.begun(events)
    assert [c["urn"] for c in failed(Marks.read(marks.path))] == [NETWORK] * open_
    progress = Progress()
    for event in step(done=done):
        progress.take(event)
    marks.ended(events, progress)
    assert bool(Marks.read(marks.path)) == bool(open_)


def test_what_hung_on_a_server_that_is_gone_is_not_there():
    """Nova answers 404 to the question itself: that is an answer."""
    from openstack.exceptions import NotFoundException

    from gaoling.cloud.finders import FINDERS

    class Compute:
        def volume_attachments(self, server):
            raise NotFoundException(f"Instance {server} could not be found.")

    look = FINDERS["openstack:compute/volumeAttach:VolumeAttach"]
    cloud = SimpleNamespace(compute=Compute())
    assert list(look(cloud, {"instanceId": "gone", "volumeId": "v"})) == []


def test_a_preview_that_finds_other_outputs_is_not_idle():
    kind = "pulumi:pulumi:Stack"
    about = {"op": "same", "urn": "u", "type": kind, "old": {"outputs": {"a": 1}}}
    for after, still in (({"a": 1}, True), ({"a": 2}, False)):
        progress = Progress()
        progress.take({"resOutputsEvent": {"metadata": {**about, "new": {"outputs": after}}}})
        assert progress.still is still


# -- one line: what failed where


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (
            "sdk-v2/provider2.go:572: sdk.helper_schema: Error creating network: "
            "Expected HTTP response code [201 202] when accessing [POST http://h:9696/v2.0/networks]"
            ', but got 409 instead\n{"NeutronError": {"type": "OverQuota", "message": "Quota '
            "exceeded for resources: ['network'].\", \"detail\": \"\"}}: provider=openstack@5.5.0",
            "create Network health: POST http://h:9696/v2.0/networks answered 409: "
            "Quota exceeded for resources: ['network'].",
        ),
        (
            'Error creating openstack_networking_network_v2: Post "http://h:9696/v2.0/networks": '
            "OpenStack connection error, retries exhausted. Aborting. Last error was: "
            "dial tcp 127.0.0.1:9696: connect: connection refused",
            "create Network health: POST http://h:9696/v2.0/networks was not answered: "
            "dial tcp 127.0.0.1:9696: connect: connection refused",
        ),
        (
            "1 error occurred:\n\t* Error creating openstack_networking_network_v2: "
            "Internal Server Error\n\n",
            "create Network health: the networking service answered 500: Internal Server Error",
        ),
        (
            "Error creating openstack_networking_port_v2: Gateway Timeout: "
            "provider=openstack@5.5.3",
            "create Network health: the networking service answered 504: Gateway Timeout",
        ),
        (
            'Bad request with: [POST http://h:9696/v2.0/x], error message: {"NeutronError": '
            '{"message": "no such pool"}}',
            "create Network health: POST http://h:9696/v2.0/x answered 400: no such pool",
        ),
        ("update failed", ""),
        ("1 error occurred:\n\t* something else\n\n", "create Network health: something else"),
    ],
)  # fmt: skip
def test_a_fault_is_one_line(message, line):
    assert faults.fault(message, NETWORK, "create") == line


# -- state files and their copies


def state(tmp_path, text, name="s"):
    path = states.file_of(tmp_path, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def whole(at, n):
    latest = {"manifest": {"time": at}, "resources": [{}] * n}
    return json.dumps({"version": 3, "checkpoint": {"latest": latest}})


def test_a_truncated_state_is_refused_by_name_with_the_way_back(tmp_path):
    path = state(tmp_path, whole("2026-01-02T00:00:00Z", 7))
    good = tmp_path / "good"
    states.keep(tmp_path, "s", good)
    path.write_text(path.read_text()[:50])
    with pytest.raises(states.StateError) as error:
        states.check(tmp_path, "s", good)
    assert str(error.value) == (
        f"{path}: found 50 bytes that are not a whole state (Unterminated string starting at: "
        f"line 1 column 42 (char 41)), expected the JSON of s; nothing was changed; the newest "
        f"whole copy is {good}/s.json of 2026-01-02T00:00:00Z (7 resources); to go back to it: "
        "gaoling cloud restore --stack s"
    )


def test_a_broken_state_is_never_kept_over_a_good_one(tmp_path):
    path = state(tmp_path, whole("2026-01-02T00:00:00Z", 7))
    states.keep(tmp_path, "s", tmp_path / "good")
    path.write_text("{")
    states.keep(tmp_path, "s", tmp_path / "good")
    assert states.read_copy(tmp_path / "good/s.json").resources == 7


def test_the_newest_whole_copy_goes_back_and_the_broken_file_is_kept(tmp_path):
    path = state(tmp_path, whole("2026-01-02T00:00:00Z", 7))
    states.keep(tmp_path, "s", tmp_path / "good")
    path.with_name("s.json.bak").write_text(whole("2026-01-03T00:00:00Z", 9))
    path.write_text("{")
    copy, aside = states.restore(tmp_path, "s", tmp_path / "good")
    assert (copy.resources, states.read_copy(path).resources) == (9, 9)
    assert aside
    assert aside.read_text() == "{"
    with pytest.raises(states.StateError, match="is whole"):
        states.restore(tmp_path, "s", tmp_path / "good")


def test_without_a_copy_nothing_is_put_back(tmp_path):
    path = state(tmp_path, "")
    with pytest.raises(states.StateError, match="there is no whole copy"):
        states.restore(tmp_path, "s", tmp_path / "good")
    assert path.read_text() == ""


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ftp://h/x", "B: found ftp, expected one of file://, s3://, postgres://"),
        ("postgres://u:kennwort@h/db", "B: found a password in the URL, expected none"),
    ],
)
def test_a_backend_that_cannot_be_used_is_refused(url, message):
    with pytest.raises(states.StateError, match=message) as error:
        states.checked_url(url, "B")
    assert "kennwort" not in str(error.value)


def test_locks_of_backends_without_files_are_judged_by_what_the_cli_says():
    said = (
        "the stack is currently locked by 1 lock(s). Either wait\n"
        "  postgres://x: created by ops@another (pid 7) at 2026-01-01T00:00:00Z"
    )
    with pytest.raises(locks.Locked, match=r"s: locked by ops@another \(process 7\) since 2026"):
        locks.judge("s", said)
    import socket

    assert locks.judge("s", said.replace("another", socket.gethostname()).replace("7)", "4194999)"))
    assert not locks.judge("s", "something else")
