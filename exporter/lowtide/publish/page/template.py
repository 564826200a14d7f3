"""Templates: HTML by jinja2, with everything escaped, written in breaths."""

from functools import partial
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from lowtide.publish.page.words import lasting, number, plural, short_file, visible
from lowtide.record.watcher import Breath


def name(text: object) -> Markup:
    """Isolate a stranger's name: it can't turn the direction of what stands beside it, and may break anywhere.

    Better than anywhere is where its module ends.
    """
    return Markup("<bdi>{}</bdi>").format(Markup(":<wbr>").join(visible(text).split(":", 1)))


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("lowtide.publish.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "name": name,
        "number": number,
        "lasting": lasting,
        "visible": visible,
        "file": short_file,
    }
    made.globals |= {"plural": plural}
    return made


_ENVIRONMENT = _environment()


def render(template: str, **values: Any) -> bytes:
    """Render a template. Lets the application run every millisecond: a page may have a hundred rows."""
    breath = Breath()
    pieces = []
    for piece in _ENVIRONMENT.get_template(template).generate(values):
        pieces.append(piece)
        breath.take()
    return "".join(pieces).encode("utf-8", "replace")


def warm() -> None:
    """Compile all templates: it takes some 50 ms of Python, which no request should cost."""
    for template in _ENVIRONMENT.list_templates():
        _ENVIRONMENT.get_template(template)


tasks_page = partial(render, "tasks.html")
finding_page = partial(render, "finding.html")
threads_page = partial(render, "threads.html")
pauses_page = partial(render, "pauses.html")
workers_page = partial(render, "workers.html")
refused_page = partial(render, "refused.html")
