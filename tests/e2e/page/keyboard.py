"""Somebody who has only a keyboard: where Tab stops, and what is wrong there."""

# Everything that a keyboard should stop at, in the order of the document.
FOCUSABLE = """() => [...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex]')]
  .filter(node => node.tabIndex >= 0 && !node.disabled && node.checkVisibility())"""

# Describes what has the focus. Its number is that of FOCUSABLE, and its faults are what an eye would miss.
STOP = f"""() => {{
  const node = document.activeElement;
  if (!node || node === document.body || node === document.documentElement) return null;
  const style = getComputedStyle(node), box = node.getBoundingClientRect();
  const middle = line => [(Math.max(line.left, 0) + Math.min(line.right, innerWidth)) / 2,
                          (Math.max(line.top, 0) + Math.min(line.bottom, innerHeight)) / 2];
  // Something inside it counts as it, and so does a sheet that it lies on: between the letters of a link.
  const isSeen = top => top && (node.contains(top) || (top.contains(node) && !top.matches('html, body')));
  const faults = Object.entries({{
    'no ring': style.outlineStyle === 'none' || parseFloat(style.outlineWidth) < 2,
    'ring in the colour of the page': style.outlineColor === getComputedStyle(document.body).backgroundColor,
    'out of turn': node.tabIndex > 0,
    'no size': box.width < 1 || box.height < 1,
    'off the screen': box.right < 1 || box.left > innerWidth - 1 || box.bottom < 1 || box.top > innerHeight - 1,
    'covered': ![...node.getClientRects()].some(line => isSeen(document.elementFromPoint(...middle(line)))),
  }}).filter(([, is]) => is).map(([fault]) => fault);
  const words = node.getAttribute('aria-label') || node.labels?.[0]?.textContent || node.textContent;
  const text = words.trim().replace(/\\s+/g, ' ').slice(0, 80);
  return {{ number: ({FOCUSABLE})().indexOf(node), tag: node.tagName, text, faults }};
}}"""


def rest(page):
    """Let the page stand still: a part that is renewed meanwhile would lose its place."""
    page.evaluate("document.getElementById('pause')?.setAttribute('aria-pressed', 'true')")


def walk(page, key="Tab", begin=()):
    """Press a key until the focus has left the page, or is where it was before; return the stops."""
    stops = list(begin)
    for _ in range(page.evaluate(f"({FOCUSABLE})().length") + 1):
        page.keyboard.press(key)
        stop = page.evaluate(STOP)
        if stop is None or stop["number"] in [each["number"] for each in stops]:
            break
        stops.append(stop)
    return stops


def faults(page):
    """Walk through the page, from where the focus is, and back; return what somebody would complain about."""
    count = page.evaluate(f"({FOCUSABLE})().length")
    focused = page.evaluate(STOP)
    there = walk(page, begin=[focused] if focused else [])
    found = [f"{stop['tag']} {stop['text']!r}: {fault}" for stop in there for fault in stop["faults"]]
    if [stop["number"] for stop in there] != list(range(count)):
        found.append(f"stops at {[stop['number'] for stop in there]} of {count}")
    page.evaluate(f"({FOCUSABLE})().at(-1).focus()")
    back = walk(page, "Shift+Tab", [page.evaluate(STOP)])
    if [stop["number"] for stop in back] != list(reversed(range(count))):
        found.append(f"goes back over {[stop['number'] for stop in back]} of {count}")
    return found


def tab_to(page, text, tag=""):
    """Press Tab until what has a text, or that label, has the focus; return the stop."""
    for _ in range(80):
        page.keyboard.press("Tab")
        stop = page.evaluate(STOP)
        if stop and text in stop["text"] and tag in stop["tag"]:
            assert stop["faults"] == []
            return stop
    raise AssertionError(f"{text!r} can't be reached by Tab")
