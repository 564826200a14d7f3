"""``lowtide dashboard``: print a Grafana dashboard that matches the installed version."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

_INSTALLED = Path(__file__).parent
# The wheel carries the files beside this one. An editable install has them where they are written, in the checkout.
_CHECKOUT = _INSTALLED.parents[2] / "dashboards"

NAMES = {
    "fleet": "all services: is any of them leaking, since which deployment, who is it",
    "process": "one process: tide and floor, ages, origins, proof, and what it costs",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Print a dashboard or write it to a file. Return 2 when it cannot be read or written."""
    parser = argparse.ArgumentParser(prog="lowtide dashboard", description="Print a Grafana dashboard.")
    arguments(parser)
    return run(parser.parse_args(argv))


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``lowtide dashboard``."""
    lines = [f"  {name:8} {meaning}" for name, meaning in NAMES.items()]
    parser.epilog = (
        "dashboards:\n" + "\n".join(lines) + "\n\n"
        "Import the JSON in Grafana under Dashboards, New, Import.\n"
        "The fleet's needs the rules that `lowtide rules` prints loaded in Prometheus."
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("name", choices=NAMES, help="which one")
    parser.add_argument(
        "--kubernetes",
        choices=_RESOURCES,
        metavar="KIND",
        help="print a resource instead: configmap (for Grafana's sidecar) or grafanadashboard (for its operator)",
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="write to a file instead of the screen")


def run(options: argparse.Namespace) -> int:
    """Do what the arguments say."""
    try:
        text = dashboard(options.name)
        if options.kubernetes:
            text = _RESOURCES[options.kubernetes](f"lowtide-{options.name}", text)
        if options.output is not None:
            options.output.write_text(text, encoding="utf-8")
    except OSError as error:
        sys.stderr.write(f"lowtide dashboard: {error}\n")
        return 2
    if options.output is None:
        sys.stdout.write(text)
    return 0


def dashboard(name: str) -> str:
    """Return the JSON of the dashboard ``fleet`` or ``process``. Raise OSError if this install has lost it."""
    folder = next(
        (each for each in (_INSTALLED, _CHECKOUT) if (each / f"lowtide-{name}.json").exists()), None
    )
    if folder is None:
        raise FileNotFoundError(
            f"no lowtide-{name}.json in {_INSTALLED} or {_CHECKOUT}: install lowtide again"
        )
    return (folder / f"lowtide-{name}.json").read_text(encoding="utf-8")


def _configmap(name: str, text: str) -> str:
    return f"""\
# Printed by `lowtide dashboard --kubernetes configmap`. Grafana's sidecar loads what has this label.
apiVersion: v1
kind: ConfigMap
metadata:
  name: {name}
  labels:
    app.kubernetes.io/name: lowtide
    grafana_dashboard: "1"
data:
  {name}.json: |
{_indented(text)}"""


def _grafanadashboard(name: str, text: str) -> str:
    return f"""\
# Printed by `lowtide dashboard --kubernetes grafanadashboard`, for the operator of Grafana, version 5.
# Set datasourceName to what your Grafana calls its Prometheus, and the labels to those of your Grafana.
apiVersion: grafana.integreatly.org/v1beta1
kind: GrafanaDashboard
metadata:
  name: {name}
  labels:
    app.kubernetes.io/name: lowtide
spec:
  instanceSelector:
    matchLabels:
      dashboards: grafana
  datasources:
    - inputName: DS_PROMETHEUS
      datasourceName: Prometheus
  json: |
{_indented(text)}"""


def _indented(text: str) -> str:
    return "".join(f"    {line}" for line in text.splitlines(keepends=True))


_RESOURCES: dict[str, Callable[[str, str], str]] = {
    "configmap": _configmap,
    "grafanadashboard": _grafanadashboard,
}
