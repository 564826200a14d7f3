"""A reduced backtest: few services, two days, fresh seeds; `make backtest` has the whole."""

import secrets

import pytest

from tests.backtest.__main__ import backtest

ONLY = (
    "leak-proof-fast", "leak-flows-tenth", "leak-counts-fast", "leak-flows-deploys-every-2h",
    "fine-diurnal", "fine-websockets-daily", "fine-stuck-jump-1", "fine-crash-loop", "fine-pools-at",
    "fine-slow-warm",
)  # fmt: skip


@pytest.fixture(scope="module")
def judged(prometheus):
    seed = secrets.randbelow(10**6)
    verdicts = backtest(seed, 1.5, 0, ONLY)[2]
    return f"python -m tests.backtest --days 1.5 --mixed 0 --seed {seed}", verdicts


def test_every_leaking_service_is_found(judged):
    command, verdicts = judged
    assert [v.job for v in verdicts if v.leaking and v.found is None] == [], command
    assert any(v.leaking for v in verdicts)


def test_no_healthy_service_pages(judged):
    command, verdicts = judged
    assert [(v.job, v.false) for v in verdicts if not v.leaking and v.pages] == [], command
    assert not all(v.leaking for v in verdicts)


def test_a_proven_leak_is_found_within_a_quarter_of_an_hour(judged):
    command, verdicts = judged
    assert [v.job for v in verdicts if v.evidence == "proof" and v.found > 900] == [], command
