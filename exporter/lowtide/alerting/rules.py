"""The rules file, put together from the groups and the settings."""

import re
from collections.abc import Callable, Mapping
from importlib.resources import files

HEADER = """\
# Alert rules of lowtide. Printed by `lowtide rules`: change settings there (--set), not here.
# Severity `page` wakes somebody, `ticket` is looked at in working hours.
groups:
"""

KUBERNETES = """\
# Printed by `lowtide rules --kubernetes`.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: lowtide
  labels:
    app.kubernetes.io/name: lowtide
spec:
  groups:
"""

# What labels a process has, in Mimir and Thanos too, where one evaluation sees many clusters.
JOB = "cluster, namespace, job"
PROCESS = f"{JOB}, instance, worker"


def render(settings: Mapping[str, str], kubernetes: bool = False) -> str:
    """Return the rules as YAML text, for Prometheus' ``rule_files`` or as a PrometheusRule."""
    words = dict(settings) | _derived(settings)
    groups = "".join(_expand(text, words) for text in _templates())
    if not kubernetes:
        return HEADER + groups
    return KUBERNETES + "".join(
        f"  {line}" if line.strip() else line for line in groups.splitlines(keepends=True)
    )


def _templates() -> list[str]:
    folder = files("lowtide.alerting").joinpath("groups")
    paths = sorted(
        (path for path in folder.iterdir() if path.name.endswith(".yml")), key=lambda path: path.name
    )
    return [path.read_text(encoding="utf-8") for path in paths]


def _derived(settings: Mapping[str, str]) -> dict[str, str]:
    select = ", ".join(filter(None, (f"job{settings['job']}", settings["selector"])))
    return {
        "process": PROCESS,
        "job": JOB,
        "select": select,
        "origins": ", ".join(filter(None, (select, settings["ignore"]))),
        "memory_part": _memory_part(settings),
    }


def _expand(text: str, words: Mapping[str, str]) -> str:
    """Replace ``<<word>>`` and ``<<macro argument ...>>``; macros may hold words."""

    def replace(found: re.Match[str]) -> str:
        name, *arguments = found[1].split()
        text = MACROS[name](words, *arguments) if name in MACROS else words[name]
        return _expand(text, words) if "<<" in text else text

    return re.sub(r"<<([^<>]+)>>", replace, text)


def _memory_part(settings: Mapping[str, str]) -> str:
    limit = settings["memory_limit"]
    if float(limit) == 0:
        return "        # Memory is not judged: set memory_limit to have it."
    return f"""\
        or (
          predict_linear(process_resident_memory_bytes{{<<select>>}}[2h], <<horizon>>) > {limit}
          and process_resident_memory_bytes > 0.3 * {limit}
          and on (<<process>>) (instance:lowtide_process:start_seconds < time() - 2 * 3600)
          and on (<<job>>) job_coroutine:lowtide_leak:now
        )"""


def _runbook(words: Mapping[str, str], alert: str) -> str:
    return f"{words['runbooks']}/{alert}.md"


def _dashboard(words: Mapping[str, str]) -> str:
    """Link to what the labels name, six hours of it, in milliseconds. Only `query` knows the time."""
    now = '{{ with query "vector(time())" }}{{ . | first | value | printf "%.0f" }}000{{ end }}'
    start = now.replace("time()", "time() - 21600")
    board = "{{ if $labels.instance }}lowtide-process{{ else }}lowtide-fleet{{ end }}"
    return f"'{words['dashboard']}/d/{board}?from={start}&to={now}{''.join(map(_variable, VARIABLES))}'"


def _variable(variable: str) -> str:
    """Fill a variable of the dashboards with the labels of this alert that stand for it."""
    filled = (
        f"{{{{ if $labels.{label} }}}}&var-{variable}={{{{ $labels.{label} | urlquery }}}}{{{{ end }}}}"
        for label in VARIABLES[variable]
    )
    return "".join(filled)


# The variables of both dashboards, and the labels that choose their values.
VARIABLES = {
    "cluster": ("cluster",),
    "namespace": ("namespace",),
    "job": ("job",),
    "version": ("version", "previous_version"),
    "instance": ("instance",),
    "origin": ("coroutine",),
}

MACROS: dict[str, Callable[..., str]] = {"runbook": _runbook, "dashboard": _dashboard}
