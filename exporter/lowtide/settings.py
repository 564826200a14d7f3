"""Settings: from arguments, LOWTIDE_… environment variables and a YAML file, in this order."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import Enum
from pathlib import Path
from typing import Any, Final

import yaml

from lowtide.expected import ALLOWED, EntryError, Expected, expected
from lowtide.quoting import YAML_TROUBLE, cut, quoted, yaml_complaint


class Unset(Enum):
    """The type of UNSET: says that an argument was not given, where None means something."""

    UNSET = "unset"

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = Unset.UNSET


@dataclass(frozen=True, slots=True)
class Settings:
    """What ``install()`` goes by. Times are in seconds; ``port`` None means to serve nothing."""

    service: str = ""
    version: str = ""
    revision: str = ""
    host: str = "127.0.0.1"
    port: int | None = 9788
    aged_after: float = 600.0
    max_origins: int = 100
    stray_after: float = 30.0
    max_flows: int = 100
    expected: tuple[Expected, ...] = ()
    token: str = field(default="", repr=False)
    protect_metrics: bool = False
    web_config: str = ""
    dir: str = ""
    """Where the workers of one port meet; empty if there is only one process."""


def _text(value: Any) -> str:
    # A version like 1.4 is a number to YAML, and a name to everybody else.
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    raise ValueError


def _path(value: Any) -> str:
    path = os.fspath(value) if isinstance(value, (str, os.PathLike)) else None
    if not isinstance(path, str) or "\0" in path:
        raise ValueError
    return path


def _port(value: Any) -> int | None:
    if value is None or (isinstance(value, str) and value.lower() == "none"):
        return None
    number = int(value) if isinstance(value, str) else value
    if type(number) is not int or not 0 <= number <= 65535:
        raise ValueError
    return number


_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def duration(value: Any) -> float:
    """Read seconds from a number, or from text such as ``30s`` or ``10m``; ValueError otherwise."""
    if isinstance(value, str):
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", value.strip())
        if match is None:
            raise ValueError
        value = float(match[1]) * _UNITS[match[2]]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
        raise ValueError
    return float(value)


def _count(value: Any) -> int:
    number = int(value) if isinstance(value, str) else value
    if type(number) is not int or not 1 <= number <= 10_000:
        raise ValueError
    return number


def _folder(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError
    # A worker may change its directory before it installs, and another may not.
    return os.path.abspath(value) if value else ""  # noqa: PTH100 (resolve() would follow a link that we refuse)


def _switch(value: Any) -> bool:
    words = {
        "true": True,
        "yes": True,
        "on": True,
        "1": True,
        "false": False,
        "no": False,
        "off": False,
        "0": False,
    }
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in words:
        return words[value.strip().lower()]
    raise ValueError


@dataclass(frozen=True, slots=True)
class _Kind:
    parse: Callable[[Any], Any]
    allowed: str


_NAME = _Kind(_text, "text")
_DURATION = _Kind(duration, "seconds above 0, or a number with s, m, h or d, such as 10m")
_COUNT = _Kind(_count, "a whole number from 1 to 10000")
_KINDS = {
    "service": _NAME,
    "version": _NAME,
    "revision": _NAME,
    "host": _NAME,
    "port": _Kind(_port, "a number from 0 (any free port) to 65535, or none (serve nothing)"),
    "aged_after": _DURATION,
    "max_origins": _COUNT,
    "stray_after": _DURATION,
    "max_flows": _COUNT,
    "expected": _Kind(expected, ALLOWED),
    "token": _NAME,
    "protect_metrics": _Kind(_switch, "true or false"),
    "web_config": _Kind(_path, "the path of a web configuration file"),
    "dir": _Kind(_folder, "the path of a directory"),
}
assert set(_KINDS) == {each.name for each in fields(Settings)}

_PREFIX = "LOWTIDE_"
_CONFIG = "LOWTIDE_CONFIG"
# Kubernetes and Docker set such variables for every service that is called lowtide.
_LINKED = re.compile(r"LOWTIDE_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)")
_LINKED_PORT = re.compile(r"(tcp|udp|sctp)://.*")


@dataclass(slots=True)
class _Source:
    name: str
    values: Mapping[str, Any]
    keys: dict[str, str] = field(default_factory=dict)


def load(arguments: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> Settings:
    """Merge the settings of all sources.

    Raises ValueError that names the source, the key, the value and what is allowed, and OSError where the file
    that ``LOWTIDE_CONFIG`` names can't be read.
    """
    given = {key: value for key, value in arguments.items() if value is not UNSET and value is not None}
    if arguments.get("port") is None and "port" in arguments:
        given["port"] = None
    sources = [_from_file(environ.get(_CONFIG)), _from_environment(environ), _Source("install()", given)]
    merged: dict[str, Any] = {}
    for source in sources:
        for key, value in source.values.items():
            merged[key] = _parse(source, key, value)
    return Settings(**merged)


def _parse(source: _Source, key: str, value: Any) -> Any:
    shown = source.keys.get(key, key)
    kind = _KINDS.get(key)
    if kind is None:
        raise ValueError(
            f"{source.name}: unknown setting {quoted(shown)} (value {quoted(value)}): "
            f"allowed are {', '.join(_KINDS)}"
        )
    try:
        return kind.parse(value)
    except EntryError as error:
        raise ValueError(f"{source.name}: {shown}{error}") from None
    except (ValueError, OverflowError):
        shown_value = "something else" if key == "token" else quoted(value)
        raise ValueError(f"{source.name}: {shown} should be {kind.allowed}, is {shown_value}") from None


def _from_environment(environ: Mapping[str, str]) -> _Source:
    found = {
        name: value
        for name, value in environ.items()
        if name.startswith(_PREFIX)
        and name != _CONFIG
        and not _LINKED.fullmatch(name)
        and not (name == "LOWTIDE_PORT" and _LINKED_PORT.fullmatch(value))
    }
    keys = {name.removeprefix(_PREFIX).lower(): name for name in found}
    return _Source("environment", {key: found[name] for key, name in keys.items()}, keys)


class _Loader(yaml.SafeLoader):
    """The safe loader, which says for every value that it can't construct in which line it is."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except YAML_TROUBLE as error:
            said = yaml_complaint(error).removeprefix("not valid YAML: ")
            raise yaml.constructor.ConstructorError(None, None, said, node.start_mark) from None


def _from_file(path: str | None) -> _Source:
    if not path:
        return _Source("no file", {})
    try:
        values = yaml.load(Path(path).read_bytes(), _Loader)  # noqa: S506 (a safe one)
    except (yaml.YAMLError, *YAML_TROUBLE) as error:
        raise ValueError(f"{cut(path)}: {yaml_complaint(error)}") from None
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise ValueError(  # noqa: TRY004 (it is the file's text that is wrong)
            f"{path}: should be a mapping of settings, is {type(values).__name__}"
        )
    return _Source(path, {_key(key): value for key, value in values.items()})


def _key(key: object) -> str:
    return key if isinstance(key, str) else quoted(key)
