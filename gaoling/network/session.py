"""One SSH session a device, through the bastion, with its host key checked."""

from __future__ import annotations

import socket
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

import paramiko  # type: ignore[import-untyped]
from netmiko.cisco_base_connection import CiscoBaseConnection

CONNECT_SECONDS = 15
COMMAND_SECONDS = 60.0
_PROMPT = r"(?:^|\n)[^\n]*[#>] $"


class SessionError(Exception):
    """No session, or an answer that cannot be trusted; the message names the device."""


@dataclass(frozen=True)
class Answer:
    """What a command said and its exit code."""

    text: str
    code: int


class FrrCli(CiscoBaseConnection):  # type: ignore[misc]
    """vtysh: netmiko has no type for it; it is much like an IOS, and needs less asked of it.

    It has no pager unless it is given one (VTYSH_PAGER), and its prompt is the router's name.
    """

    def _build_ssh_client(self) -> paramiko.SSHClient:
        # netmiko has paramiko read the whole file anew for each session, in the square of its lines
        client = super()._build_ssh_client()
        file = Path(self.alt_key_file)
        keys = _known_hosts(file, _changed(file)).lookup(self.host) or {}
        for kind, key in keys.items():
            client.get_host_keys().add(self.host, kind, key)
        return client

    def _try_session_preparation(self, force_data: bool = True) -> None:
        # without a line that netmiko types first to see whether anybody is there: a prompt comes
        super()._try_session_preparation(force_data=False)

    def session_preparation(self) -> None:
        """Wait for the prompt."""
        seen = self.read_until_pattern(pattern=_PROMPT, read_timeout=CONNECT_SECONDS)
        self.base_prompt = seen.splitlines()[-1].rstrip("#> ")
        self.remote_conn.settimeout(COMMAND_SECONDS)

    def ask(self, command: str) -> str:
        """Return what a command shows: all between its echo and the next prompt.

        One vtysh lives as long as the session: to start one costs ten times as much as to ask it.
        Raises OSError when the time is up, EOFError when the connection ends.
        """
        echo, prompt, said = f"{command}\r\n".encode(), f"\n{self.base_prompt}# ".encode(), b""
        self.remote_conn.sendall(f"{command}\n".encode())
        while not (said.endswith(prompt) and echo in said):
            part = self.remote_conn.recv(1 << 16)
            if not part:
                raise EOFError("connection closed")
            said += part
        text = said.partition(echo)[2][: 1 - len(prompt)]
        return text.decode(errors="replace").replace("\r\n", "\n")


class Session:
    """A session with a router: `show` types into its CLI, `run` is a channel beside it.

    Both use the one connection. The way (bastion, user, key, known hosts) is that of the access
    folder's ssh_config, so that `ssh -F` by hand and this go the same way.
    """

    def __init__(self, device: str, access: Path) -> None:
        """Connect. Raises SessionError with what failed: way, host key, key, prompt."""
        self.device = device
        config = access / "ssh_config"
        if not config.exists():
            raise SessionError(f"{device}: found no {config}, expected the access folder's")
        found = _read(config, _changed(config)).lookup(device)
        self._proxy, sock = _through(config, found)
        try:
            self._netmiko: Any = FrrCli(
                host=found["hostname"],
                username=found["user"],
                use_keys=True,
                key_file=found["identityfile"][0],
                allow_agent=False,
                ssh_strict=True,
                system_host_keys=False,
                alt_key_file=found["userknownhostsfile"],
                conn_timeout=CONNECT_SECONDS,
                auth_timeout=CONNECT_SECONDS,
                banner_timeout=CONNECT_SECONDS,
                fast_cli=True,
                sock=sock,
            )
        except Exception as error:
            self._end_proxy()
            reason = " ".join(str(error).split()) or repr(error)
            raise SessionError(f"{device}: no session: {reason}") from error
        if self._netmiko.base_prompt != device:
            seen = self._netmiko.base_prompt
            self.close()
            raise SessionError(f"{device}: found the prompt of {seen!r}, expected {device!r}")

    def show(self, command: str) -> str:
        """Return what a command shows.

        Raises SessionError when it is empty (napalm#1135), and when the connection ends.
        """
        try:
            text = str(self._netmiko.ask(command))
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise self._ended(command, error) from error
        if not text.strip():
            raise SessionError(f"{self.device}: `{command}` showed nothing")
        return text

    def run(self, command: str, stdin: str = "", seconds: float = COMMAND_SECONDS) -> Answer:
        """Run a command in a channel of its own; return what it said, errors too.

        Raises SessionError when the connection ends or the time is up.
        """
        try:
            channel = self._netmiko.remote_conn_pre.get_transport().open_session(timeout=seconds)
            channel.settimeout(seconds)
            channel.set_combine_stderr(True)
            channel.exec_command(command)
            if stdin:
                channel.sendall(stdin.encode())
            channel.shutdown_write()
            parts = []
            while part := channel.recv(1 << 16):
                parts.append(part)
            code = channel.recv_exit_status()
            channel.close()
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise self._ended(command, error) from error
        if code == -1:
            raise SessionError(f"{self.device}: the session ended during `{command}`")
        return Answer(b"".join(parts).decode(errors="replace"), code)

    def _ended(self, command: str, error: Exception) -> SessionError:
        reason = str(error) or type(error).__name__
        return SessionError(f"{self.device}: the session ended during `{command}`: {reason}")

    def close(self) -> None:
        """End the session; safe when it has ended already."""
        self._netmiko.remote_conn_pre.close()  # netmiko's own farewell waits for prompts
        self._end_proxy()

    def _end_proxy(self) -> None:
        if self._proxy is not None:
            self._proxy.terminate()
            self._proxy.wait()

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _changed(file: Path) -> int:
    return file.stat().st_mtime_ns if file.exists() else 0


