"""The watcher's breath: long work lets other threads run."""

from lowtide.record.watcher import Breath


class Rests(Breath):
    """Counts rests by the change of the moment of the last one."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def take(self):
        before = self._since
        super().take()
        self.count += self._since != before


def test_the_first_breath_is_taken_at_once_because_nobody_knows_what_was_before():
    breath = Rests()
    breath.take()
    assert breath.count == 1


def test_work_in_small_pieces_rests_again_and_again_and_yields_each_piece():
    breath = Rests()
    pieces = list(breath.between(range(200_000)))
    assert pieces == list(range(200_000))
    assert breath.count > 1
    assert breath.count < 200_000
