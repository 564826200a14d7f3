"""A real Alertmanager with our configuration, and the demo's pager at its end."""

import asyncio
import contextlib
import json
import socket
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml
from aiohttp import ClientSession, web
from lowtide.alerting import render
from lowtide.alerting.settings import parse
from lowtide.demo import paging
from lowtide.demo.pager import WIDTH, application, screen

LABELS = {"job": "shop", "coroutine": "shop.discounts:ask"}
NOTES = {
    "summary": "Tasks are stuck for ever, and their number grows.",
    "description": "7 tasks of shop.discounts:ask in job shop wait on Queue.put. " * 3,
    "runbook_url": "https://example.org/LowtideTasksStranded.md",
}
PAGE = {"labels": LABELS | {"alertname": "LowtideTasksStranded", "severity": "page"}, "annotations": NOTES}
TICKET = {"labels": LABELS | {"alertname": "LowtideTasksStray", "severity": "ticket"}, "annotations": NOTES}


def test_a_screen_names_the_guilty_function_and_what_to_do():
    text = screen({"alerts": [PAGE | {"status": "firing"}]})
    assert "PAGE  LowtideTasksStranded  shop  shop.discounts:ask" in text
    assert NOTES["runbook_url"] in text
    assert max(map(len, text.splitlines())) <= WIDTH


def test_a_resolved_alert_takes_one_line():
    text = screen({"alerts": [PAGE | {"status": "resolved"}]})
    assert text.split("=" * WIDTH)[1].strip() == "RESOLVED  LowtideTasksStranded  shop  shop.discounts:ask"


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"alerts": [{}]}', b'{"alerts": 3}', b"\xff"])
def test_the_pager_refuses_what_is_no_message(body):
    async def post():
        shown = []
        async with serving(shown) as port, ClientSession(f"http://127.0.0.1:{port}") as session:
            answer = await session.post("/", data=body)
            return answer.status, shown

    assert asyncio.run(post()) == (400, [])


def test_the_demo_evaluates_the_rules_that_users_get_only_more_often():
    users = yaml.safe_load(render(parse(["job=lowtide-demo", "bridge=15s"])))["groups"]
    demos = yaml.safe_load(paging.rules())["groups"]
    timing = ("interval", "keep_firing_for")

    def meaning(group):
        return [{k: v for k, v in rule.items() if k not in timing} for rule in group["rules"]]

    assert [meaning(group) for group in demos] == [meaning(group) for group in users]
    assert {group["interval"] for group in demos} == {"5s"}


def test_a_page_arrives_and_keeps_back_the_ticket_of_its_coroutine(tmp_path, alertmanager):
    shown, alerts = asyncio.run(paged(tmp_path, alertmanager))
    assert "PAGE  LowtideTasksStranded" in shown[0]
    assert not any("LowtideTasksStray" in text for text in shown)
    inhibited = {alert["labels"]["alertname"]: bool(alert["status"]["inhibitedBy"]) for alert in alerts}
    assert inhibited == {"LowtideTasksStranded": False, "LowtideTasksStray": True}


async def paged(folder, binary):
    """Send a page and a ticket through Alertmanager; return the screens shown and the alerts it knows."""
    shown = []
    async with serving(shown) as pager, receiving(folder, pager, binary) as port:
        await asyncio.to_thread(_post, port, [PAGE, TICKET])
        for _ in range(300):
            if shown:
                break
            await asyncio.sleep(0.1)
        return shown, await asyncio.to_thread(_ask, port, "alerts")


@contextlib.asynccontextmanager
async def serving(shown):
    """Serve the pager on a free port."""
    runner = web.AppRunner(application(shown.append))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield runner.addresses[0][1]
    await runner.cleanup()


@contextlib.asynccontextmanager
async def receiving(folder, pager, binary):
    """Run Alertmanager with the file that users get, only faster and with our pager."""
    text = Path("alerts/alertmanager.yml").read_text()
    (folder / "am.yml").write_text(
        text.replace("9096", str(pager)).replace("group_wait: 30s", "group_wait: 1s")
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        binary,
        f"--config.file={folder / 'am.yml'}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
        "--log.level=error",
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(300):
                with contextlib.suppress(OSError):
                    await asyncio.to_thread(_ask, port, "status")
                    break
                await asyncio.sleep(0.1)
            yield port
        finally:
            process.terminate()


def _ask(port, what):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v2/{what}", timeout=5) as answer:
        return json.load(answer)


def _post(port, alerts):
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/v2/alerts",
        json.dumps(alerts).encode(),
        {"Content-Type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=5).close()
