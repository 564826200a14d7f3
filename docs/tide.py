"""Draw docs/tide.svg: the demo's leak over three deployments, as lowtide measures it.

Run it with ``python -m docs.tide``; it takes half a minute.
"""

import asyncio
import random
from pathlib import Path

import lowtide
from aiohttp import ClientSession, web
from lowtide.demo.service import application
from prometheus_client import CollectorRegistry

SVG = Path(__file__).with_suffix(".svg")
DEPLOYMENTS = (90, 130, 110)
"""Samples in each: how long it lives until the next restart."""
INTERVAL = 0.08
WIDTH, HEIGHT, MARGIN = 860, 260, 44


async def _deployment(samples):
    """Run the service under load that comes and goes, and sample the live tasks and their floor."""
    seen = []
    runner = web.AppRunner(application(), access_log=None)
    with lowtide.install(port=None, registry=CollectorRegistry()) as handle:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/promo/"
        async with ClientSession() as session, asyncio.TaskGroup() as group:
            for i in range(samples):
                for _ in range(random.randint(2, 40 if i % 40 < 8 else 12)):
                    code = "FREE?user=7" if random.random() < 0.06 else "SUMMER"
                    group.create_task(_ask(session, url + code))
                await asyncio.sleep(INTERVAL)
                seen.append(handle.snapshot().loops[0].live)
        await runner.cleanup()
    return seen


async def _ask(session, url):
    async with session.get(url) as response:
        await response.read()


def _path(values, top, begin, count):
    step = (WIDTH - 2 * MARGIN) / count
    points = (
        f"{MARGIN + (begin + i) * step:.1f},{HEIGHT - MARGIN - value / top * (HEIGHT - 2 * MARGIN):.1f}"
        for i, value in enumerate(values)
    )
    return "M" + " L".join(points)


def _floor(values, window=14):
    return [min(values[max(0, i - window) : i + 1]) for i in range(len(values))]


def draw(deployments):
    """Draw the samples of all deployments, one after the other."""
    count, top = sum(map(len, deployments)), max(map(max, deployments))
    body, begin = [], 0
    for number, values in enumerate(deployments, 1):
        x = MARGIN + begin * (WIDTH - 2 * MARGIN) / count
        body += [
            f'<line x1="{x:.1f}" y1="{MARGIN - 12}" x2="{x:.1f}" y2="{HEIGHT - MARGIN}" class="deploy"/>',
            f'<text x="{x + 5:.1f}" y="{MARGIN - 2}">version {number}</text>',
            f'<path d="{_path(values, top, begin, count)}" class="live"/>',
            f'<path d="{_path(_floor(values), top, begin, count)}" class="floor"/>',
        ]
        begin += len(values)
    return _FRAME.format(
        width=WIDTH, height=HEIGHT, left=MARGIN, right=WIDTH - MARGIN, bottom=HEIGHT - MARGIN,
        below=HEIGHT - 14, top=top, body="\n".join(body), up=MARGIN + 4,
    )  # fmt: skip


_FRAME = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">
<title>Live tasks of a leaking service over three deployments: each raises the low-water mark until a restart</title>
<style>
rect {{ fill: #fff }} text {{ font: 13px sans-serif; fill: #333 }}
.live {{ fill: none; stroke: #9bbcd6; stroke-width: 1.3 }} .floor {{ fill: none; stroke: #c2410c; stroke-width: 2.4 }}
.deploy {{ stroke: #777; stroke-dasharray: 3 3 }} .axis {{ stroke: #333 }}
</style>
<rect width="{width}" height="{height}"/>
<line x1="{left}" y1="{bottom}" x2="{right}" y2="{bottom}" class="axis"/>
<text x="6" y="{up}">{top}</text><text x="24" y="{bottom}">0</text>
{body}
<line x1="{left}" y1="{below}" x2="74" y2="{below}" class="live"/><text x="82" y="250">live tasks</text>
<line x1="170" y1="{below}" x2="200" y2="{below}" class="floor"/>
<text x="208" y="250">their low-water mark: it falls only when a release restarts the process</text>
</svg>
"""


def main():
    SVG.write_text(draw([asyncio.run(_deployment(samples)) for samples in DEPLOYMENTS]))


if __name__ == "__main__":
    main()
