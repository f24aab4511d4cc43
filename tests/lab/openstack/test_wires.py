"""The plug between a region and its leaf, in namespaces of the test's own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
from types import SimpleNamespace

import pytest

from lab.openstack import wires

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="makes namespaces: needs root")


@pytest.fixture
def ends(monkeypatch):
    """Return the names of a region's and a leaf's namespace."""
    region, leaf = (f"gt-{end}-{os.getpid()}" for end in ("region", "leaf"))
    monkeypatch.setattr(wires, "region", lambda _: SimpleNamespace(namespace=region))
    for name in (region, leaf):
        subprocess.run(["ip", "netns", "add", name], check=True)
    subprocess.run(["ip", "-n", region, "link", "add", "br-ext", "type", "bridge"], check=True)
    yield region, leaf
    for name in (region, leaf):
        subprocess.run(["ip", "netns", "del", name], check=True)


def up_without_carrier(leaf, work):
    """Return how often an interface of `leaf` was up without carrier during `work`."""
    over = threading.Event()

    def zebra():
        while not over.is_set():
            words = ["ip", "-n", leaf, "link", "set", "x-dr", "up"]
            subprocess.run(words, capture_output=True, check=False)

    watch = ["ip", "-n", leaf, "monitor", "link"]
    with subprocess.Popen(watch, stdout=subprocess.PIPE, text=True) as monitor:
        thread = threading.Thread(target=zebra)
        thread.start()
        try:
            work()
        finally:
            over.set()
            thread.join()
            monitor.terminate()
        assert monitor.stdout
        said = monitor.stdout.read()
    assert "x-dr" in said
    flags = [set(words.split(",")) for words in re.findall(r"x-dr\S* <(.*?)>", said)]
    return sum("UP" in each and "LOWER_UP" not in each for each in flags)


def test_a_leaf_that_takes_its_end_up_at_once_has_carrier_at_once(ends):
    """zebra does, and does not try again the routes that the kernel refused without carrier."""
    region, leaf = ends
    assert up_without_carrier(leaf, lambda: wires.attach("dr", leaf, "x-dr")) == 0
    assert wires.links(region)["ext0"]["operstate"] == "UP"
    assert wires.links(leaf)["x-dr"]["operstate"] == "UP"
    assert "ext1" not in wires.links(region)


def test_a_second_time_changes_nothing(ends):
    region, leaf = ends
    wires.attach("dr", leaf, "x-dr")
    before = json.dumps([wires.links(region), wires.links(leaf)])
    wires.attach("dr", leaf, "x-dr")
    assert json.dumps([wires.links(region), wires.links(leaf)]) == before


def test_a_try_that_died_before_the_leaf_had_its_end_is_gone_on_with(ends):
    region, leaf = ends
    pair = ("type", "veth", "peer", "name", "ext1")
    subprocess.run(["ip", "-n", region, "link", "add", "ext0", *pair], check=True)
    wires.attach("dr", leaf, "x-dr")
    assert wires.links(leaf)["x-dr"]["operstate"] == "UP"
