"""The client: asks a process for its findings over HTTP."""

import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

PAGE = "/debug/tasks.json"
_WITHIN = 10.0
"""Seconds that the process gets to answer."""
_MOST_BYTES = 4_000_000

Document = dict[str, Any]


def document_url(url: str) -> str:
    """Complete what a person types: ``localhost:9788``, a ``/metrics`` URL, or a debug page with its query.

    Raises ValueError if it can't be a web address.
    """
    parts = _split(url if "://" in url else f"http://{url}")
    if parts is None or parts.scheme not in {"http", "https"}:
        raise ValueError(f"the URL should be like http://127.0.0.1:9788, is {url!r}")
    path = parts.path.rstrip("/")
    for ending in ("/metrics", "/debug/tasks.json", "/debug/tasks", "/debug"):
        path = path.removesuffix(ending)
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc, path + PAGE, parts.query, ""))


def _split(url: str) -> urllib.parse.SplitResult | None:
    try:
        parts = urllib.parse.urlsplit(url)
        return parts if parts.hostname and parts.port != 0 else None
    except ValueError:  # a port that is no number, a bracket that isn't closed
        return None


def fetch(url: str, token: str = "") -> Document:
    """Ask for the findings.

    Raises ValueError for a URL that can't be one or an answer that isn't lowtide's, OSError if there is none.
    """
    address = document_url(url)
    headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(address, headers=headers)  # noqa: S310 (the scheme was checked)
    try:
        with urllib.request.urlopen(request, timeout=_WITHIN) as response:  # noqa: S310
            body = response.read(_MOST_BYTES)
    except urllib.error.HTTPError as error:
        with error:
            raise OSError(_refused(address, error)) from None
    except (OSError, ValueError) as error:
        reason = str(getattr(error, "reason", "") or error).lower()
        hint = "is the process running, and is this its lowtide port?"
        raise OSError(f"can't reach {address}: {reason}: {hint}") from None
    return _read(address, body)


def _refused(address: str, error: urllib.error.HTTPError) -> str:
    reason = error.read(2000).decode("utf-8", "replace").strip()
    if error.code == 403:
        return f"{address} refuses: {reason}; pass --token or set LOWTIDE_TOKEN"
    if error.code == 404:
        return f"{address} is not there: is this lowtide's port?"
    return f"{address} answers {error.code}: {reason or 'nothing more'}"


def _read(address: str, body: bytes) -> Document:
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if not isinstance(document, dict) or "findings" not in document or "schema" not in document:
        raise ValueError(f"{address} is not a page of lowtide's: is this its port?")
    if document["schema"] != 1:
        raise ValueError(
            f"{address} speaks version {document['schema']!r} of the format, and this lowtide 1: upgrade it"
        )
    return document


def token_of(given: str | None, environ: Mapping[str, str] = os.environ) -> str:
    """Return the token: what was given, or else what LOWTIDE_TOKEN says."""
    return given if given is not None else environ.get("LOWTIDE_TOKEN", "")
