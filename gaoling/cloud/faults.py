"""What failed where, in one line: the engine's messages as a person wants to read them."""

from __future__ import annotations

import json
import re

_ANSWER = re.compile(
    r"when accessing \[(?P<verb>[A-Z]+) (?P<url>\S+?)\], but got (?P<code>\d{3}) instead"
    r"\s*(?P<body>.*)",
    re.DOTALL,
)
_SHORT = re.compile(  # the client library's own words for some codes
    r"(?P<what>Bad request with|Request forbidden|Resource not found|Method not allowed):?"
    r" \[(?P<verb>[A-Z]+) (?P<url>\S+?)\](?:, error message: (?P<body>.*))?",
    re.DOTALL,
)
_CODES = {"Bad request with": 400, "Request forbidden": 403, "Resource not found": 404,
          "Method not allowed": 405}  # fmt: skip
_WORDS = {  # and those that name no request
    "Authentication failed": 401,
    "The server timed out waiting for the request": 408,
    "Too many requests have been sent": 429,
    "Internal Server Error": 500,
    "Bad Gateway": 502,
    "Gateway Timeout": 504,
    "The service is currently unable to handle the request": 503,
}
_SILENT = re.compile(
    r'\b(?P<verb>Get|Post|Put|Delete|Patch|Head) "(?P<url>[^"]+)": (?P<what>[^\n*]+)'
)
_NOISE = ("update failed", "preview failed", "refresh failed", "resource operation failed")
_MESSAGE = re.compile(r'"(?:message|faultstring)":\s*"(?P<text>(?:[^"\\]|\\.)*)"')


def fault(message: str, urn: str = "", step: str = "") -> str:
    """Return one line for an engine's error: step and resource, request, answer; "" for noise.

    A message of another shape is returned as it is, without the engine's own prefixes.
    """
    if message.strip() in _NOISE:
        return ""
    head = f"{step or 'change'} {_kind(urn)} {_name(urn)}: " if "::" in urn else ""
    if found := _ANSWER.search(message):
        said = _said(found["body"])
        return f"{head}{found['verb']} {found['url']} answered {found['code']}{said}"
    if found := _SILENT.search(message):
        what = found["what"].split(": provider=")[0].rpartition("Last error was: ")[2].strip()
        return f"{head}{found['verb'].upper()} {found['url']} was not answered: {what}"
    if found := _SHORT.search(message):
        said = _said(found["body"] or "")
        return f"{head}{found['verb']} {found['url']} answered {_CODES[found['what']]}{said}"
    for words, code in _WORDS.items():
        if words in message:
            return f"{head}{_service(urn)} answered {code}: {words}"
    return head + _trimmed(message)


def _service(urn: str) -> str:
    """Return which service a resource is of: "networking" of openstack:networking/network:…"""
    found = re.search(r"openstack:(\w+)/", urn.rpartition("::")[0].rpartition("$")[2])
    return f"the {found[1]} service" if found else "a service"


def _kind(urn: str) -> str:
    return urn.rpartition("::")[0].rpartition(":")[2]


def _name(urn: str) -> str:
    return urn.rpartition("::")[2]


def _said(body: str) -> str:
    """Return what a service gave as its reason, after a colon."""
    if found := _MESSAGE.search(body):
        try:
            text = str(json.loads(f'"{found["text"]}"'))
        except ValueError:
            text = found["text"]
        return f": {' '.join(text.split())}" if text else ""
    return ""


def _trimmed(message: str) -> str:
    text = re.sub(r"^(?:sdk-v2/\S+ )?(?:sdk\.helper_schema: )?", "", message.strip())
    text = re.sub(r"^\d+ errors? occurred:\s*\* ", "", text)
    text = re.sub(r": provider=openstack@\S+", "", text)
    return text.strip()
