"""The programs that Pulumi needs: found where installed, built from tools/pulumi elsewhere.

    python -m gaoling.cloud.toolchain ensure [--rebuild]   build what is missing
    python -m gaoling.cloud.toolchain path                 print the folder to put on PATH
    python -m gaoling.cloud.toolchain check [--json]       say what is used, verify what was built

An official install is used as it is and never shadowed. Exit codes: 0 all there, 1 not (the reason
is on standard error), 2 wrong arguments, 130 interrupted. Standard library only: it runs first.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TextIO

SOURCES = Path(__file__).resolve().parents[2] / "tools" / "pulumi"
MANIFEST = "manifest.json"
MADE_BY = "gaoling.cloud.toolchain"
LAYOUT = "1"  # raised when what a build folder holds changes without its sources
ENSURE = "python -m gaoling.cloud.toolchain ensure"

Part = Literal["cli", "language", "provider"]
PARTS: tuple[Part, ...] = ("cli", "language", "provider")
FILES: dict[Part, str] = {
    "cli": "pulumi",
    "language": "pulumi-language-python",
    "provider": "pulumi-resource-openstack",
}


class ToolchainError(RuntimeError):
    """What was found, what was expected and how to mend it."""


@dataclass(frozen=True)
class Tool:
    """One program, and whether it was installed by someone else or built by us."""

    part: Part
    source: Literal["installed", "built"]
    path: Path


# -- what is wanted


def provider_version() -> str:
    """Return the provider's version: that of the pulumi-openstack SDK, which asks for no other."""
    return (SOURCES / "provider" / "openstack" / "version.txt").read_text().strip()


def cache_root(env: Mapping[str, str] = os.environ) -> Path:
    """Return where builds are kept: GAOLING_PULUMI_CACHE, else the XDG cache folder."""
    if explicit := env.get("GAOLING_PULUMI_CACHE"):
        return Path(explicit)
    base = env.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "gaoling" / "pulumi"


def build_key(parts: Sequence[Part]) -> str:
    """Return the name of the build that holds these parts.

    It hashes their sources (go.mod names the Go version) and the platform, not the Go that is
    installed: whoever uses the build may have none.
    """
    digest = hashlib.sha256()
    head = [LAYOUT, platform.system(), platform.machine(), *sorted(parts)]
    digest.update("\n".join(head).encode())
    for path in sorted(SOURCES.rglob("*")):
        if path.is_file() and path.suffix not in {".md", ".pyc"}:
            name = path.relative_to(SOURCES).as_posix()
            digest.update(f"\n{name} {_sha256(path)}".encode())
    return digest.hexdigest()[:16]


# -- what is there


def installed(env: Mapping[str, str] = os.environ) -> dict[Part, Path]:
    """Return the programs that someone else installed: on PATH, or as a Pulumi plugin."""
    path = os.pathsep.join(
        folder
        for folder in env.get("PATH", os.defpath).split(os.pathsep)
        if folder and not _is_ours(Path(folder))
    )
    found: dict[Part, Path] = {}
    for part in PARTS:
        if where := shutil.which(FILES[part], path=path):
            found[part] = Path(where)
    if "cli" in found and "language" not in found:
        # Pulumi looks beside its own binary too, through symbolic links.
        beside = found["cli"].resolve().parent / FILES["language"]
        if os.access(beside, os.X_OK):
            found["language"] = beside
    if "provider" not in found:
        home = Path(env.get("PULUMI_HOME") or Path.home() / ".pulumi")
        plugin = home / "plugins" / _plugin_folder() / FILES["provider"]
        if os.access(plugin, os.X_OK) and not _is_ours(plugin.resolve().parent):
            found["provider"] = plugin
    return found


def _plugin_folder() -> str:
    return f"resource-openstack-v{provider_version()}"


def _is_ours(folder: Path) -> bool:
    """Say whether a folder belongs to a build of ours: `gaoling lab env` puts it on PATH."""
    for place in list(folder.resolve().parents)[:2]:
        try:
            if json.loads((place / MANIFEST).read_text()).get("made_by") == MADE_BY:
                return True
        except (OSError, ValueError, AttributeError):
            continue
    return False


