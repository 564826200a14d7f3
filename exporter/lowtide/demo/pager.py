"""The demo's pager: shows what Alertmanager would wake somebody with, in plain text."""

import sys
import textwrap
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

WIDTH = 78


def application(
    show: Callable[[str], object] = sys.stdout.write,
    heard: Callable[[Mapping[str, Any]], object] | None = None,
) -> web.Application:
    """Return a server for Alertmanager's webhooks that shows each message on one screen, and passes it on."""

    async def receive(request: web.Request) -> web.Response:
        try:
            message = await request.json()
            text = screen(message)
        except (ValueError, TypeError, KeyError, AttributeError):
            return web.Response(status=400, text="should be a message of Alertmanager's webhook, version 4\n")
        show(text)
        if heard is not None:
            heard(message)
        return web.Response(text="shown\n")

    pager = web.Application()
    pager.router.add_post("/", receive)
    return pager


def screen(message: Mapping[str, Any]) -> str:
    """Write a message as the screen of a pager: what is wrong, in what, and what to do first."""
    lines = ["", "=" * WIDTH]
    for alert in message["alerts"]:
        lines += _alert(alert)
    return "\n".join([*lines, "=" * WIDTH, ""])


def _alert(alert: Mapping[str, Any]) -> list[str]:
    labels, notes = alert["labels"], alert["annotations"]
    what = "RESOLVED" if alert["status"] == "resolved" else str(labels.get("severity", "?")).upper()
    guilty = (
        labels.get("coroutine") or labels.get("where") or labels.get("name") or labels.get("instance", "")
    )
    title = f"{what}  {labels['alertname']}  {labels.get('job', '')}  {guilty}".rstrip()
    if what == "RESOLVED":
        return [title]
    return [
        title,
        "",
        notes.get("summary", ""),
        *textwrap.wrap(notes.get("description", ""), WIDTH),
        notes.get("runbook_url", ""),
    ]


def main(port: int = 9096) -> None:
    """Serve on loopback until interrupted."""
    web.run_app(application(), host="127.0.0.1", port=port, print=None)


if __name__ == "__main__":
    main()
