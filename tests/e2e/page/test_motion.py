"""Nothing moves on the page but what it shows, least of all for those who asked for that."""

import pytest

from tests.e2e.page.looks import VIEWS, open_view

MOTIONS = ["reduce", "no-preference"]

# Lists what is animated, or would be once something changes: also before and after elements.
MOVING = """() => {
  const found = document.getAnimations().map(each => `runs: ${each.constructor.name}`);
  const still = value => value.split(',').every(part => parseFloat(part) === 0);
  for (const node of document.querySelectorAll('*')) {
    for (const part of [null, '::before', '::after']) {
      const style = getComputedStyle(node, part);
      if (!still(style.transitionDuration) || !still(style.animationDuration) || style.scrollBehavior === 'smooth')
        found.push(`would move: ${node.tagName} ${part || ''}`);
    }
  }
  return found;
}"""

# Counts points of the canvas that are not of one colour with its corner.
INK = """() => {
  const canvas = document.querySelector('#tide canvas');
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  let count = 0;
  for (let at = 3; at < data.length; at += 4) count += data[at] > 0;
  return count;
}"""


@pytest.mark.parametrize("motion", MOTIONS)
@pytest.mark.parametrize("view", VIEWS)
def test_nothing_is_animated(page, leaks, view, motion):
    page.emulate_media(reduced_motion=motion)
    open_view(page, leaks, view)
    page.wait_for_load_state("networkidle")
    assert page.evaluate(MOVING) == []
    for each in page.locator("nav a, button, .chart rect, summary").all()[:12]:
        if each.is_visible():
            each.hover()
            assert page.evaluate(MOVING) == []


@pytest.mark.parametrize("motion", MOTIONS)
def test_where_one_signs_in_nothing_is_animated(page, guarded, motion):
    page.emulate_media(reduced_motion=motion)
    page.goto(f"{guarded.url}/debug/tasks")
    assert page.evaluate(MOVING) == []
    page.troubles.clear()  # Chromium logs refused pages


@pytest.mark.parametrize(
    "planted",
    [
        "node.style.transition = 'opacity 2s'",
        "node.animate([{opacity: 0}, {opacity: 1}], 5000)",
        "document.documentElement.style.scrollBehavior = 'smooth'",
    ],
)
def test_a_planted_animation_is_found(page, leaks, planted):
    page.emulate_media(reduced_motion="reduce")
    open_view(page, leaks, "threads")
    page.evaluate(f"() => {{ const node = document.querySelector('h1'); {planted}; }}")
    assert page.evaluate(MOVING) != []


@pytest.mark.parametrize("motion", MOTIONS)
def test_the_chart_of_live_tasks_shows_its_data_and_goes_on(page, leaks, motion):
    page.emulate_media(reduced_motion=motion)
    page.goto(f"{leaks.url}/debug/tasks")
    page.wait_for_selector("#tide canvas")
    page.wait_for_function(f"({INK})() > 1000")
    before = page.locator(".readout").inner_text()
    assert f"{leaks.json()['totals']['live']} live" in before
    page.wait_for_function("before => document.querySelector('.readout').textContent !== before", arg=before)
    assert page.evaluate(INK) > 1000
