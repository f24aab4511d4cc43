"""The bastion's door (堡垒机): for each connection, an `sshd -i` in the NOC's namespace.

Listens on 127.0.0.1 of the machine and hands every connection to the program inside, so that the
machine's own network gets no route, no interface and no address of the lab.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys

BACKLOG = 256


def serve(port: int, netns: str, inside: list[str]) -> None:
    """Serve until the process is ended. Raises OSError when the port is taken."""
    argv = ["ip", "netns", "exec", netns, *inside]
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for a session's end
    with socket.create_server(("127.0.0.1", port), backlog=BACKLOG) as door:
        while True:
            with contextlib.suppress(ConnectionError):
                connection, _ = door.accept()
                with connection:
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    subprocess.Popen(
                        argv,
                        stdin=connection.fileno(),
                        stdout=connection.fileno(),
                        preexec_fn=_default_sigchld,
                    )


def _default_sigchld() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # sshd waits for its own children


if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
