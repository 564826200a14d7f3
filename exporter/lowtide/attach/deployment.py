"""The deployment: which service and version this process is, where nobody says so."""

import os
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from urllib.parse import unquote


def deployment(
    service: str, version: str, environ: Mapping[str, str] = os.environ, main: object | None = None
) -> tuple[str, str]:
    """Complete service and version from OpenTelemetry's variables, then from the distribution of ``__main__``.

    What can't be found stays empty.
    """
    if service and version:
        return service, version
    attributes = _resource_attributes(environ.get("OTEL_RESOURCE_ATTRIBUTES", ""))
    service = service or environ.get("OTEL_SERVICE_NAME", "") or attributes.get("service.name", "")
    version = version or attributes.get("service.version", "")
    if service and version:
        return service, version
    found = _distribution(main or sys.modules.get("__main__"))
    if found is None:
        return service, version
    # A version belongs to its service: that of the distribution is no use under another name.
    if service in {"", found.name}:
        version = version or found.version
    return service or found.name, version


def _resource_attributes(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split(","))
    return {key.strip(): unquote(value.strip()) for key, _, value in pairs if key.strip()}


def _distribution(main: object | None) -> metadata.Distribution | None:
    spec = getattr(main, "__spec__", None)
    if spec is not None:  # python -m package
        package = str(spec.name).partition(".")[0]
        names = metadata.packages_distributions().get(package, [])
        return metadata.distribution(names[0]) if names else None
    script = Path(getattr(main, "__file__", None) or "").name
    for entry in metadata.entry_points(group="console_scripts", name=script):
        return entry.dist
    return None