def _layout(part: Part) -> tuple[str, ...]:
    """Return the files of a part, the program first.

    The language host stands beside `pulumi`, where Pulumi expects it; the provider is laid out as
    an installed plugin: on PATH Pulumi would warn at every run.
    """
    if part == "provider":
        return (f"plugins/{_plugin_folder()}/{FILES[part]}",)
    if part == "language":
        return (f"bin/{FILES[part]}", "bin/pulumi_language_host.py")
    return (f"bin/{FILES[part]}",)


def tools(env: Mapping[str, str] = os.environ) -> tuple[Tool, ...]:
    """Return every program, those that were built after comparing them with their manifest.

    Raises ToolchainError when one is missing or was changed.
    """
    there = installed(env)
    missing = _missing(there)
    build = cache_root(env) / build_key(missing)
    if missing:
        verify(build)
    return tuple(
        Tool(part, "installed", there[part])
        if part in there
        else Tool(part, "built", build / _layout(part)[0])
        for part in PARTS
    )


def _missing(there: Mapping[Part, Path]) -> list[Part]:
    return [part for part in PARTS if part not in there]


def verify(build: Path) -> None:
    """Raise ToolchainError unless every file of a build is the one that its manifest names."""
    manifest = build / MANIFEST
    if not manifest.exists():
        raise ToolchainError(f"{build}: not built; expected a finished build. Mend: {ENSURE}")
    mend = f"Mend: {ENSURE} --rebuild"
    try:
        files: dict[str, str] = json.loads(manifest.read_text())["files"]
    except (ValueError, KeyError, TypeError) as error:
        raise ToolchainError(f"{manifest}: cannot be read ({error!r}). {mend}") from error
    for name, expected in files.items():
        path = build / name
        if not path.is_file():
            raise ToolchainError(f"{path}: missing, expected a file of sha256 {expected}. {mend}")
        if (found := _sha256(path)) != expected:
            raise ToolchainError(
                f"{path}: sha256 is {found}, expected {expected}: "
                f"it was changed after it was built. {mend}"
            )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def environment(state_dir: Path) -> dict[str, str]:
    """Return the variables that a Pulumi run needs from the toolchain.

    The backend, the passphrase and the cloud's credentials are the caller's. Where the provider
    was built, PULUMI_HOME becomes a folder of the caller's own under `state_dir`, made here: Pulumi
    writes into it, and a shared build must stay as it is. Raises as `tools` does.
    """
    found = {tool.part: tool for tool in tools()}
    variables = {
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }
    folders = [
        str(found[part].path.parent)
        for part in ("cli", "language")
        if found[part].source == "built"
    ]
    if folders:
        old = os.environ.get("PATH", os.defpath).split(os.pathsep)
        kept = [folder for folder in old if folder not in folders]
        variables["PATH"] = os.pathsep.join([*dict.fromkeys(folders), *kept])
    if found["language"].source == "built":
        variables["GAOLING_PULUMI_PYTHON"] = sys.executable
    if found["provider"].source == "built":
        home = state_dir / "pulumi-home"
        _link_plugin(home, found["provider"].path)
        variables["PULUMI_HOME"] = str(home)
    return variables


def _link_plugin(home: Path, program: Path) -> None:
    """Make `home` a PULUMI_HOME that holds the provider. A link will do, but not for its folder."""
    link = home / "plugins" / program.parent.name / program.name
    if link.is_symlink() and link.readlink() == program:
        return
    home.mkdir(mode=0o700, parents=True, exist_ok=True)  # credentials.json is written into it
    link.parent.mkdir(parents=True, exist_ok=True)
    fresh = link.with_name(f".{link.name}.{os.getpid()}")
    fresh.symlink_to(program)
    fresh.replace(link)


# -- building


