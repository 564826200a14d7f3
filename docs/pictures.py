"""Takes the pictures of the debug page: a leaking service, looked at with Chromium. ``make pictures``.

The flame graph is the service's own ``/debug/tasks.folded``, opened in speedscope.
"""

import re
import shutil
import sys
import time
from pathlib import Path

from lowtide.watch.client import fetch
from lowtide.watch.top import View, screen
from rich.console import Console

from tests.ashore import shore, stranded
from tests.browser import browser
from tests.speedscope import BUILT, speedscope

FOLDER = Path(__file__).with_name("pictures")
ARGUMENTS = ("leaks", "--hurry", "--aged-after=20", "--leaks=150", "--every=0.15")
STUCK = 60
DESK, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
CIRCLE = "philosopher"


def main():
    path = shutil.which("chromium")
    if path is None:
        print("chromium is not on the PATH: apt-get install chromium fonts-dejavu-core", file=sys.stderr)
        return 1
    if not BUILT.exists():
        print(f"no {BUILT}: sh tests/parts.sh gets it, with npm", file=sys.stderr)
        return 1
    FOLDER.mkdir(exist_ok=True)
    with shore(*ARGUMENTS) as running:
        running.tell("block 2.5")
        running.until(stranded(STUCK), 300)
        time.sleep(10)  # level sea after the flood
        with browser(path) as chrome:
            take(chrome, running)
        terminal(running.url)
    with shore("leaks", "--hurry", "--leaks=20") as running, browser(path) as chrome:
        running.until(stranded(27))
        flame(chrome, running.get("/debug/tasks.folded")[1])
    return 0


def take(chrome, running):
    found = next(each for each in running.json()["findings"] if each["coroutine"].endswith(f":{CIRCLE}"))
    views = {"tasks": "tasks", "finding": f"tasks/{found['id']}", "threads": "threads", "pauses": "pauses"}
    for name, view in views.items():
        for size, scheme in ((DESK, "light"), (PHONE, "dark")):
            context = chrome.new_context(viewport=size, color_scheme=scheme)
            page = context.new_page()
            page.goto(f"{running.url}/debug/{view}")
            page.wait_for_load_state("networkidle")
            device = "desk" if size is DESK else "phone"
            page.screenshot(path=FOLDER / f"{name}-{device}.png", full_page=device == "desk")
            context.close()


def flame(chrome, folded):
    """Open collapsed stacks in speedscope: width is tasks, and downwards is how deep they wait."""
    page = chrome.new_page(viewport={"width": 1280, "height": 240})
    with speedscope(folded) as address:
        page.goto(address)
        page.get_by_text("Left Heavy").click()
        page.get_by_text("Export").wait_for()
        page.wait_for_timeout(1000)  # frames are drawn by the graphics library, which tells of nothing
        # Without its bar of buttons: their signs need a font of pictures.
        page.screenshot(path=FOLDER / "flame.png", clip={"x": 0, "y": 20, "width": 1280, "height": 200})
    page.close()


def terminal(url):
    """Draw what ``lowtide top`` shows."""
    with Path("/dev/null").open("w") as nowhere:
        console = Console(width=150, height=32, record=True, file=nowhere, force_terminal=True)
        console.print(screen(anywhere(fetch(url)), View(), console.height))
        drawn = console.export_svg(title="lowtide top")
    # The fonts would come from another host; any monospaced one will do.
    drawn = re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL).replace(
        "Fira Code", "DejaVu Sans Mono"
    )
    (FOLDER / "top.svg").write_text(drawn, encoding="utf-8")


def anywhere(document):
    """Put the service into /app: where this checkout lies is nobody's business."""
    for found in document["findings"]:
        if found["where"]:
            found["where"]["file"] = found["where"]["file"].replace(str(Path.cwd()), "/app")
    return document


if __name__ == "__main__":
    sys.exit(main())
