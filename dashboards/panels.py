"""Panels over time, and numbers: each with a description, a unit, a legend and the chosen data source."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from grafana_foundation_sdk.builders import (
    common as commons,
)
from grafana_foundation_sdk.builders import (
    dashboard as builders,
)
from grafana_foundation_sdk.builders import (
    heatmap as heat,
)
from grafana_foundation_sdk.builders import (
    stat as stats,
)
from grafana_foundation_sdk.builders import (
    timeseries,
)
from grafana_foundation_sdk.models import common, dashboard
from grafana_foundation_sdk.models import heatmap as heat_models
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue as Property

from dashboards.variables import DATASOURCE, query

RED, ORANGE, YELLOW, GREEN, BLUE, GREY = "red", "orange", "yellow", "green", "blue", "#8e8e8e"

# Pixels that a point stands for. Grafana asks for one per pixel, which nobody can tell apart, and what Prometheus has
# to work out goes with the points: over a day of twenty processes this is what a query takes.
_PER_POINT = 4
_COLUMN = 80
"""Pixels of one of the 24 columns, on a screen of 1920."""
FEW = 400
"""Points at most of a panel with few series: four minutes of a day."""
COSTLY = 96
"""Points of one that works out a series for each origin, flow or bucket: a quarter of an hour of a day."""


def _points(span: int, beside: int = 0) -> int:
    """Return how many points there is room for: the legend beside takes some."""
    return (span * _COLUMN - beside) // _PER_POINT


Steps = Sequence[tuple[float, str]]
"""From which value on which colour; below the first, green."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a series is drawn: its colour, and whether it is a backdrop, dashed, or on the right axis."""

    colour: str
    fill: int = 0
    width: int = 2
    dashed: bool = False
    right: str = ""


@dataclass(frozen=True, slots=True)
class Drawing:
    """How a panel is drawn: its size on a grid of 24, its series on top of each other, or each with a look.

    ``names`` is the width in pixels of a legend that can have many rows, ``empty`` what no data means, and
    ``most`` how many points are asked for at most. Without ``zeros`` a series that is never above 0 is not shown:
    it only keeps its place in the row of colours.
    """

    span: int = 12
    height: int = 8
    stacked: bool = False
    looks: Mapping[str, Look] = field(default_factory=dict)
    names: int = 300
    empty: str = ""
    most: int = FEW
    zeros: bool = True


def lines(
    title: str,
    description: str,
    unit: str,
    queries: Sequence[tuple[str, str]],
    drawing: Drawing = Drawing(),
) -> timeseries.Panel:
    """Draw series over time. Those that are known have looks, and their legend below; others have it beside them."""
    made = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit(unit)
        .min(0)
        .max_data_points(min(drawing.most, _points(drawing.span, 0 if drawing.looks else drawing.names)))
        .span(drawing.span)
        .height(drawing.height)
        .targets(
            [query(expr, legend, letter) for (expr, legend), letter in zip(queries, "ABCDEF", strict=False)]
        )
        .color_scheme(builders.FieldColor().mode(dashboard.FieldColorModeId.PALETTE_CLASSIC))
        .thresholds(thresholds(()))
        .line_width(2)
        .fill_opacity(35 if drawing.stacked else 0)
        .show_points(common.VisibilityMode.NEVER)
        .legend(legend(0 if drawing.looks else drawing.names))
        .tooltip(tooltip())
    )
    if drawing.stacked:
        made = made.stacking(commons.StackingConfig().mode(common.StackingMode.NORMAL).group("A"))
    if drawing.empty:
        made = made.no_value(drawing.empty)
    if not drawing.zeros:
        made = made.with_override(_NEVER_ABOVE_ZERO, [Property("custom.hideFrom", _EVERYWHERE)])
    for name, look in drawing.looks.items():
        made = made.override_by_name(name, _properties(look))
    return made


_NEVER_ABOVE_ZERO = dashboard.MatcherConfig(
    id_val="byValue", options={"reducer": "max", "op": "lte", "value": 0}
)
_EVERYWHERE = {"legend": True, "tooltip": True, "viz": True}


def legend(beside: int) -> commons.VizLegendOptions:
    """Name the series in a row below, or with their last values in a table beside them, of so many pixels."""
    # The builder's default hides legends.
    made = commons.VizLegendOptions().show_legend(True)
    if not beside:
        return (
            made.display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
            .calcs([])
        )
    return (
        made.display_mode(common.LegendDisplayMode.TABLE)
        .placement(common.LegendPlacement.RIGHT)
        .width(beside)
        .calcs(["lastNotNull"])
        .sort_by("Last *")
        .sort_desc(True)
    )


def tooltip() -> commons.VizTooltipOptions:
    """Show all series at the mouse, the highest first."""
    return commons.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING)


def _properties(look: Look) -> list[Property]:
    found = [
        Property("color", {"mode": "fixed", "fixedColor": look.colour}),
        Property("custom.fillOpacity", look.fill),
        Property("custom.lineWidth", look.width),
    ]
    if look.dashed:
        found.append(Property("custom.lineStyle", {"fill": "dash", "dash": [8, 8]}))
    if look.right:
        found += [
            Property("unit", look.right),
            Property("custom.axisPlacement", "right"),
            Property("custom.axisColorMode", "series"),
        ]
    return found


def number(
    title: str, description: str, unit: str, expression: str, *, steps: Steps = (), span: int = 4
) -> stats.Panel:
    """Show one number, coloured by where it stands between the steps."""
    return (
        stats.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit(unit)
        .max_data_points(_points(span))
        .span(span)
        .height(4)
        .targets([query(expression, title, "A")])
        .color_mode(common.BigValueColorMode.BACKGROUND_SOLID if steps else common.BigValueColorMode.NONE)
        .graph_mode(common.BigValueGraphMode.AREA if steps else common.BigValueGraphMode.NONE)
        .reduce_options(commons.ReduceDataOptions().calcs(["lastNotNull"]))
        .color_scheme(builders.FieldColor().mode(dashboard.FieldColorModeId.THRESHOLDS))
        .thresholds(thresholds(steps))
    )


def thresholds(steps: Steps, below: str = GREEN) -> builders.ThresholdsConfig:
    """Say from which value on which colour holds, and which below the first."""
    first = dashboard.Threshold(value=None, color=below)
    rest = [dashboard.Threshold(value=value, color=color) for value, color in steps]
    return builders.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps([first, *rest])


def plume(title: str, description: str, expression: str, height: int) -> heat.Panel:
    """Draw the ages of tasks as a heat map. Its scale says which colour is more: in the dark it is turned around."""
    return (
        heat.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .max_data_points(_points(12))
        .span(12)
        .height(height)
        .targets([query(expression, "{{le}}", "A", "heatmap")])
        .calculate(False)
        .color(
            heat.HeatmapColorOptions()
            .mode(heat_models.HeatmapColorMode.SCHEME)
            .scheme("Oranges")
            .fill("dark-orange")
            .scale(heat_models.HeatmapColorScale.EXPONENTIAL)
            .exponent(0.5)
            .steps(64)
            .reverse(False)
        )
        .cell_gap(1)
        .filter_values(heat.FilterValueRange().le(1e-9))
        .rows_frame(heat.RowsHeatmapOptions().layout(common.HeatmapCellLayout.AUTO))
        .y_axis(heat.YAxisConfig().unit("s").axis_placement(common.AxisPlacement.LEFT))
        .cell_values(heat.CellValues().unit("short"))
        .show_legend()
        .tooltip(heat.HeatmapTooltip().mode(common.TooltipDisplayMode.SINGLE).y_histogram(True))
        .unit("short")
    )
