"""The plan of an audit: which service, and which flows to run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

ROUNDS = 3
SETTLE = 5.0
"""Seconds that tasks get to end after a round; letters and retries take some."""
TIMEOUT = 10.0
REPEAT = 5
"""Runs of a flow in a round, where nobody says: more if that many make every combination of random input."""
MOST_COMBINATIONS = 60
GIVEN_UP = "no end within"
"""How the reason begins for which a run failed that was given up: the service may still be at work on it."""
WEBSOCKET = "WEBSOCKET"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", WEBSOCKET)

Choices = Mapping[Any, float]
"""Values of one random input, and their weights."""


@dataclass(frozen=True, slots=True)
class Flow:
    """One run of a named piece of work. ``timeout`` is in seconds, ``at_once`` how many run at the same time."""

    name: str
    repeat: int | None = None
    timeout: float = TIMEOUT
    at_once: int = 1
    random: Mapping[str, Choices] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Request(Flow):
    """An HTTP request. ``expect`` holds the allowed status codes; none given, all below 500 are.

    After ``hang_up`` seconds the client leaves, in the middle of the answer or before it comes: that is no failure.
    Over a websocket ``json`` or ``body`` is the first message, and the first answer ends the flow.
    """

    method: str = "GET"
    path: str = "/"
    query: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    body: str | None = None
    expect: tuple[int, ...] = ()
    hang_up: float | None = None


@dataclass(frozen=True, slots=True)
class Call(Flow):
    """A call of a Python function, ``module:function``, with keyword arguments."""

    function: str = ""
    args: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Expected:
    """Tasks that are meant to outlive their flow, and why. Names may have wildcards."""

    reason: str
    coroutine: str = "*"
    spawner: str = "*"
    thread: str | None = None

    def covers_tasks(self, coroutine: str, spawner: str) -> bool:
        """Say whether tasks of this origin are meant."""
        return (
            self.thread is None
            and fnmatchcase(coroutine, self.coroutine)
            and fnmatchcase(spawner, self.spawner)
        )

    def covers_threads(self, name: str) -> bool:
        """Say whether threads of this name, digits as ``#``, are meant."""
        return self.thread is not None and fnmatchcase(name, self.thread)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a flows.yaml says. ``service`` is ``module:app``, ``module:factory()``, a URL, or empty for calls only.

    ``debug`` is the URL of lowtide in a running process. Times are in seconds.
    """

    flows: tuple[Flow, ...]
    service: str = ""
    debug: str = ""
    rounds: int = ROUNDS
    settle: float = SETTLE
    expected: tuple[Expected, ...] = ()

    @property
    def is_remote(self) -> bool:
        """Say whether the service is a process that runs already."""
        return self.service.startswith(("http://", "https://"))
