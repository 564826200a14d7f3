"""Cases of the alerts on costs, and on where lowtide is blind."""

from tests.alerts.case import Case, process, series
from tests.alerts.shapes import ORIGIN, strays


def destroyed(values):
    """Return the series of tasks that the garbage collector destroyed."""
    return {series("asyncio_tasks_destroyed_pending_total", **ORIGIN): values}


def threads(values):
    """Return the series of old threads of one name."""
    return {series("python_threads_aged", name="poller-#"): values}


def pauses(values):
    """Return the series of time spent in garbage collections."""
    return {series("python_gc_pause_seconds_sum", generation="2"): values}


def blocked(values):
    """Return the series of time that the loop stood still."""
    return {series("asyncio_loop_blocked_seconds_total", loop="main", where="json:dumps"): values}


def part(values):
    """Return the series of the health of one part."""
    return {series("lowtide_collect_success", part="proof"): values}


LEAKING = strays("0+1x2000", "0+1x2000")

DESTROYED = (
    Case(
        "tasks that are destroyed all the time fire",
        "LowtideTasksDestroyedPending",
        process(120) | destroyed("0+1x120"),
        quiet=("20m", "40m"),
        fires=("70m",),
        labels=ORIGIN | {"severity": "ticket"},
        summary="The garbage collector destroys tasks that had not finished.",
        description="60 tasks of shop.discounts:ask (from shop.api:promo) in job shop were destroyed "
        "while pending in the last hour: what they should have done was never done. Keep a "
        "reference to the task, and let what it waits for be answered.",
    ),
    Case(
        "one accident that destroys fifty tasks is quiet",
        "LowtideTasksDestroyedPending",
        process(120) | destroyed("0x30 50x90"),
        quiet=("35m", "60m", "90m"),
    ),
    Case(
        "one task an hour is quiet",
        "LowtideTasksDestroyedPending",
        process(180) | destroyed("0x59 1x59 2x59"),
        quiet=("70m", "130m", "175m"),
    ),
)

THREADS = (
    Case(
        "a thread that is started every half hour and never ends fires",
        "LowtideThreadsGrowing",
        process(1800) | threads(" ".join(f"{n}x29" for n in range(60))),
        quiet=("600m", "1200m"),
        fires=("1700m",),
        labels={"severity": "ticket", "name": "poller-#"},
        summary="Threads keep coming at an even pace, and none ends.",
        description="48 threads named poller-# in job shop were started in the last day, and none has "
        "ended. Look at their stacks on the debug page.",
        every="5m",
    ),
    Case(
        "a pool that fills over eight hours and stays is quiet",
        "LowtideThreadsGrowing",
        process(1800) | threads(" ".join(f"{n}x9" for n in range(48)) + " 48x1300"),
        quiet=("600m", "1200m", "1700m"),
        every="5m",
    ),
    Case(
        "a pool that breathes is quiet",
        "LowtideThreadsGrowing",
        process(1800) | threads("0+1x60 60-1x60 " * 15),
        quiet=("600m", "1200m", "1700m"),
        every="5m",
    ),
)

PAUSES = (
    Case(
        "collections that take ever more time while tasks leak fire",
        "LowtideGcPausesGrowing",
        process(500) | LEAKING | pauses("0+0.3x200 60+3x300"),
        quiet=("150m", "200m"),
        fires=("400m",),
        labels={"severity": "ticket"},
        summary="The garbage collector's share of time grows together with leaked tasks.",
        description="Processes of job shop stand still for 5% of the time in garbage collections, twice "
        "as much as within the last day, while tasks leak. Fix the leak; until then a restart "
        "brings the latency back.",
        every="5m",
    ),
    Case(
        "collections that load makes longer are quiet",
        "LowtideGcPausesGrowing",
        process(500) | pauses("0+0.3x200 60+3x300"),
        quiet=("150m", "300m", "400m"),
        every="5m",
    ),
    Case(
        "a leak that costs no more time than ever is quiet",
        "LowtideGcPausesGrowing",
        process(500) | LEAKING | pauses("0+3x500"),
        quiet=("150m", "300m", "400m"),
        every="5m",
    ),
)

