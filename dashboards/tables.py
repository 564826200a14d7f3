"""Tables and bars: panels that show what holds now, a row or a bar for each set of labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import barchart
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import table as tables
from grafana_foundation_sdk.models import common, dashboard
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue as Property

from dashboards.panels import ORANGE, Drawing, Steps, legend, thresholds, tooltip
from dashboards.variables import DATASOURCE, query


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: a label, or a query's value with its unit, its colours and the words for its values."""

    title: str
    expression: str = ""
    label: str = ""
    unit: str = "short"
    steps: Steps = ()
    words: Mapping[float, tuple[str, str]] | None = None
    width: int = 0
    link: tuple[str, str] = ("", "")


def rows(
    title: str,
    description: str,
    columns: Sequence[Column],
    order: str,
    drawing: Drawing,
    empty: str = "",
) -> tables.Panel:
    """Show what holds now, a row for each set of labels.

    The first row is that with the highest value of ``order``: a column's title, or a query that is not shown.
    """
    values = {column.title: column.expression for column in columns if column.expression}
    if order not in values:
        values["order"] = order
    letters = dict(zip(values, "ABCDEFGHI", strict=False))
    # With a single query, Grafana leaves its letter away.
    names = {title: f"Value #{letter}" if len(values) > 1 else "Value" for title, letter in letters.items()}
    fields = {column.title: column.label or names[column.title] for column in columns}
    first = names.get(order) or names["order"]
    hidden = {"Time": True} | ({first: True} if order not in fields else {})
    made = (
        tables.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit("short")
        .span(drawing.span)
        .height(drawing.height)
        .targets([query(values[title], "", letter, "table") for title, letter in letters.items()])
        .thresholds(thresholds(()))
        .cell_height(common.TableCellHeight.SM)
        .show_header(True)
        .with_transformation(_change("merge"))
        .with_transformation(_change("sortBy", sort=[{"field": first, "desc": True}]))
        .with_transformation(
            _change(
                "organize",
                excludeByName=hidden,
                indexByName={fields[column.title]: place for place, column in enumerate(columns)},
                renameByName={},
            )
        )
    )
    if empty:
        made = made.no_value(empty)
    for column in columns:
        made = made.override_by_name(fields[column.title], _cells(column))
    return made


def _change(kind: str, **options: Any) -> dashboard.DataTransformerConfig:
    return dashboard.DataTransformerConfig(id_val=kind, options=options)


def _cells(column: Column) -> list[Property]:
    found = [Property("displayName", column.title)]
    if column.expression:
        found.append(Property("unit", column.unit))
    if column.width:
        found.append(Property("custom.width", column.width))
    if column.steps or column.words:
        found.append(Property("custom.cellOptions", {"type": "color-background", "mode": "basic"}))
    if column.steps:
        found.append(Property("thresholds", thresholds(column.steps, "transparent").build().to_json()))
        found.append(Property("color", {"mode": "thresholds"}))
    if column.words:
        found.append(Property("mappings", [_mapping(column.words)]))
    if column.link[0]:
        found.append(Property("links", [{"title": column.link[0], "url": column.link[1]}]))
    return found


def _mapping(words: Mapping[float, tuple[str, str]]) -> dict[str, Any]:
    return {
        "type": "value",
        "options": {
            f"{value:g}": {"text": text, "color": colour, "index": place}
            for place, (value, (text, colour)) in enumerate(words.items())
        },
    }


def bars(title: str, description: str, expression: str, x: str, order: str) -> barchart.Panel:
    """Show a bar for each row of now, named by the label ``x``, in the order of the label ``order``."""
    return (
        barchart.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit("short")
        .span(12)
        .height(9)
        .targets([query(expression, "", "A", "table")])
        .x_field(x)
        .x_tick_label_max_length(24)
        .x_tick_label_rotation(-45)
        .show_value(common.VisibilityMode.ALWAYS)
        .group_width(0.7)
        .bar_width(0.9)
        .fill_opacity(80)
        # One colour: how high a bar is says enough, and which height is too high no number can tell.
        .color_scheme(builders.FieldColor().mode(dashboard.FieldColorModeId.FIXED).fixed_color(ORANGE))
        .thresholds(thresholds(()))
        .legend(legend(0))
        .tooltip(tooltip())
        .override_by_name("Value", [Property("displayName", title)])
        .with_transformation(
            dashboard.DataTransformerConfig(
                id_val="sortBy", options={"sort": [{"field": order, "desc": False}]}
            )
        )
        .with_transformation(
            dashboard.DataTransformerConfig(
                id_val="filterFieldsByName", options={"include": {"names": [x, "Value"]}}
            )
        )
    )
