"""Pulumi's language host for Python, for machines without the official one.

The engine starts `pulumi-language-python ENGINE_ADDRESS`, reads a port from the first line of its
standard output and then asks it over gRPC to run the program (`pulumi up`, `preview`, `refresh`,
`destroy`) and the policy packs (`RunPlugin`). The pulumi package holds the server that runs a
program; what is added here is what surrounds it. Programs and packs run under the Python that runs
this file: no virtual environment is made and no package or plugin is installed.
"""

from __future__ import annotations

import importlib.metadata
import os
import queue
import runpy
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

try:
    import grpc  # type: ignore[import-untyped]
    import pulumi
    from google.protobuf import empty_pb2  # type: ignore[import-untyped]
    from pulumi.automation._server import LanguageServer
    from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2
except ImportError as error:
    sys.exit(
        f"pulumi-language-python: {sys.executable} cannot import {error.name!r}; expected the "
        "Python of the project's environment (uv sync). Name it in GAOLING_PULUMI_PYTHON, or put "
        "its bin folder first on PATH."
    )

MESSAGE_BYTES = 400 * 1024 * 1024  # the engine's own limit
STOP_SECONDS = 5.0
# What runs a plugin of a kind; the module's arguments are the engine's, then the program's folder.
PLUGIN_MODULES = {"analyzer": "pulumi.policy", "resource": "pulumi.run.plugin"}


