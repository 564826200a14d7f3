"""Series of tasks that leak, and of what looks like them, for the cases of rules."""

import itertools
import math

from tests.alerts.case import process, series

ORIGIN = {"coroutine": "shop.discounts:ask", "spawner": "shop.api:promo"}
FLOW = {"flow": "GET /promo/{code}", "coroutine": "shop.discounts:ask"}
STUCK = ORIGIN | {"waiting_on": "Queue.put"}


EVERY_TWO_HOURS = " ".join(f"{n}x119" for n in range(12))


def stranded(values, instance="a:9095", grade="unwakeable"):
    """Return the series of stranded tasks."""
    return {series("asyncio_tasks_stranded", instance, **STUCK, grade=grade): values}


def strays(gauge, total, flows="0+10x2000", instance="a:9095"):
    """Return the series of a flow that leaves tasks behind."""
    return {
        series("asyncio_tasks_stray", instance, **FLOW): gauge,
        series("asyncio_tasks_strayed_total", instance, **FLOW): total,
        series("asyncio_flows_total", instance, flow=FLOW["flow"]): flows,
    }


def aged(entered, ended, now, instance="a:9095"):
    """Return the series of an origin's old tasks."""
    return {
        series("asyncio_tasks_aged_entered_total", instance, **ORIGIN): entered,
        series("asyncio_tasks_aged_ended_total", instance, **ORIGIN): ended,
        series("asyncio_tasks_aged", instance, **ORIGIN): now,
    }


def restarted(at, minutes, **more):
    """Return the series of a process that is restarted in place."""
    found = process(at + minutes, **more)
    found[series("process_start_time_seconds")] = f"0x{at - 1} {at * 60}x{minutes}"
    return found


# A quarter of an hour in which tasks come each minute, once a day; and the same in two nights only.
NIGHTLY = "0x60 0+1x15 15x1424 15+1x15 30x1424 30+1x15 45x140"
TWO_NIGHTS = "0x60 0+1x15 15x1424 15+1x15 30x1600"
# A process of two hours that leaves two tasks, again and again.
TWO_EACH = " ".join(["0x39 1x39 2x39"] * 6)
# One that leaves three, at three times; and one that leaves them all at once.
THREE_EACH = " ".join(["0x19 1x29 2x24 3x44"] * 3)
THREE_AT_ONCE = " ".join(["0x19 3x99"] * 3)


def untold(found):
    """Leave out which deployment the processes are."""
    return {name: values for name, values in found.items() if not name.startswith("lowtide_deployment_info")}


def restarted_often(minutes):
    """Return the series of a process that is restarted in place every two hours."""
    found = process(minutes)
    starts = [f"{start * 60}x119" for start in range(0, minutes, 120)]
    found[series("process_start_time_seconds")] = " ".join(starts)
    return found


def slowly(minutes, every=20, until=None):
    """Return a count that grows by one every so many minutes, up to a moment."""
    grown = (until or minutes) // every
    steps = " ".join(f"{n}x{every - 1}" for n in range(grown))
    return f"{steps} {grown}x{minutes - grown * every}"


def saturating(minutes, keys=90, tau=180):
    """Return a count of keys that have been asked for: many new ones at first, then fewer and fewer."""
    return " ".join(f"{keys * (1 - math.exp(-n / tau)):.0f}" for n in range(minutes))


def rising(minutes, from_rate=200, to_rate=600):
    """Return a counter whose pace rises along a straight line, in tasks a minute."""
    steps = (from_rate + (to_rate - from_rate) * n / minutes for n in range(minutes))
    return " ".join(f"{total:.0f}" for total in itertools.accumulate(steps))