BLOCKED = (
    Case(
        "a function that blocks the loop for a tenth of the time fires",
        "LowtideLoopBlocked",
        process(60) | blocked("0+6x60"),
        quiet=("10m",),
        fires=("40m",),
        labels={"severity": "ticket", "where": "json:dumps"},
        summary="A function keeps the event loop from running.",
        description="The event loop of a process of job shop stands still for 10% of the time in "
        "json:dumps. Move that work into a thread or make it shorter: meanwhile no other task "
        "of the process runs.",
    ),
    Case(
        "a block of five minutes is quiet",
        "LowtideLoopBlocked",
        process(60) | blocked("0x20 0+12x5 60x30"),
        quiet=("24m", "40m"),
    ),
    Case(
        "a hundredth of the time is quiet",
        "LowtideLoopBlocked",
        process(60) | blocked("0+0.6x60"),
        quiet=("30m", "50m"),
    ),
)

DOWN = (
    Case(
        "a target that does not answer for long fires",
        "LowtideTargetDown",
        process(100) | {series("up"): "1x30 0x70"},
        quiet=("35m", "45m"),
        fires=("55m",),
        labels={"severity": "ticket"},
        summary="Targets that export lowtide metrics cannot be scraped.",
        description="1 targets of job shop have not answered for ten minutes: leak alerts are blind "
        "there. Ask the target's /metrics by hand from where Prometheus runs.",
    ),
    Case(
        "a crash loop that answers now and then is quiet",
        "LowtideTargetDown",
        process(100) | {series("up"): "1x30" + " 0x6 1" * 10},
        quiet=("40m", "60m", "90m"),
    ),
    Case(
        "targets of a job without lowtide are quiet",
        "LowtideTargetDown",
        {series("up"): "1x30 0x70"},
        quiet=("55m", "90m"),
    ),
)

ABSENT = (
    Case(
        "a target that is up without lowtide metrics fires",
        "LowtideMetricsAbsent",
        process(100)
        | {
            series("asyncio_tasks", loop="main"): "20x30 stale",
            series("process_start_time_seconds"): "0x30 stale",
        },
        quiet=("35m", "45m"),
        fires=("60m",),
        labels={"severity": "ticket"},
        summary="Targets answer, but without lowtide metrics.",
        description="1 targets of job shop are up and export no asyncio_tasks, while the job did within "
        "the last day: leak alerts are blind there. See whether install() still runs at "
        "start-up, and whether the log has its error.",
    ),
    Case(
        "missed scrapes are quiet",
        "LowtideMetricsAbsent",
        process(100)
        | {
            series("asyncio_tasks", loop="main"): "20x30" + " stale 20" * 30,
            series("up"): "1x30" + " 0 1" * 30,
        },
        quiet=("35m", "60m", "85m"),
    ),
    Case(
        "a job that never had lowtide is quiet",
        "LowtideMetricsAbsent",
        {series("up"): "1x100"},
        quiet=("30m", "90m"),
    ),
)

FAILED = (
    Case(
        "a part that has turned itself off fires",
        "LowtidePartFailed",
        process(60) | part("1x10 0x50"),
        quiet=("15m", "25m"),
        fires=("35m",),
        labels={"severity": "ticket", "part": "proof"},
        summary="A part of lowtide has turned itself off after an error.",
        description="The part proof is off in 1 processes of job shop: what it measures is missing. Its "
        "traceback is in the log of the process, once.",
    ),
    Case(
        "one failed collection is quiet",
        "LowtidePartFailed",
        process(60) | part("1x10 0 1x40"),
        quiet=("12m", "30m"),
    ),
    Case("parts that work are quiet", "LowtidePartFailed", process(60) | part("1x60"), quiet=("30m", "50m")),
)

CASES = (*DESTROYED, *THREADS, *PAUSES, *BLOCKED, *DOWN, *ABSENT, *FAILED)
