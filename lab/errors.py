"""Errors that end a command of the lab with one clear message."""

from __future__ import annotations


class LabError(Exception):
    """The lab cannot go on; the message says what was found, what was expected and the mend."""
