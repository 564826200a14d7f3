"""A simulated service: its processes, its load, and who makes tasks in it."""

from dataclasses import dataclass, field

import numpy as np

from tests.backtest.fleet import Fleet


@dataclass(slots=True)
class Service:
    """What is simulated, and the truth about it: which coroutines leak, and by what evidence it can show."""

    name: str
    fleet: Fleet
    load: np.ndarray
    short: list = field(default_factory=list)
    sources: list = field(default_factory=list)
    threads: list = field(default_factory=list)
    leaks: tuple[str, ...] = ()
    evidence: str = ""  # proof, flows or counts
    flows: bool = True
    versions: bool = True
    info: str = "one"  # series of lowtide_deployment_info: one, none, or two with different versions
    missed: float = 0.0  # share of scrapes
    scrape: int = 60  # seconds between two
    only: tuple[str, ...] = ()  # instances that leak; empty for all
    destroyed: tuple[str, ...] = ()  # coroutines whose tasks the garbage collector destroys
    blocked: float = 0.0  # share of time that the loop stands still
    job: str = ""


@dataclass(slots=True)
class Truth:
    """What was simulated, for judging the alerts: births of leaked tasks, and their processes."""

    births: np.ndarray
    deployments: list[tuple[float, float]]  # begin and end of those that leaked
