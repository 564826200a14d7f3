"""What is fed to each parser, and what may come out: a value, or an error that names its place in few words."""

import asyncio
import collections.abc
import contextlib
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import yaml
from lowtide import settings
from lowtide.alerting import rules
from lowtide.alerting import settings as rule_settings
from lowtide.hunt import flowfile
from lowtide.hunt.ignores import Rules, parse_entries
from lowtide.publish import web_config
from lowtide.publish.basic_auth import _credentials
from lowtide.publish.exposition import CollectorRegistry, encoder, page
from lowtide.publish.merge import Merged
from lowtide.publish.page.rows import query_of
from lowtide.record import flows
from prometheus_client import Counter, Gauge
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.chaos.grammar import document, mutated, thing, words

MOST_SAID = 1200
"""Characters of the longest error: a list of what is allowed, and a piece of what is there."""
_FILE = Path(tempfile.gettempdir()) / "lowtide-parsers.yaml"


class WrongError(AssertionError):
    """An error that is of the wrong kind, too long, or doesn't say where."""


@contextlib.contextmanager
def named(*places: str, kinds: tuple[type[Exception], ...] = (ValueError, OSError)):
    """Let errors of these kinds pass that begin with one of these places."""
    try:
        yield
    except kinds as error:
        said = str(error)
        if type(error) in (UnicodeEncodeError, UnicodeDecodeError) or not said.startswith(places):
            raise WrongError(f"{type(error).__name__} names none of {places}: {said[:300]}") from error
        if len(said) > MOST_SAID or "\n" in said:
            raise WrongError(f"an error of {len(said)} characters: {said[:300]!r}") from error


@dataclass(frozen=True, slots=True)
class Feed:
    """One parser: how often it is fed at full size, what makes an input, and what takes it."""

    inputs: int
    make: Callable[[Random], Any]
    take: Callable[[Any], None]


def _file(content: bytes, read: Callable[[Path], object]) -> None:
    path = _FILE.with_stem(f"{_FILE.stem}-{id(read):x}")
    path.write_bytes(content)
    try:
        with named(str(path)):
            read(path)
    finally:
        path.unlink(missing_ok=True)


_KEYS = tuple(settings._KINDS)
_GOOD_SETTINGS = (
    b"service: shop\nport: 9788\naged_after: 10m\nversion: 1.4\nprotect_metrics: yes\n"
    b"expected:\n  - {origin: 'shop:refresh', reason: lives on}\n  - {origin: 'a:b', spawner: 'c:*', reason: x}\n"
)


def _take_settings_file(content: bytes) -> None:
    _file(content, lambda path: settings.load({}, {"LOWTIDE_CONFIG": str(path)}))


def _environment(dice: Random) -> dict[str, str]:
    names = [key.upper() for key in _KEYS] + ["", "CONFIGS", "SERVICE_HOST", "PORT_80_TCP", words(dice)]
    return {
        f"LOWTIDE_{dice.choice(names)}": words(dice) for _ in range(dice.randrange(1, 4))
    }  # LOWTIDE_CONFIG is another feed


def _take_environment(environ: dict[str, str]) -> None:
    with named("environment: "):
        settings.load({}, environ)


def _arguments(dice: Random) -> dict[str, object]:
    return {dice.choice((*_KEYS, "expected", words(dice))): thing(dice) for _ in range(dice.randrange(1, 3))}


def _take_arguments(arguments: dict[str, object]) -> None:
    with named("install(): "):
        settings.load(arguments, {})


