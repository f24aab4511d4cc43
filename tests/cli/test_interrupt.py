"""Ctrl-C ends a command with 130 and the way on; what a command said itself stands alone."""

from __future__ import annotations

import pytest
import typer

from gaoling.cli import main
from lab import whole


def run(monkeypatch: pytest.MonkeyPatch, end: BaseException) -> int:
    def up(_parts: object) -> None:
        raise end

    monkeypatch.setattr(whole, "up", up)
    monkeypatch.setattr("sys.argv", ["gaoling", "lab", "up"])
    with pytest.raises(SystemExit) as caught:
        main.main()
    return int(caught.value.code or 0)


def test_ctrl_c_says_so_and_that_it_can_be_run_again(monkeypatch, capsys):
    assert run(monkeypatch, KeyboardInterrupt()) == 130
    assert capsys.readouterr().err == "interrupted; run it again to go on\n"


def test_a_command_that_ends_itself_so_has_said_what_it_had_to(monkeypatch, capsys):
    assert run(monkeypatch, typer.Exit(130)) == 130
    assert capsys.readouterr().err == ""