def ensure(rebuild: bool = False, out: TextIO = sys.stderr) -> tuple[Tool, ...]:
    """Build what is missing and return every program; say on `out` what is done.

    Raises ToolchainError when a build fails, or when one that exists was changed and `rebuild` is
    not asked for.
    """
    there = installed()
    for part, path in there.items():
        print(f"{FILES[part]}: installed, {path}", file=out)
    if missing := _missing(there):
        build = cache_root() / build_key(missing)
        if rebuild or not build.exists():
            try:
                with _lock(build.parent, out):
                    if rebuild or not build.exists():
                        _build(missing, build)
            except OSError as error:
                raise ToolchainError(
                    f"{build}: cannot be built: {error}. Nothing is left of it."
                ) from error
        verify(build)
        print(f"{', '.join(FILES[part] for part in missing)}: built, {build}", file=out)
    return tools()


@contextmanager
def _lock(root: Path, out: TextIO) -> Iterator[None]:
    """Hold the cache's lock, made if need be: one builds, the others wait and find it done."""
    if not root.exists():
        root.mkdir(parents=True, exist_ok=True)
        root.chmod(0o755)  # whatever the umask: others may use a build
    with (root / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another build is running: waiting for it", file=out)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(parts: Sequence[Part], build: Path) -> None:
    """Build beside `build` and rename: what is there under that name is always whole."""
    for left in build.parent.glob(".build-*"):  # a killed run's; we hold the lock
        shutil.rmtree(left)
    work = Path(tempfile.mkdtemp(prefix=".build-", dir=build.parent))
    try:
        fresh = work / "fresh"
        for name in (name for part in parts for name in _layout(part)):
            (fresh / name).parent.mkdir(parents=True, exist_ok=True)
        if "language" in parts:
            for name in _layout("language"):
                shutil.copy(SOURCES / "language" / Path(name).name, fresh / name)
        compiled: dict[Part, Path] = {
            part: fresh / _layout(part)[0] for part in parts if part != "language"
        }
        go_version = _compile(compiled, build.parent) if compiled else ""
        if build_key(parts) != build.name:
            raise ToolchainError(f"{SOURCES}: changed while it was compiled. Mend: {ENSURE}")
        names = [name for part in parts for name in _layout(part)]
        files = {name: _sha256(fresh / name) for name in names}
        manifest = {"made_by": MADE_BY, "go": go_version, "parts": list(parts), "files": files}
        (fresh / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
        # Others use it as well, whatever the umask of the one who builds.
        for path in (fresh, *fresh.rglob("*")):
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
        if build.exists():
            build.rename(work / "old")
        fresh.rename(build)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _compile(targets: Mapping[Part, Path], root: Path) -> str:
    """Run tools/pulumi/build.py, its output on standard error; return the version of its Go."""
    command = [sys.executable, str(SOURCES / "build.py"), "--cache", str(root)]
    command += [f"{part}={target.resolve()}" for part, target in targets.items()]
    # A process group of its own: a compiler must not go on when the build is interrupted.
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, process_group=0) as process:
        try:
            output, _ = process.communicate()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    if process.returncode:
        raise ToolchainError(
            f"{SOURCES / 'build.py'}: exit {process.returncode}, expected 0; "
            "the reason stands above. Nothing is left of the build."
        )
    return output.strip()


# -- the command


def _state(tool: Tool) -> dict[str, str]:
    return {"part": tool.part, "source": tool.source, "path": str(tool.path)}


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m gaoling.cloud.toolchain", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("ensure").add_argument("--rebuild", action="store_true")
    commands.add_parser("path")
    commands.add_parser("check").add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    started = time.monotonic()
    try:
        found = ensure(options.rebuild) if options.command == "ensure" else tools()
    except KeyboardInterrupt:
        print("interrupted; nothing half built is left", file=sys.stderr)
        return 130
    except ToolchainError as error:
        if options.command == "check" and options.json:
            print(json.dumps({"ok": False, "error": str(error), "tools": []}, indent=2))
        print(f"error: {error}", file=sys.stderr)
        return 1
    if options.command == "ensure":
        print(f"toolchain ready after {time.monotonic() - started:.1f} s", file=sys.stderr)
    elif options.command == "path":
        print(found[0].path.parent)
    elif options.json:
        print(json.dumps({"ok": True, "error": "", "tools": [*map(_state, found)]}, indent=2))
    else:
        for tool in found:
            print(f"{FILES[tool.part]:26} {tool.source:10} {tool.path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
