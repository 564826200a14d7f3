"""The deployment: which service and version this process is, where nobody says so."""

import os
import sys
from collections.abc import Mapping
from functools import cache
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
    main = main or sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    found = _distribution(getattr(spec, "name", None), getattr(main, "__file__", None))
    if found is None:
        return service, version
    # A version belongs to its service: that of the distribution is no use under another name.
    if service in {"", found.name}:
        version = version or found.version
    return service or found.name, version


def _resource_attributes(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split(","))
    return {key.strip(): unquote(value.strip()) for key, _, value in pairs if key.strip()}


@cache  # it reads the metadata of everything installed
def _distribution(module: str | None, path: str | None) -> metadata.Distribution | None:
    if module is not None:  # python -m package
        names = metadata.packages_distributions().get(module.partition(".")[0], [])
        return metadata.distribution(names[0]) if names else None
    for entry in metadata.entry_points(group="console_scripts", name=Path(path or "").name):
        return entry.dist
    return None
