"""The command lines that vantages run, and what is made of their outputs."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from gaoling.evidence.probes import (
    Completed,
    ProbeFailed,
    Question,
    ask,
    ask_input,
    identity,
    ping_answers,
    ping_command,
    remote,
    sweep,
)

A4, B4, A6 = ip_address("10.11.1.1"), ip_address("10.11.2.1"), ip_address("2001:db8::1")


def test_the_sweep_is_paced_and_once_repeated():
    assert ping_command(6) == ["fping", "-6", "-i", "10", "-r", "1", "-t", "500"]


def test_one_call_a_family_and_targets_on_stdin():
    calls = []

    def runner(vantage, argv, timeout, stdin=""):
        calls.append((vantage, argv[1], stdin))
        out = "".join(f"{t} is {'alive' if t != '10.11.2.1' else 'unreachable'}\n"
                      for t in stdin.split())  # fmt: skip
        return Completed(1, out, "")

    found, wrong = sweep(runner, "noc", [A6, B4, A4])
    assert found == {A4: True, B4: False, A6: True}
    assert wrong == []
    assert calls == [("noc", "-4", "10.11.1.1\n10.11.2.1\n"), ("noc", "-6", "2001:db8::1\n")]


def test_targets_that_fping_does_not_name_are_unknown():
    assert ping_answers(Completed(2, "10.11.1.1 is alive\nfoo: Name not known\n", "")) == {
        "10.11.1.1": True
    }


@pytest.mark.parametrize(
    ("done", "why"),
    [
        (Completed(None, "10.11.1.1 is alive\n", ""), "fping ran out of time"),
        (Completed(255, "", "Permission denied (publickey)."), "ended with 255: Permission denied"),
        (Completed(4, "", "fping: can't create socket"), "ended with 4: fping: can't create"),
    ],
)
def test_a_probe_that_was_not_made_is_no_evidence(done, why):
    with pytest.raises(ProbeFailed, match=why.replace("(", r"\(")):
        ping_answers(done)
    assert sweep(lambda *_: done, "noc", [A4])[0] == {}


def _answering(bodies):
    def runner(vantage, argv, timeout, stdin=""):
        nonce = argv[2].split("printf '\\n")[1].split(" ")[0]
        out = "".join(f"\n{nonce} {n}\n{body}" for n, body in bodies.items())
        return Completed(0, f"{out}\n{nonce} end\n", "")

    return runner


def test_an_endpoint_must_name_its_own_system():
    questions = [Question(s, a, 80) for s, a in (("a", A4), ("b", B4), ("c", A6), ("d", A6))]
    bodies = {0: '{"system": "a", "host": "x"}', 1: '{"system": "a"}', 2: "<html>c</html>"}
    assert ask(_answering(bodies), "v", questions) == [True, False, False, False]


def test_urls_put_ipv6_in_brackets_and_each_answer_in_its_own_file():
    text = ask_input([Question("a", A6, 8080), Question("b", A4, 80)])
    assert text == (
        'url = "http://[2001:db8::1]:8080/"\noutput = "0"\n'
        'url = "http://10.11.1.1:80/"\noutput = "1"\n'
    )


def test_a_broken_off_answer_is_no_evidence():
    with pytest.raises(ProbeFailed, match="curl ended with 0"):
        ask(lambda *a, **k: Completed(0, "x", "no message"), "v", [Question("a", A4, 80)])


@pytest.mark.parametrize("body", ["", "[]", '"a"', '{"system": 3}', '{"sys": "a"}', "{"])
def test_what_names_no_system(body):
    assert identity(body) is None


def test_no_shell_sees_more_than_words():
    assert remote(["fping", "a;b", "$(x)"]) == "fping 'a;b' '$(x)'"
