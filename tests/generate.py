"""Rewrite what is generated: the README's table of metrics, the golden page, alerts, dashboards."""

import asyncio
from pathlib import Path

from lowtide import alerting
from lowtide.alerting.settings import defaults
from lowtide.publish.catalog import CATALOG

from dashboards import build
from tests import chaos
from tests.publish.test_page import GOLDEN, golden_page

README = Path(__file__).parents[1] / "README.md"
RULE = Path(__file__).parents[1] / "deploy/kubernetes/prometheusrule.yaml"
ALERTS = Path(__file__).parents[1] / "alerts"
# What the wheel carries, beside the code that needs it; people look for it in alerts/.
ALERTMANAGER = Path(alerting.__file__).with_name("alertmanager.yml")
METRICS = "<!-- metrics: written by make generate -->\n", "<!-- end of metrics -->\n"
FAULTS = "<!-- faults: written by make generate -->\n", "<!-- end of faults -->\n"


def metrics_table() -> str:
    """Write the catalogue as a Markdown table."""
    rows = (
        f"| `{metric.name}` | {metric.kind.replace('gaugeh', 'gauge h')} "
        f"| {', '.join(f'`{label}`' for label in metric.labels)} | {metric.meaning} |\n"
        for metric in CATALOG
    )
    return "| metric | type | labels | meaning |\n|---|---|---|---|\n" + "".join(rows)


def faults_table() -> str:
    """Write what lowtide survives as a Markdown table."""
    rows = (
        f"| {fault.what} | {fault.happens} | `{fault.run.__module__.removeprefix('tests.')}.{fault.name}` |\n"
        for fault in chaos.load().values()
    )
    return "| fault | what happens | shown by |\n|---|---|---|\n" + "".join(rows)


def with_tables(readme: str) -> str:
    """Put each table in its place between its two marks."""
    for (begin, end), table in ((METRICS, metrics_table()), (FAULTS, faults_table())):
        before, _, rest = readme.partition(begin)
        _, _, after = rest.partition(end)
        readme = before + begin + table + end + after
    return readme


def main() -> None:
    README.write_text(with_tables(README.read_text()))
    (ALERTS / "lowtide.rules.yml").write_text(alerting.render(defaults()))
    (ALERTS / "alertmanager.yml").write_text(ALERTMANAGER.read_text())
    build.main()
    RULE.write_text(alerting.render(defaults(), kubernetes=True))
    loop = asyncio.new_event_loop()
    GOLDEN.write_text(golden_page(loop))
    loop.close()


if __name__ == "__main__":
    main()