_FLOW_KEYS = (
    *flowfile._TOP,
    *flowfile._REQUEST,
    *flowfile._CALL,
    *flowfile._EXPECTED,
    "flows",
    "path",
    "call",
)
_GOOD_FLOWS = (
    b"service: shop:app\nrounds: 3\nheaders: {a: b}\nrandom: {code: [a, 1]}\ntimeout: 10s\nflows:\n"
    b"- path: /codes/{code}\n  query: {q: 1}\n  expect: [200, 404]\n- {call: 'shop:f', args: {a: 1}, name: f}\n"
    b"- {path: /ws, method: WEBSOCKET}\nexpected:\n- {coroutine: 'a:b', reason: why}\n"
)
_GOOD_WEB = (
    b"tls_server_config:\n  cert_file: a.crt\n  key_file: a.key\n  client_ca_file: ca.crt\n"
    b"  client_auth_type: RequireAndVerifyClientCert\n  client_allowed_sans: [a, b]\n  min_version: TLS12\n"
    b"  cipher_suites: [TLS_AES_128_GCM_SHA256]\n  curve_preferences: [CurveP256]\nhttp_server_config:\n"
    b"  http2: true\n  headers: {X-Frame-Options: deny}\nbasic_auth_users:\n  a: $2y$10$" + b"a" * 53 + b"\n"
)
_WEB_KEYS = (*web_config._SECTIONS, *web_config._TLS_KEYS, "http2", "headers", *web_config._HEADERS)


