"""Shards are a mapping, and none of its dicts grows with the number of keys as one dict would."""

import pytest
from lowtide.judge.shards import Shards


class Thing:
    pass


def test_it_maps_and_forgets():
    shards = Shards()
    for key in range(1000):
        shards[key] = -key
    del shards[7]
    assert shards.get(7) is None
    assert 7 not in shards
    assert 8 in shards
    assert shards[8] == shards.get(8) == -8
    assert sorted(shards.values()) == sorted(-key for key in range(1000) if key != 7)
    with pytest.raises(KeyError):
        shards[7]


def test_ids_spread_evenly():
    things = [Thing() for _ in range(100_000)]
    shards = Shards()
    for thing in things:
        shards[id(thing)] = 0
    sizes = [len(shard) for shard in shards._shards]
    assert max(sizes) < 3 * len(things) / len(sizes)
