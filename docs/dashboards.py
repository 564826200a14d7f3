"""Draw the dashboards with Grafana's UI components: docs/dashboard-fleet.png and docs/dashboard-process.png.

``make dashboard-pictures`` needs npm, Chromium and Prometheus, and ten minutes. What is drawn is the committed JSON,
its queries asked of a real Prometheus. The fleet is simulated as for the backtest of the alerts, because deployments
and growth show over days; the process is the demo, scraped while it runs.
"""

import argparse
import functools
import http.server
import json
import shutil
import subprocess
import threading
from pathlib import Path

from playwright.sync_api import sync_playwright

from docs import scenes
from tests.backtest.evaluate import duration
from tests.dashboards.grafana import everything, filled, load

DOCS = Path(__file__).parent
CACHE = DOCS.parent / ".cache" / "grafana-ui"
WIDTH = 1600
# As Grafana rounds intervals, in seconds.
STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def page(name, prometheus, seen):
    """Return what the components need: panels with the answers to their queries, marks, chosen values."""
    dashboard = load(name)
    shown = []
    for panel in dashboard["panels"]:
        answers = [_answer(prometheus, name, panel, target, seen) for target in panel.get("targets", ())]
        shown.append({"panel": panel, "answers": answers})
    variables = [each["name"] for each in dashboard["templating"]["list"] if each["type"] == "query"]
    return {
        "title": dashboard["title"],
        "links": [link["title"] for link in dashboard["links"]],
        "chosen": [("data source", "Prometheus"), *((name, _shown(seen, name)) for name in variables)],
        "from": seen.first * 1000,
        "to": seen.last * 1000,
        "width": WIDTH,
        "marks": _marks(prometheus, name, dashboard, seen),
        "panels": shown,
    }


def _shown(seen, name):
    return ", ".join(seen.chosen[name]) if name in seen.chosen else "All"


def _answer(prometheus, name, panel, target, seen):
    wanted = (seen.last - seen.first) / panel.get("maxDataPoints", 600)
    step = next(each for each in STEPS if each >= max(wanted, seen.scrape))
    promql = _filled(name, target["expr"], seen, step)
    if target.get("instant"):
        result = prometheus.at(promql, seen.last)
    else:
        result = prometheus.matrix(promql, seen.first, seen.last, step)
    return {
        "refId": target["refId"], "format": target["format"], "legend": target["legendFormat"],
        "step": step, "result": result,
    }  # fmt: skip


def _filled(name, promql, seen, step):
    window = f"{max(step + seen.scrape, 4 * seen.scrape)}s"
    return filled(
        promql,
        everything(name) | seen.chosen,
        shown=f"{seen.last - seen.first}s",
        rate_interval=window,
        interval=f"{step}s",
    )


def _marks(prometheus, name, dashboard, seen):
    """Return the moments at which the annotation begins: what follows within a step is the same one."""
    (mark,) = dashboard["annotations"]["list"]
    step = duration(mark["step"])
    found = []
    for row in prometheus.matrix(_filled(name, mark["expr"], seen, step), seen.first, seen.last, step):
        text = f"{row['metric']['job']} {row['metric']['version']}"
        moments = [at for at, _ in row["values"]]
        begun = [at for before, at in zip([0, *moments], moments, strict=False) if at - before > step]
        found += [{"time": at * 1000, "text": text} for at in begun if at > seen.first + step]
    return found


def built():
    """Build the page in the cache folder, where npm leaves half a gigabyte."""
    shutil.copytree(DOCS / "grafana-ui", CACHE, dirs_exist_ok=True)
    if not (CACHE / "node_modules" / "vite").exists():
        subprocess.run(
            ["npm", "install", "--no-audit", "--no-fund", "--legacy-peer-deps"], cwd=CACHE, check=True
        )
    subprocess.run(
        ["npx", "vite", "build", "--logLevel", "warn", "--target", "esnext"], cwd=CACHE, check=True
    )
    return CACHE / "dist"


def draw(folder, name, content):
    """Take a picture of the whole dashboard, once every panel has been drawn."""
    (folder / "page.json").write_text(json.dumps(content))
    handler = functools.partial(_Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        tab = browser.new_page(viewport={"width": WIDTH, "height": 1000}, device_scale_factor=1)
        errors = []
        tab.on("pageerror", lambda error: errors.append(str(error)))
        tab.on(
            "response", lambda answer: None if answer.ok else errors.append(f"{answer.status} {answer.url}")
        )
        tab.goto(f"http://127.0.0.1:{server.server_address[1]}/")
        tab.wait_for_selector("#dashboard .panel canvas")
        # Tables draw only what is in sight.
        tab.set_viewport_size({"width": WIDTH, "height": tab.locator("#dashboard").bounding_box()["height"]})
        tab.evaluate("document.fonts.ready")
        tab.wait_for_load_state("networkidle")
        empty = tab.eval_on_selector_all(".panel:has(.empty)", "all => all.map(each => each.dataset.title)")
        tab.wait_for_timeout(1500)
        tab.locator("#dashboard").screenshot(path=DOCS / f"dashboard-{name}.png")
        browser.close()
    server.shutdown()
    return empty, errors


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def main(argv=None):
    """Draw both, or the one that is named; return 1 if a panel is empty."""
    parser = argparse.ArgumentParser(prog="python -m docs.dashboards")
    parser.add_argument("names", nargs="*", default=["fleet", "process"])
    options = parser.parse_args(argv)
    folder = built()
    empty = []
    for name in options.names:
        with scenes.SCENES[name]() as (prometheus, seen):
            content = page(name, prometheus, seen)
        found, errors = draw(folder, name, content)
        empty += found
        print(
            f"docs/dashboard-{name}.png: {len(content['panels'])} panels; empty: {found}", *errors, sep="\n  "
        )
    return int(bool(empty))


if __name__ == "__main__":
    raise SystemExit(main())