@cache
def _read(config: Path, changed: int) -> paramiko.SSHConfig:
    return paramiko.SSHConfig.from_path(str(config))


@cache
def _known_hosts(file: Path, changed: int) -> paramiko.HostKeys:
    return paramiko.HostKeys(str(file) if changed else None)


def prepare(access: Path) -> None:
    """Read the way to all devices: done before Ansible forks, it is done once."""
    config = access / "ssh_config"
    if config.exists():
        # a lookup compiles every pattern of the file, whatever it looks for
        found = _read(config, _changed(config)).lookup("bastion")
        if files := found.get("userknownhostsfile"):
            _known_hosts(Path(files), _changed(Path(files)))


def _through(
    config: Path, found: paramiko.SSHConfigDict
) -> tuple[subprocess.Popen[bytes] | None, socket.socket | None]:
    """Return a socket that goes through the bastion, and the ssh that carries it."""
    jump = found.get("proxyjump")
    if not jump or jump == "none":
        return None, None
    ours, theirs = socket.socketpair()
    port = found.get("port", "22")
    proxy = subprocess.Popen(
        ["ssh", "-F", str(config), "-W", f"{found['hostname']}:{port}", jump],
        stdin=theirs.fileno(),
        stdout=theirs.fileno(),
        stderr=subprocess.DEVNULL,  # a master that stays would hold it open
    )
    theirs.close()
    return proxy, ours


def open_way(access: Path) -> None:
    """Open the shared connection to the bastion, so that sessions need not each make their own.

    Raises SessionError when the bastion does not let us in.
    """
    config = str(access / "ssh_config")
    check = ["ssh", "-F", config, "-O", "check", "bastion"]
    if subprocess.run(check, capture_output=True, check=False).returncode == 0:
        return
    done = subprocess.run(
        ["ssh", "-F", config, "-f", "-N", "bastion"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
        timeout=CONNECT_SECONDS,
    )
    if done.returncode:
        raise SessionError(f"bastion: no connection with {config} (exit {done.returncode})")


def from_vantage(access: Path, vantage: str, command: str, seconds: float = 30.0) -> Answer:
    """Run a command on a vantage and return what it said; calls share one connection."""
    shared = ["-o", "ControlMaster=auto", "-o", f"ControlPath={access}/cm-%h"]
    done = subprocess.run(
        ["ssh", "-F", str(access / "ssh_config"), *shared, "-o", "ControlPersist=60", vantage,
         command],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True, check=False, timeout=seconds,
    )  # fmt: skip
    return Answer(done.stdout, done.returncode)
