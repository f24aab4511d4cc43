"""The fixture that declares a stack without an engine."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from pathlib import Path

import pulumi
import pytest

from infra.settings import Settings
from tests.infra.recorder import Recorder


@pytest.fixture
def declared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Recorder]]:
    """Return a function that declares a stack and returns what it registered."""
    failed = False

    def declare(settings: Settings, recorder: Recorder | None = None, preview: bool = False):
        from gaoling.cloud.access import write_access
        from infra import program

        source = tmp_path / "given.yaml"
        source.write_text("clouds: {primary: {auth: {}}, dr: {auth: {}}}")
        target = tmp_path / "clouds.yaml"
        write_access(source, target, ["primary", "dr"], set())
        monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(target))
        recorder = recorder or Recorder()
        monkeypatch.setattr(program, "projects", lambda cloud, path: recorder.projects)
        pulumi.runtime.set_mocks(recorder, project="gaoling", stack="unit", preview=preview)

        @pulumi.runtime.test
        def body() -> None:
            program.declare(settings)

        nonlocal failed
        failed = True
        body()
        failed = False
        assert recorder.resources, "nothing was registered: the declaration was not awaited"
        return recorder

    yield declare
    if failed:  # asyncio tells of a thousand futures that nobody awaited: now, not at the very end
        gc.collect()
