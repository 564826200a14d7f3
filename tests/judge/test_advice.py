"""Every primitive that a task can be stuck on has its advice."""

import pytest
from lowtide.judge.advice import ADVICE, NO_RECEIVER, NO_SENDER, RECEIVER_SKIPPED, advice_for
from lowtide.judge.waits import PRIMITIVES

# What has an end of its own, or depends on the network, is not advised on.
PLAIN = {
    "sleep",
    "to_thread",
    "StreamWriter.wait_closed",
    "Server.serve_forever",
    "Server.wait_closed",
    "Process.wait",
    "Process.communicate",
}


@pytest.mark.parametrize("primitive", sorted(set(PRIMITIVES.values()) - PLAIN))
def test_a_primitive_has_advice_of_its_own(primitive):
    assert primitive in ADVICE


def test_a_put_without_consumer_is_a_send_without_receiver():
    advice = advice_for("Queue.put")
    assert advice.shapes == (NO_RECEIVER, RECEIVER_SKIPPED)
    assert "maxsize 1 or more" in str(advice)


def test_a_get_without_producer_is_a_receive_without_sender():
    assert advice_for("Queue.get").shapes == (NO_SENDER,)


def test_an_unknown_primitive_gets_general_advice():
    assert "finally" in str(advice_for("Ouroboros.swallow"))