class LanguageHost(LanguageServer):
    """Serves one engine."""

    def __init__(self, engine_address: str) -> None:
        super().__init__(program=_nothing)
        self._engine_address = engine_address
        self._plugins: set[subprocess.Popen[bytes]] = set()

    # -- what the engine asks first

    def Handshake(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Return an empty greeting."""
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Return the version of the pulumi package: it does the work."""
        return plugin_pb2.PluginInfo(version=importlib.metadata.version("pulumi"))

    def InstallDependencies(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        """Say who installs them (uv) and install nothing."""
        yield language_pb2.InstallDependenciesResponse(
            stdout=b"dependencies are those of the project's environment: uv sync\n"
        )

    def RuntimeOptionsPrompts(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Return no question."""
        return language_pb2.RuntimeOptionsResponse()

    def GetProgramDependencies(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Return every installed package: `pulumi about` lists them."""
        versions = {found.name: found.version for found in importlib.metadata.distributions()}
        return language_pb2.GetProgramDependenciesResponse(
            dependencies=[
                language_pb2.DependencyInfo(name=name, version=versions[name])
                for name in sorted(versions)
            ]
        )

    def Cancel(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Return at once: the program ends when the engine stops answering it."""
        return empty_pb2.Empty()

    # -- programs

    def Run(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Run the program; return an error, or `bail` for one that was logged already.

        The engine starts a host for every run, so nothing of a run has to be undone.
        """
        refusal = _other_virtualenv(request.info)
        if refusal:
            return language_pb2.RunResponse(error=refusal)
        program = Path(request.info.program_directory or request.pwd) / (
            request.info.entry_point or request.program or "."
        )
        folder = program if program.is_dir() else program.parent
        os.chdir(request.pwd or folder)
        sys.argv = [str(program), *request.args]
        sys.path.insert(0, str(folder))
        self.program = lambda: _run(program)
        # The server takes the engine's address from the first argument.
        request.args.insert(0, self._engine_address)
        response = super().Run(request, context)  # type: ignore[no-untyped-call]
        if response.error:
            return language_pb2.RunResponse(bail=True)
        return response

    # -- policy packs and component plugins

    def RunPlugin(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        """Run a plugin; stream its standard output, its standard error and its exit code."""
        module = PLUGIN_MODULES.get(request.kind)
        if module is None:
            known = ", ".join(sorted(PLUGIN_MODULES))
            text = f"plugin kind {request.kind!r} is not served, expected one of: {known}\n"
            yield language_pb2.RunPluginResponse(stderr=text.encode())
            yield language_pb2.RunPluginResponse(exitcode=1)
            return
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", module, *request.args, request.info.program_directory],
            cwd=request.pwd or None,
            env=dict(os.environ) | dict(entry.split("=", 1) for entry in request.env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._plugins.add(process)
        context.add_callback(process.terminate)  # the engine is done with the plugin
        try:
            for stream, chunk in _chunks(process):
                if stream == "stdout":
                    yield language_pb2.RunPluginResponse(stdout=chunk)
                else:
                    yield language_pb2.RunPluginResponse(stderr=chunk)
            yield language_pb2.RunPluginResponse(exitcode=process.wait())
        finally:
            _stop(process)
            self._plugins.discard(process)

    def close(self) -> None:
        """Stop every plugin that still runs."""
        for process in tuple(self._plugins):
            _stop(process)


def _nothing() -> None:
    """Stand for the program until the engine names one."""


def _run(program: Path) -> None:
    """Run a program's file or folder as `__main__`; raise RunError with its own traceback."""
    try:
        runpy.run_path(str(program), run_name="__main__")
    except (pulumi.RunError, grpc.RpcError):
        raise  # the server knows them
    except SystemExit as error:
        if error.code not in (None, 0):
            raise pulumi.RunError(f"{program} ended with sys.exit({error.code!r})") from error
    except Exception as error:
        frames = error.__traceback__
        ours = (__file__, "<frozen runpy>")
        while frames and frames.tb_frame.f_code.co_filename in ours:
            frames = frames.tb_next
        text = "".join(traceback.format_exception(type(error), error, frames))
        raise pulumi.RunError(f"{program} failed:\n{text}") from error


def _other_virtualenv(info: Any) -> str:
    """Return why the program cannot run here: it asks for an environment that is not ours."""
    option = dict(info.options).get("virtualenv")
    if not option:
        return ""
    wanted = Path(info.root_directory or ".") / str(option)
    if wanted.resolve() == Path(sys.prefix).resolve():
        return ""
    return (
        f"Pulumi.yaml: runtime.options.virtualenv is {option}, but this language host runs under "
        f"{sys.prefix}; set GAOLING_PULUMI_PYTHON={wanted}/bin/python"
    )


def _chunks(process: subprocess.Popen[bytes]) -> Iterator[tuple[str, bytes]]:
    """Yield ("stdout" or "stderr", bytes) as they come, until both ends are closed."""
    out: queue.SimpleQueue[tuple[str, bytes]] = queue.SimpleQueue()

    def pump(name: str, pipe: IO[bytes]) -> None:
        with pipe:
            while chunk := os.read(pipe.fileno(), 65536):
                out.put((name, chunk))
        out.put((name, b""))

    pipes = {"stdout": process.stdout, "stderr": process.stderr}
    for name, pipe in pipes.items():
        threading.Thread(target=pump, args=(name, pipe), daemon=True).start()
    for _ in pipes:
        while (item := out.get())[1]:
            yield item


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a process: asked first, then killed."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def main(arguments: list[str]) -> int:
    """Serve until the engine stops us, or is gone; return the exit code."""
    addresses = [argument for argument in arguments if not argument.startswith("-")]
    if not addresses:
        print("pulumi-language-python: no engine address; Pulumi starts this", file=sys.stderr)
        return 2
    engine = os.getppid()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    host = LanguageHost(addresses[-1])
    # Every policy pack holds a thread as long as it runs; threads are made only when needed.
    server = grpc.server(
        ThreadPoolExecutor(max_workers=64),
        options=[("grpc.max_receive_message_length", MESSAGE_BYTES)],
    )
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    # A killed engine sends nothing, but its children get another parent.
    while not stop.wait(0.5) and os.getppid() == engine:
        pass
    host.close()
    server.stop(grace=0)
    sys.stdout.flush()
    sys.stderr.flush()
    # A program may still wait for an engine that is gone: its threads must not hold us.
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
