"""Rewrite what is generated: the README's table of metrics, the golden page, alerts, dashboards."""

import asyncio
from pathlib import Path

from lowtide import alerting
from lowtide.alerting.settings import defaults
from lowtide.publish.catalog import CATALOG

from dashboards import build
from tests.publish.test_page import GOLDEN, golden_page

README = Path(__file__).parents[1] / "README.md"
RULE = Path(__file__).parents[1] / "deploy/kubernetes/prometheusrule.yaml"
ALERTS = Path(__file__).parents[1] / "alerts"
# What the wheel carries, beside the code that needs it; people look for it in alerts/.
ALERTMANAGER = Path(alerting.__file__).with_name("alertmanager.yml")
BEGIN, END = "<!-- metrics: written by make generate -->\n", "<!-- end of metrics -->\n"


def metrics_table() -> str:
    """Write the catalogue as a Markdown table."""
    rows = (
        f"| `{metric.name}` | {metric.kind.replace('gaugeh', 'gauge h')} "
        f"| {', '.join(f'`{label}`' for label in metric.labels)} | {metric.meaning} |\n"
        for metric in CATALOG
    )
    return "| metric | type | labels | meaning |\n|---|---|---|---|\n" + "".join(rows)


def with_table(readme: str) -> str:
    """Put the table in its place between the two marks."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + metrics_table() + END + after


def main() -> None:
    README.write_text(with_table(README.read_text()))
    (ALERTS / "lowtide.rules.yml").write_text(alerting.render(defaults()))
    (ALERTS / "alertmanager.yml").write_text(ALERTMANAGER.read_text())
    build.main()
    RULE.write_text(alerting.render(defaults(), kubernetes=True))
    loop = asyncio.new_event_loop()
    GOLDEN.write_text(golden_page(loop))
    loop.close()


if __name__ == "__main__":
    main()
