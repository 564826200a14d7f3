"""flows.yaml: read with the line of everything, so that an error says where it is and what is allowed."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lowtide.hunt.draws import placeholders
from lowtide.hunt.plan import METHODS, WEBSOCKET, Call, Choices, Expected, Flow, Plan, Request
from lowtide.quoting import YAML_TROUBLE, cut, quoted, yaml_complaint
from lowtide.settings import duration

_URL = re.compile(r"https?://[^/\s]+\S*")
_TARGET = re.compile(r"[\w.]+:[\w.]+(\(\))?")


class FlowFileError(ValueError):
    """A flows.yaml that can't be read; the text says line, key, value, and what is allowed."""


@dataclass(frozen=True, slots=True)
class _Key:
    """One key of a mapping: how its value is read, and what is allowed."""

    parse: Callable[[Any], Any]
    allowed: str
    field: str = ""


class _Reader:
    """Reads one file."""

    def __init__(self, path: str, text: str) -> None:
        self._path = path
        self._loader = yaml.SafeLoader(text)

    def root(self) -> yaml.Node | None:
        try:
            return self._loader.get_single_node()
        except YAML_TROUBLE as error:
            raise FlowFileError(f"{self._path}: {yaml_complaint(error)}") from None

    def value(self, node: yaml.Node) -> Any:
        try:
            return self._loader.construct_object(node, deep=True)
        except YAML_TROUBLE as error:
            raise self.error(node, yaml_complaint(error)) from None

    def error(self, node: yaml.Node, text: str) -> FlowFileError:
        return FlowFileError(f"{self._path}:{node.start_mark.line + 1}: {text}")

    def fields(self, node: yaml.Node, where: str, keys: Mapping[str, _Key]) -> dict[str, Any]:
        """Read a mapping with these keys and no others."""
        found: dict[str, Any] = {}
        for name, key_node, value_node in self.pairs(node, where or "the file"):
            shown = f"{where}.{cut(name)}" if where else cut(name)
            if name not in keys:
                raise self.error(key_node, f"unknown key {quoted(shown)}: allowed are {', '.join(keys)}")
            key = keys[name]
            field = key.field or name
            if field in found:
                raise self.error(key_node, f"{shown} stands there twice: leave one out")
            value = self.value(value_node)
            try:
                found[field] = key.parse(value)
            except (ValueError, TypeError, OverflowError):
                raise self.error(value_node, f"{shown} should be {key.allowed}, is {quoted(value)}") from None
        return found

    def pairs(self, node: yaml.Node, where: str) -> list[tuple[str, yaml.Node, yaml.Node]]:
        if not isinstance(node, yaml.MappingNode):
            raise self.error(node, f"{where} should be a mapping, is {quoted(self.value(node))}")
        return [(self._name(key), key, value) for key, value in node.value]

    def _name(self, key: yaml.Node) -> str:
        name = self.value(key)
        return name if isinstance(name, str) else quoted(name)  # then it is refused as unknown

    def items(self, node: yaml.Node, where: str) -> list[yaml.Node]:
        if not isinstance(node, yaml.SequenceNode):
            raise self.error(node, f"{where} should be a list, is {quoted(self.value(node))}")
        return list(node.value)


def read(path: str) -> Plan:
    """Read a flows.yaml.

    Raises FlowFileError that names line, key, value and what is allowed, and OSError where it can't be read.
    """
    text = Path(path).read_bytes()
    try:
        return _plan(_Reader(path, text.decode()))
    except UnicodeDecodeError as error:
        raise FlowFileError(f"{path}: not valid YAML: {error}") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        said = yaml_complaint(ValueError(error.problem or error.context))
        raise FlowFileError(f"{path}:{line}: {said}") from None
    except yaml.YAMLError as error:
        raise FlowFileError(f"{path}: {yaml_complaint(error)}") from None


def _plan(reader: _Reader) -> Plan:
    root = reader.root()
    if root is None:
        raise FlowFileError(f"{reader._path}:1: the file is empty: allowed are {', '.join(_TOP)}")  # noqa: SLF001
    nodes = {name: value for name, _, value in reader.pairs(root, "the file")}
    top = reader.fields(root, "", _TOP)
    if "flows" not in nodes:
        raise reader.error(root, "flows are missing: add flows: with a list of requests or calls")
    shared: dict[str, Any] = {name: top.pop(name) for name in ("headers", "random", "timeout") if name in top}
    top["flows"] = tuple(
        _flow(reader, node, f"flows[{number}]", shared)
        for number, node in enumerate(reader.items(nodes["flows"], "flows"))
    )
    if "expected" in nodes:
        items = enumerate(reader.items(nodes["expected"], "expected"))
        top["expected"] = tuple(_expected(reader, node, f"expected[{number}]") for number, node in items)
    _check_names(reader, nodes["flows"], top["flows"])
    return Plan(**top)


def _check_names(reader: _Reader, node: yaml.Node, flows: tuple[Flow, ...]) -> None:
    if not flows:
        raise reader.error(node, "flows should have at least one flow, is []")
    seen: set[str] = set()
    for item, flow in zip(reader.items(node, "flows"), flows, strict=True):
        if flow.name in seen:
            raise reader.error(
                item, f"another flow is called {quoted(flow.name)} too: give one of them a name: of its own"
            )
        seen.add(flow.name)


