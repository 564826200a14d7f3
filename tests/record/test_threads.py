"""Threads: seen, aged, and named without their numbers."""

import threading

from lowtide.record.threads import OWN, Threads, os_threads


def _sleeper(name, gate):
    thread = threading.Thread(target=gate.wait, name=name, daemon=True)
    thread.start()
    return thread


def test_threads_are_named_without_their_numbers_and_age_from_the_first_look():
    gate = threading.Event()
    threads = [_sleeper(f"worker-{i}", gate) for i in (1, 22)]
    seen = Threads()
    seen.look(100.0)
    later = [sight for sight in seen.look(160.0) if sight.name == "worker-#"]
    gate.set()
    for thread in threads:
        thread.join()
    assert [(sight.daemon, sight.age) for sight in later] == [(True, 60.0), (True, 60.0)]


def test_a_thread_that_ended_is_not_seen():
    gate = threading.Event()
    thread = _sleeper("brief", gate)
    seen = Threads()
    seen.look(0.0)
    gate.set()
    thread.join()
    assert all(sight.name != "brief" for sight in seen.look(1.0))


def test_our_own_threads_are_left_out():
    gate = threading.Event()
    before = os_threads()
    thread = _sleeper("ours", gate)
    OWN.add(thread)
    assert os_threads() == before
    assert all(sight.name != "ours" for sight in Threads().look(0.0))
    gate.set()
    thread.join()
