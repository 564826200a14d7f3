"""What is looked for on a page: findings, and what nobody should have to see."""

LEAKS = 20


ALL = LEAKS + 2 + 5


WITHIN = 30_000
"""Milliseconds that anything on a page gets to come true."""


VIEWS = ("tasks", "threads", "pauses", "finding")


def open_view(page, running, view):
    page.goto(
        f"{running.url}/debug/" + (f"tasks/{id_of(running, 'philosopher')}" if view == "finding" else view)
    )


def id_of(running, function):
    found = [each for each in running.json()["findings"] if each["coroutine"].endswith(f":{function}")]
    return found[0]["id"]


def heading_of(page):
    return page.locator("h1").inner_text()


def shown_on(page):
    """Return the functions of the findings on a page, and what their column of strays says."""
    rows = page.locator("table.findings tbody tr")
    return {
        row.locator("th a").inner_text().rpartition(":")[2]: row.locator("[data-is=stray]").inner_text()
        for row in rows.all()
    }


# Counts what sticks out of its box or the drawing, and what lies on something else.
OVERLAPS = """svg => {
  const at = node => node.getBoundingClientRect();
  const groups = [...svg.querySelectorAll('g.box')];
  const boxes = groups.map(group => at(group.querySelector('rect')));
  const wide = groups.flatMap((group, i) => [...group.querySelectorAll('text')].map(at).filter(
    line => line.right > boxes[i].right || line.bottom > boxes[i].bottom));
  const meet = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom - 2 && b.top < a.bottom - 2;
  const pairs = list => list.flatMap((a, i) => list.slice(i + 1).filter(b => meet(a, b)));
  const frame = at(svg);
  const says = [...svg.querySelectorAll('text.says')].map(at);
  const cut = says.filter(text => text.left < frame.left || text.right > frame.right || text.top < frame.top);
  return wide.length + cut.length + pairs(boxes).length + pairs(says).length;
}"""


# Returns the size of the smallest text in drawings as it is on the screen, and which labels of charts lie on another
# or stick out.
LETTERS = """() => {
  const drawings = [...document.querySelectorAll('svg[role=img]')], at = node => node.getBoundingClientRect();
  const sizes = drawings.flatMap(svg => [...svg.querySelectorAll('text')].map(
    text => parseFloat(getComputedStyle(text).fontSize) * at(svg).width / svg.viewBox.baseVal.width));
  const meet = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom - 3 && b.top < a.bottom - 3;
  const bad = drawings.filter(svg => svg.matches('.chart')).flatMap(svg => [...svg.querySelectorAll('text')].filter(
    (text, i, all) => at(text).left < at(svg).left - 1 || at(text).right > at(svg).right + 1
      || all.slice(i + 1).some(other => meet(at(text), at(other)))));
  return [Math.min(...sizes), bad.map(text => text.textContent)];
}"""


# Lists texts whose contrast is below 4.5, by the formula of WCAG 2.
CONTRAST = """() => {
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const bend = part => part <= .03928 ? part / 12.92 : ((part + .055) / 1.055) ** 2.4;
  const light = colour => [.2126, .7152, .0722].reduce((sum, share, i) => sum + share * bend(colour[i] / 255), 0);
  const behind = node => {
    const back = parse(getComputedStyle(node).backgroundColor);
    return back.length < 4 || back[3] > 0 ? back : behind(node.parentElement);
  };
  const contrast = node => {
    const [less, more] = [parse(getComputedStyle(node).color), behind(node)].map(light).sort((x, y) => x - y);
    return (more + .05) / (less + .05);
  };
  const texts = 'p, dt, dd, td, th, a, h1, h2, li, button, .badge, figcaption, code';
  return [...document.querySelectorAll(texts)].filter(node => node.textContent.trim() && contrast(node) < 4.5)
    .map(node => node.outerHTML.slice(0, 120));
}"""