def _flow(reader: _Reader, node: yaml.Node, where: str, shared: Mapping[str, Any]) -> Flow:
    keys = [name for name, _, _ in reader.pairs(node, where)]
    if "call" in keys:
        fields = {name: value for name, value in shared.items() if name != "headers"}
        fields |= reader.fields(node, where, _CALL)
        return Call(**{"name": fields["function"]} | fields | {"random": _merged("random", shared, fields)})
    if "path" not in keys:
        raise reader.error(node, f"{where} should have path: or call:, has {cut(', '.join(keys))}")
    fields = reader.fields(node, where, _REQUEST)
    merged = {"random": _merged("random", shared, fields), "headers": _merged("headers", shared, fields)}
    name = f"{fields.get('method', 'GET')} {fields['path']}"
    request = Request(**{"name": name} | dict(shared) | fields | merged)
    _check(reader, node, where, request)
    return request


def _merged(key: str, shared: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    return {**shared.get(key, {}), **fields.get(key, {})}


def _check(reader: _Reader, node: yaml.Node, where: str, request: Request) -> None:
    for name in placeholders(request.path):
        if name not in request.random:
            raise reader.error(
                node, f"{where}.path has {{{cut(name)}}} without values: add random: {{{cut(name)}: [a, b]}}"
            )
    if request.json is not None and request.body is not None:
        raise reader.error(node, f"{where} has json and body: leave one out")
    if request.method == WEBSOCKET and request.expect not in {(), (101,)}:
        raise reader.error(node, f"{where}.expect should be 101 for a websocket, is {quoted(request.expect)}")


def _expected(reader: _Reader, node: yaml.Node, where: str) -> Expected:
    fields = reader.fields(node, where, _EXPECTED)
    if "reason" not in fields:
        raise reader.error(node, f"{where} needs a reason: say why these may outlive their flow")
    if len(fields) == 1:
        raise reader.error(node, f"{where} should name a coroutine, a spawner or a thread")
    if "thread" in fields and len(fields) > 2:
        raise reader.error(node, f"{where} has a thread and a task: make it two entries")
    return Expected(**fields)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError
    return value


def _url(value: Any) -> str:
    if not _URL.fullmatch(_text(value)):
        raise ValueError
    return str(value).rstrip("/")


def _service(value: Any) -> str:
    return _url(value) if "://" in _text(value) else _target(value)


def _target(value: Any) -> str:
    if not _TARGET.fullmatch(_text(value)):
        raise ValueError
    return str(value)


def _path(value: Any) -> str:
    if not _text(value).startswith("/"):
        raise ValueError
    return str(value)


def _method(value: Any) -> str:
    if _text(value).upper() not in METHODS:
        raise ValueError
    return str(value).upper()


def _count(value: Any) -> int:
    if type(value) is not int or not 1 <= value <= 100_000:
        raise ValueError
    return value


def _statuses(value: Any) -> tuple[int, ...]:
    codes = tuple(value) if isinstance(value, list) else (value,)
    if not codes or not all(type(code) is int and 100 <= code <= 599 for code in codes):
        raise ValueError
    return codes


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise ValueError
    return value


def _headers(value: Any) -> dict[str, str]:
    return {key: str(each) for key, each in _mapping(value).items()}


def _random(value: Any) -> dict[str, Choices]:
    return {name: _choices(each) for name, each in _mapping(value).items()}


def _choices(value: Any) -> Choices:
    weighted = dict.fromkeys(value, 1.0) if isinstance(value, list) else value
    if not isinstance(weighted, dict) or not weighted:
        raise ValueError
    for weight in weighted.values():
        if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0 < weight < float("inf"):
            raise ValueError
    return {choice: float(weight) for choice, weight in weighted.items()}


def _any(value: Any) -> Any:
    return value


_SECONDS = "seconds above 0, or a number with s, m, h or d, such as 10s"
_COUNT = "a whole number from 1 to 100000"
_RANDOM = _Key(_random, "a mapping of names to lists of values, or to mappings of values to weights above 0")
_HEADERS = _Key(_headers, "a mapping of names to text")
_TIMEOUT = _Key(duration, _SECONDS)
_TOP = {
    "service": _Key(_service, "module:app, module:factory() or a URL"),
    "debug": _Key(_url, "the URL of lowtide in the running process, such as http://127.0.0.1:9788"),
    "rounds": _Key(_count, _COUNT),
    "settle": _Key(duration, _SECONDS),
    "timeout": _TIMEOUT,
    "headers": _HEADERS,
    "random": _RANDOM,
    "expected": _Key(_any, "a list"),
    "flows": _Key(_any, "a list"),
}
_FLOW = {
    "name": _Key(_text, "text"),
    "repeat": _Key(_count, _COUNT),
    "at_once": _Key(_count, _COUNT),
    "timeout": _TIMEOUT,
    "random": _RANDOM,
}
_REQUEST = {
    **_FLOW,
    "method": _Key(_method, f"one of {', '.join(METHODS)}"),
    "path": _Key(_path, "a path that begins with /"),
    "query": _Key(_mapping, "a mapping of names to values"),
    "headers": _HEADERS,
    "json": _Key(_any, "anything"),
    "body": _Key(_text, "text"),
    "hang_up": _Key(duration, _SECONDS),
    "expect": _Key(_statuses, "a status code from 100 to 599, or a list of them"),
}
_CALL = {
    **_FLOW,
    "call": _Key(_target, "module:function", "function"),
    "args": _Key(_mapping, "a mapping of names to values"),
}
_EXPECTED = {
    "coroutine": _Key(_text, "text, with * for anything"),
    "spawner": _Key(_text, "text, with * for anything"),
    "thread": _Key(_text, "text, with * for anything and # for numbers"),
    "reason": _Key(_text, "text"),
}
