"""A worker that takes over a number, in a real Prometheus: its counters begin again, and ``rate`` sees that."""

import pytest

from tests.attach.crew import Crew
from tests.e2e.test_prometheus import Prometheus


@pytest.fixture
def crew(tmp_path):
    made = Crew(tmp_path)
    yield made
    made.close()


def test_a_replaced_worker_is_one_reset_of_its_series_and_no_negative_rate(crew, prometheus, tmp_path):
    first, other = crew.hire(), crew.hire()
    for _ in range(7):
        crew.tell(first, "hit")
    crew.tell(other, "hit")
    watcher = Prometheus(prometheus, tmp_path, f"127.0.0.1:{crew.number}")
    try:
        watcher.poll(lambda each: [value for _, value in each.query("sum(user_hits_total)")] == [8.0])
        crew.kill(first)
        watcher.poll(lambda each: [value for _, value in each.query("sum(user_hits_total)")] == [1.0])
        crew.tell(crew.hire(), "hit")
        watcher.poll(lambda each: [value for _, value in each.query("sum(user_hits_total)")] == [2.0])
        resets = {labels["worker"]: value for labels, value in watcher.query("resets(user_hits_total[5m])")}
        ((_, least),) = watcher.query("min_over_time(sum(rate(user_hits_total[10s]))[5m:1s])")
    finally:
        watcher.close()
    assert resets == {"0": 1.0, "1": 0.0}, "seen as a reset, in its own series only"
    assert least >= 0
