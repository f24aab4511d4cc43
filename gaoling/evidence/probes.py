"""Probes: the command lines that a vantage runs, and what their outputs say.

Nothing is run here. A `Runner` runs a command line on a vantage (over SSH, in the lab as in
production) and returns what came of it.
"""

from __future__ import annotations

import json
import secrets
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Protocol

Address = IPv4Address | IPv6Address

# 10 ms between packets: faster makes loss unreliable on real networks (facts/monitoring.md)
PACE_MS, RETRIES, TIMEOUT_MS = 10, 1, 500
ANSWER_SECONDS = 3  # for one URL, name resolution and all
MOST_BYTES = 4096  # of an answer that are looked at
PARALLEL = 16

# Answers go to files of their own: bodies of parallel transfers would mix on one output.
_CURL = """umask 077; d=$(mktemp -d) || exit 90; trap 'rm -rf "$d"' EXIT; cd "$d" || exit 90
command -v curl >/dev/null || exit 91
curl -g -sS -f -m {seconds} --parallel --parallel-max {parallel} --max-filesize {most} \\
  -K - >/dev/null 2>&1
for f in [0-9]*; do
[ -f "$f" ] && printf '\\n{nonce} %s\\n' "$f" && head -c {most} "$f"
done
printf '\\n{nonce} end\\n'"""


class ProbeFailed(Exception):
    """The probe could not be made: nothing is known of its targets because of it."""


@dataclass(frozen=True)
class Completed:
    """What came of a command: `code` is None when it ran out of time."""

    code: int | None
    stdout: str
    stderr: str


class Runner(Protocol):
    """Runs a command line on a vantage or router and returns what came of it; never raises."""

    def __call__(
        self, vantage: str, argv: list[str], timeout: float, stdin: str = ""
    ) -> Completed: ...


@dataclass(frozen=True)
class Question:
    """An endpoint to be asked who it is: it must answer with the id of `system`."""

    system: str
    address: Address
    port: int

    @property
    def url(self) -> str:
        host = f"[{self.address}]" if self.address.version == 6 else str(self.address)
        return f"http://{host}:{self.port}/"


def ping_command(family: int) -> list[str]:
    """Return the fping command line; its targets go to its standard input."""
    return ["fping", f"-{family}", "-i", str(PACE_MS), "-r", str(RETRIES), "-t", str(TIMEOUT_MS)]


def ping_seconds(count: int) -> float:
    """Return how long a sweep of `count` targets may take, all dead, with some to spare."""
    return 5 + count * PACE_MS / 1000 * (RETRIES + 1) + TIMEOUT_MS / 1000 * (RETRIES + 2)


def ping_answers(done: Completed) -> dict[str, bool]:
    """Return target -> whether it answered. A target that fping does not name is not in it.

    Raises ProbeFailed when fping did not run or did not finish.
    """
    if done.code not in (0, 1, 2):
        raise ProbeFailed(_why("fping", done))
    found = {}
    for line in done.stdout.splitlines():
        words = line.split()
        if len(words) >= 3 and words[1] == "is" and words[2] in ("alive", "unreachable"):
            found[words[0]] = words[2] == "alive"
    return found


def sweep(
    runner: Runner, vantage: str, addresses: Iterable[Address]
) -> tuple[dict[Address, bool], list[str]]:
    """Ping addresses of both families from a vantage: one call a family.

    Returns address -> answered, and what went wrong (a family that could not be probed has no
    address in the result).
    """
    found: dict[Address, bool] = {}
    wrong = []
    wanted = sorted(set(addresses), key=lambda a: (a.version, int(a)))
    for family in (4, 6):
        by_text = {str(a): a for a in wanted if a.version == family}
        if not by_text:
            continue
        targets = "".join(f"{text}\n" for text in by_text)
        done = runner(vantage, ping_command(family), ping_seconds(len(by_text)), targets)
        try:
            answers = ping_answers(done)
        except ProbeFailed as error:
            wrong.append(f"{vantage}: {error}")
            continue
        found |= {by_text[text]: alive for text, alive in answers.items() if text in by_text}
    return found, wrong


def ask_command(nonce: str) -> list[str]:
    """Return the command line that fetches the URLs of a curl configuration given on stdin.

    `nonce` marks where an answer begins: no answer can know it beforehand.
    """
    text = _CURL.format(seconds=ANSWER_SECONDS, parallel=PARALLEL, most=MOST_BYTES, nonce=nonce)
    return ["sh", "-c", text]


def ask_input(questions: Sequence[Question]) -> str:
    """Return curl's configuration: each URL with the number of its question as its file."""
    return "".join(
        f'url = "{question.url}"\noutput = "{number}"\n'
        for number, question in enumerate(questions)
    )


def ask_seconds(count: int) -> float:
    return 5 + ANSWER_SECONDS * (1 + count / PARALLEL)


def ask_answers(questions: Sequence[Question], nonce: str, done: Completed) -> list[bool]:
    """Return for each question whether its own system answered; another's answer is none.

    Raises ProbeFailed when curl did not run or did not finish.
    """
    pieces = done.stdout.split(f"\n{nonce} ")
    if done.code != 0 or pieces[-1].strip() != "end":
        raise ProbeFailed(_why("curl", done))
    answers = {}
    for piece in pieces[1:-1]:
        number, _, body = piece.partition("\n")
        answers[number] = body
    return [identity(answers.get(str(n), "")) == q.system for n, q in enumerate(questions)]


def identity(body: str) -> str | None:
    """Return the system that an answer names ({"system": "..."}); None when it names none."""
    try:
        data = json.loads(body)
    except ValueError:
        return None
    system = data.get("system") if isinstance(data, dict) else None
    return system if isinstance(system, str) else None


def ask(runner: Runner, vantage: str, questions: Sequence[Question]) -> list[bool]:
    """Ask all questions from a vantage in one call. Raises ProbeFailed."""
    if not questions:
        return []
    nonce = secrets.token_hex(8)
    done = runner(vantage, ask_command(nonce), ask_seconds(len(questions)), ask_input(questions))
    return ask_answers(questions, nonce, done)


def remote(argv: Sequence[str]) -> str:
    """Return a command line as the one text that SSH hands to the far shell."""
    return shlex.join(argv)


def _why(tool: str, done: Completed) -> str:
    if done.code is None:
        return f"{tool} ran out of time"
    last = (done.stderr.strip().splitlines() or ["no message"])[-1]
    return f"{tool} ended with {done.code}: {last[:200]}"