def _assignment(dice: Random) -> str:
    name = dice.choice(rule_settings.SETTINGS).name if dice.random() < 0.95 else words(dice)
    value = dice.choice(("10m", "5", "0.5", '~"a.*"', 'a="b",c!="d"', "http://a", words(dice), words(dice)))
    if dice.random() < 0.2:
        value = mutated(dice, value.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogateescape")
    return f"{name}{'=' if dice.random() < 0.98 else ''}{value}"


def _take_assignment(assignment: str) -> None:
    with named("--set "):
        chosen = rule_settings.parse([assignment])
        if (
            zlib.crc32(repr(assignment).encode()) % 500 == 0
        ):  # to write the rules takes a thousand times as long
            assert yaml.safe_load(rules.render(chosen))["groups"], assignment


def _take_names(given: tuple[str, str, str]) -> None:
    """Have hostile names on a page that Prometheus' own parser reads back."""
    module, qualname, flow = given
    values = [flows.label(flow), origins_of(module, qualname)]
    registry = CollectorRegistry()
    gauge = Gauge("asyncio_tasks_stray", "stray", ["flow", "coroutine"], registry=registry)
    gauge.labels(*values).set(1)
    body, _ = page(registry, "application/openmetrics-text; version=1.0.0", "")
    (family,) = text_string_to_metric_families(body.decode())
    (sample,) = family.samples
    assert sample.labels == dict(zip(("flow", "coroutine"), values, strict=True)), sample
    assert all(len(value) <= 2 * 161 + 1 for value in values), values
    with named("flow name", kinds=(TypeError, ValueError)):
        flows.checked(flow)


def origins_of(module: str, qualname: str) -> str:
    """Name a real coroutine whose function has these names, as a census does."""
    from lowtide.record.origins import coroutine_name

    async def nothing():
        await asyncio.sleep(0)

    nothing.__module__, nothing.__qualname__ = module, qualname
    coroutine = nothing()
    try:
        return coroutine_name(coroutine)
    finally:
        coroutine.close()


class Odd(collections.abc.Coroutine):
    """A coroutine that isn't a function's, with an attribute of any kind."""

    def __init__(self, attributes: dict[str, object]) -> None:
        self.function = origins_of
        for name, value in attributes.items():
            setattr(self, name, value)

    def send(self, value):
        raise StopIteration

    def throw(self, *error):
        raise StopIteration

    def __await__(self):
        yield


def _take_odd(attributes: dict[str, object]) -> None:
    from lowtide.record.origins import coroutine_name, label, qualified

    values = (coroutine_name(Odd(attributes)), *map(label, attributes.values()))
    values += (qualified(attributes.get("cr_await"), attributes.get("__qualname__")),)
    assert all(type(value) is str and len(value) < 400 and "\n" not in value for value in values)


def _odd(dice: Random) -> dict[str, object]:
    names = ("__qualname__", "__name__", "cr_await", "cr_code", "cr_frame", "__module__")
    return {name: thing(dice) for name in dice.sample(names, dice.randrange(4))}


def _worker_page() -> bytes:
    registry = CollectorRegistry()
    Gauge("asyncio_tasks", 'live "x" \\ \n', ["loop", "worker"], registry=registry).labels("{}", 'a"}\n').set(
        1
    )
    Counter("hits", "x", registry=registry).inc(exemplar={"trace": "a b"})
    return page(registry, "application/openmetrics-text; version=1.0.0", "")[0]


_PAGE = _worker_page()


def _pages(dice: Random) -> tuple[bytes, bytes]:
    def one() -> bytes:
        return mutated(dice, _PAGE) if dice.random() < 0.9 else dice.randbytes(80)

    return _PAGE, one()


def _take_pages(pages: tuple[bytes, bytes]) -> None:
    """Merge a whole page with a broken one: what the encoder wrote stays readable if the other is refused."""
    merged = Merged()
    refused = False
    for number, each in enumerate(pages):
        with named("not a page of metrics"):
            refused = True
            merged.add(each, number)
            refused = False
    if refused or pages[0] == pages[1]:
        list(text_string_to_metric_families(merged.text(b"# EOF\n").decode()))


def _take_accept(accept: str) -> None:
    _, content_type = encoder(accept)
    assert content_type.startswith(("text/plain", "application/openmetrics-text")), content_type
    _credentials("basic " + accept)
    _credentials(accept)


def _query(dice: Random) -> dict[str, str]:
    names = ("origin", "flow", "evidence", "offset", "limit", "debug", words(dice))
    evidence = dice.choice(("stray", "aged", "7", words(dice)))
    return {dice.choice(names): dice.choice((words(dice), evidence)) for _ in range(dice.randrange(4))}


def _take_query(given: dict[str, str]) -> None:
    with named("evidence should", "offset should", "limit should"):
        query_of(given).link(5)


def _take_ignores(given: tuple[list[str], object]) -> None:
    entries, other = given
    with named("should be 'origin: reason'"):
        assert all(Rules(parse_entries(entries)).ignore.values())
    with named("ignore", "settle", "threads"):
        Rules(ignore=other)  # type: ignore[arg-type]
    with named("ignore", "settle", "threads"):
        Rules(threads=other, settle=other)  # type: ignore[arg-type]


FEEDS = {
    "settings_from_arguments": Feed(160_000, _arguments, _take_arguments),
    "settings_from_the_environment": Feed(160_000, _environment, _take_environment),
    "settings_file": Feed(20_000, lambda dice: document(dice, _KEYS, _GOOD_SETTINGS), _take_settings_file),
    "expected_origins": Feed(80_000, lambda dice: {"expected": thing(dice)}, _take_arguments),
    "flows_file": Feed(
        20_000, lambda dice: document(dice, _FLOW_KEYS, _GOOD_FLOWS), lambda text: _file(text, _read_flows)
    ),
    "web_configuration": Feed(
        20_000, lambda dice: document(dice, _WEB_KEYS, _GOOD_WEB), lambda text: _file(text, web_config.read)
    ),
    "rule_settings": Feed(160_000, _assignment, _take_assignment),
    "names_on_a_page": Feed(60_000, lambda dice: (words(dice), words(dice), words(dice)), _take_names),
    "odd_coroutines": Feed(60_000, _odd, _take_odd),
    "pages_of_workers": Feed(60_000, _pages, _take_pages),
    "accept_headers": Feed(120_000, words, _take_accept),
    "queries_of_the_debug_page": Feed(100_000, _query, _take_query),
    "ignores_of_tests": Feed(80_000, lambda dice: ([words(dice)], thing(dice)), _take_ignores),
}


def _read_flows(path: Path) -> object:
    return flowfile.read(str(path))
