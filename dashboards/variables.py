"""The variables, links and deployment marks that both dashboards share."""

from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import prometheus
from grafana_foundation_sdk.models import common, dashboard
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from dashboards.queries import CHOSEN, JOB, PROCESS, raw

DATASOURCE = common.DataSourceRef(type_val="prometheus", uid="${datasource}")

FLEET, PROCESS_UID = "lowtide-fleet", "lowtide-process"
RUNBOOKS = "https://github.com/lowtide/lowtide/blob/main/alerts/runbooks"

# The import dialog of Grafana asks for this one, and puts the answer where ${DS_PROMETHEUS} stands.
INPUTS = [
    {
        "name": "DS_PROMETHEUS",
        "label": "Prometheus",
        "description": "Scrapes services that run lowtide, and evaluates lowtide.rules.yml.",
        "type": "datasource",
        "pluginId": "prometheus",
        "pluginName": "Prometheus",
    }
]
REQUIRES = [
    {"type": "grafana", "id": "grafana", "name": "Grafana", "version": "11.0.0"},
    {"type": "datasource", "id": "prometheus", "name": "Prometheus", "version": "1.0.0"},
    *(
        {"type": "panel", "id": kind, "name": kind, "version": ""}
        for kind in ("barchart", "heatmap", "stat", "table", "timeseries")
    ),
]

ALL = dashboard.VariableOption(text="All", value="$__all", selected=True)


@dataclass(frozen=True, slots=True)
class Choice:
    """A variable: the metric and label that it finds its values in, what narrows them, what "All" is."""

    name: str
    metric: str
    above: tuple[str, ...]
    all_value: str
    meaning: str
    label: str = ""


# Cluster and namespace are labels that only some set-ups have: "All" has to find those without, too.
_CHOICES = (
    Choice("cluster", "asyncio_tasks", (), ".*", "If your Prometheus labels targets with a cluster."),
    Choice("namespace", "asyncio_tasks", ("cluster",), ".*", "If targets have a namespace."),
    Choice("job", "asyncio_tasks", ("cluster", "namespace"), ".+", "The services, as they are scraped."),
    Choice("version", "lowtide_deployment_info", JOB, ".*", "Versions, from lowtide_deployment_info."),
    Choice("instance", "lowtide_deployment_info", (*JOB, "version"), ".+", "Single processes."),
    Choice("origin", "asyncio_tasks_live", PROCESS, ".*", "The coroutines of tasks.", label="coroutine"),
)


def variables(*, one_process: bool) -> list[Any]:
    """Return the builders: the data source, then each choice, narrowed by those before it."""
    source = (
        builders.DatasourceVariable("datasource")
        .label("Data source")
        .description("A Prometheus, Thanos or Mimir that has lowtide's metrics.")
        .type("prometheus")
        .current(dashboard.VariableOption(text="${DS_PROMETHEUS}", value="${DS_PROMETHEUS}"))
    )
    found: list[Any] = [source]
    for choice in _CHOICES:
        variable = _variable(choice)
        # Without a current value Grafana takes the first it finds: one process, which can be read.
        first = one_process and choice.name == "instance"
        found.append(variable if first else variable.current(ALL))
    return found


def _variable(choice: Choice) -> builders.QueryVariable:
    narrowed = [CHOSEN["version"]] if "version" in choice.above else []
    labels = tuple(each for each in choice.above if each != "version")
    series = raw(choice.metric, *narrowed, labels=labels).removesuffix("{}")
    query = f"label_values({series}, {choice.label or choice.name})"
    return (
        builders.QueryVariable(choice.name)
        .label(choice.name.capitalize())
        .description(choice.meaning)
        .datasource(DATASOURCE)
        .query(query)
        .definition(query)
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.NATURAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(choice.all_value)
    )


def deployments(info: str, step: str) -> builders.AnnotationQuery:
    """Mark the moment at which a version appears that was not there five minutes before."""
    versions = f"count by ({', '.join((*JOB, 'version'))}) ({{}})"
    expression = f"{versions.format(info)} unless {versions.format(f'{info} offset 5m')}"
    return (
        builders.AnnotationQuery()
        .name("Deployments")
        .datasource(DATASOURCE)
        .enable(True)
        .icon_color("purple")
        .expr(expression)
        .step(step)
        .title_format("{{job}} {{version}}")
        .text_format("deployed")
        .tag_keys("job,version")
    )


def link(title: str, uid: str, tooltip: str) -> builders.DashboardLink:
    """Lead to the other dashboard with what is chosen here."""
    return (
        builders.DashboardLink(title)
        .type(dashboard.DashboardLinkType.LINK)
        .icon("dashboard")
        .tooltip(tooltip)
        .url(f"/d/{uid}")
        .include_vars(True)
        .keep_time(True)
    )


def outside(title: str, url: str, tooltip: str, icon: str) -> builders.DashboardLink:
    """Lead elsewhere."""
    return (
        builders.DashboardLink(title)
        .type(dashboard.DashboardLinkType.LINK)
        .icon(icon)
        .tooltip(tooltip)
        .url(url)
        .target_blank(True)
    )


def query(expression: str, legend: str, letter: str, kind: str = "range") -> prometheus.Dataquery:
    """Make one query of a panel: ``range`` over the shown time, ``heatmap``, or a ``table`` of now."""
    made = prometheus.Dataquery().datasource(DATASOURCE).expr(expression).legend_format(legend).ref_id(letter)
    if kind == "table":
        return made.instant().format(PromQueryFormat.TABLE)
    return made.range().format(PromQueryFormat.HEATMAP if kind == "heatmap" else PromQueryFormat.TIME_SERIES)
