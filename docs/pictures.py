"""Takes the pictures of the debug page: a leaking service, looked at with Chromium. ``make pictures``.

The flame graph is the service's own ``/debug/tasks.folded``, drawn here as flamegraph.pl draws it.
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
    FOLDER.mkdir(exist_ok=True)
    with shore(*ARGUMENTS) as running:
        running.tell("block 2.5")
        running.until(stranded(STUCK), 300)
        time.sleep(10)  # level sea after the flood
        with browser(path) as chrome:
            take(chrome, running)
        terminal(running.url)
        (FOLDER / "flame.svg").write_text(flame(running.get("/debug/tasks.folded")[1]), encoding="utf-8")
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


ROW, WIDE, PAD = 20, 960, 10


def flame(folded):
    """Draw collapsed stacks: width is tasks, height is how deep they wait."""
    tree = {}
    for line in folded.splitlines():
        names, _, count = line.rpartition(" ")
        node = tree
        for name in names.split(";"):
            node = node.setdefault(name, [0, {}])
            node[0] += int(count)
            node = node[1]
    total = sum(count for count, _ in tree.values())
    boxes = list(_boxes(tree, 0.0, 0, WIDE / total))
    depth = 1 + max(level for *_, level in boxes)
    height = depth * ROW + 2 * PAD + 24
    shapes = [_shape(box, height) for box in boxes]
    title = f'<text x="{PAD}" y="{PAD + 10}" font-weight="bold">await stacks of {total} live tasks</text>'
    style = "text { font: 12px DejaVu Sans Mono, Menlo, monospace; fill: #16212a }"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE + 2 * PAD} {height}"><style>{style}</style>'
    back = '<rect width="100%" height="100%" fill="#fff"/>'
    return "\n".join([head, back, title, *shapes, "</svg>\n"])


def _boxes(tree, x, level, scale):
    for name, (count, children) in sorted(tree.items()):
        yield name, count, x, count * scale, level
        yield from _boxes(children, x, level + 1, scale)
        x += count * scale


def _shape(box, height):
    name, count, x, width, level = box
    y = height - PAD - (level + 1) * ROW
    letters = int((width - 8) / 7.3)
    shown = name if len(name) <= letters else f"{name[: letters - 1]}…" if letters > 3 else ""
    colour = ("#f6b26b", "#f9cb9c", "#ffd966", "#ffe599")[level % 4]
    text = f'<text x="{PAD + x + 4:.1f}" y="{y + 14}">{_escaped(shown)}</text>' if shown else ""
    rect = f'<rect x="{PAD + x:.1f}" y="{y}" width="{max(width - 1, 0.5):.1f}" height="{ROW - 1}" fill="{colour}"/>'
    return f"<g><title>{_escaped(name)}: {count}</title>{rect}{text}</g>"


def _escaped(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


if __name__ == "__main__":
    sys.exit(main())
