"""How many requests a service gets: an array of requests per second, one entry per five minutes."""

import numpy as np

SLOT = 300
DAY = 86400


def slots(days):
    """Return the middle of every five minutes, in seconds since the simulation began."""
    return np.arange(int(days * DAY / SLOT)) * SLOT + SLOT / 2


def traffic(rng, days, mean, *, swing=0.6, peak=None, weekend=1.0, growth=0.0):
    """Return days that swell and ebb, with noise: ``growth`` is per day, ``weekend`` a factor on days 5, 6.

    Without ``peak`` (an hour) the simulation begins at any hour of the service's day.
    """
    at = slots(days)
    peak = rng.uniform(0, 24) if peak is None else peak
    daily = 1 + swing * np.cos((at / DAY - peak / 24) * 2 * np.pi)
    weekly = np.where(np.isin((at // DAY) % 7, (5, 6)), weekend, 1.0)
    noise = np.exp(rng.normal(0, 0.06, at.size))
    return mean * daily * weekly * (1 + growth) ** (at / DAY) * noise


def bursts(rng, load, per_day=6, factor=6.0):
    """Multiply the load for five to thirty minutes, several times a day."""
    load = load.copy()
    for begin in rng.choice(load.size, rng.poisson(per_day * load.size * SLOT / DAY)):
        load[begin : begin + rng.integers(1, 7)] *= factor * rng.uniform(0.4, 1)
    return load


def steps(rng, load, count=4):
    """Change the level for good, several times: campaigns, new customers, moved traffic."""
    load = load.copy()
    for begin in np.sort(rng.choice(load.size, count)):
        load[begin:] *= rng.uniform(0.6, 1.7)
    return load


def nightly(load, hour=2.0, hours=1.5, factor=15.0):
    """Add a batch that runs every night."""
    at = np.arange(load.size) * SLOT % DAY / 3600
    return np.where((at >= hour) & (at < hour + hours), load * factor, load)


def ramps(rng, days, mean, low=0.25, peak=None):
    """Return days that rise along a straight line and fall along one: the pace of the rise never changes."""
    at = slots(days)
    peak = rng.uniform(0, 24) if peak is None else peak
    away = np.abs((at / DAY - peak / 24 + 0.5) % 1 - 0.5) * 2
    return mean * (1 - (1 - low) * away) * np.exp(rng.normal(0, 0.03, at.size))
