"""Errors that end a command of the lab with one clear message."""

from __future__ import annotations


class LabError(Exception):
    """The lab cannot go on; the message says what was found, what was expected and the mend."""


class Interrupted(LabError):
    """A start was told to stop: what runs goes on running, the next start takes it from there."""
