"""Cases of the alerts on leaks."""

from tests.alerts.case import Case, process, series

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


STRANDED = (
    Case(
        "five proven tasks fire at the fifth",
        "LowtideTasksStranded",
        process(60) | stranded("_x5 1+1x50"),
        quiet=("8m",),
        fires=("9m", "10m", "40m"),
        labels=STUCK | {"severity": "page"},
        summary="Tasks are stuck for ever, and their number grows.",
        description="5 tasks of shop.discounts:ask in job shop wait on Queue.put, nothing left in the "
        "process can wake them, and they have become more. They were started in "
        "shop.api:promo. Open the debug page of an instance, read the finding for this "
        "coroutine, and roll back if a deployment brought it.",
    ),
    Case(
        "a leak of one task an hour keeps one page up between its tasks",
        "LowtideTasksStranded",
        process(500) | stranded("_x5 3x59 4x59 5x59 6x59 7x100"),
        quiet=("60m",),
        fires=("126m", "170m", "200m", "260m"),
        labels=STUCK | {"severity": "page"},
    ),
    Case(
        "a young process that strands a third task minutes after its first fires for all of its origin",
        "LowtideTasksStranded",
        process(60) | stranded("_x2 1x1 2x2 3x50") | stranded("_x2 2x55", "b:9095"),
        quiet=("6m",),
        fires=("7m", "30m"),
        labels=STUCK | {"severity": "page"},
    ),
    Case(
        "five processes that each strand three at their start, seen in two scrapes, are quiet",
        "LowtideTasksStranded",
        {
            k: v
            for n in range(5)
            for k, v in (process(60, instance=f"pod-{n}") | stranded("_x2 1 3x55", f"pod-{n}")).items()
        },
        quiet=("4m", "6m", "8m", "20m", "35m", "50m"),
    ),
    Case(
        "thirty tasks that strand at once and stay are quiet",
        "LowtideTasksStranded",
        process(60) | stranded("_x5 30x50"),
        quiet=("6m", "8m", "20m", "50m"),
    ),
    Case(
        "tasks that run until they are cancelled are quiet",
        "LowtideTasksStranded",
        process(60) | stranded("_x5 1+1x50", grade="cancel_only"),
        quiet=("10m", "20m", "50m"),
    ),
    Case(
        "a rolling deploy of processes that each strand one task is quiet",
        "LowtideTasksStranded",
        {k: v for n in range(8) for k, v in stranded(f"_x{n * 3} 1x40", f"pod-{n}").items()},
        quiet=("15m", "20m", "30m"),
    ),
)

ACROSS = (
    Case(
        "proven growth before and after a restart fires",
        "LowtideTasksGrowAcrossDeployments",
        restarted(120, 200) | stranded("_x9 1+1x109 _ 1+1x180"),
        quiet=("100m", "120m"),
        fires=("135m", "200m", "300m"),
        labels=ORIGIN | {"severity": "page", "evidence": "stranded"},
        summary="Tasks grow in each deployment, and only restarts bring them down.",
        description="Tasks of shop.discounts:ask in job shop (stranded) were seen growing 2h 0m 0s ago. "
        "Since then every process has been restarted, and they grow again: restarts hide this "
        "leak, they don't fix it. Find what the tasks wait for on the debug page, then fix "
        "the code; until then, restart before memory runs out.",
        every="5m",
    ),
    Case(
        "strays before and after a restart fire, without any version",
        "LowtideTasksGrowAcrossDeployments",
        restarted(120, 200, version="") | strays("0+1x119 0+1x200", "0+1x119 0+1x200"),
        quiet=("110m", "150m"),
        fires=("185m", "300m"),
        labels=FLOW | {"severity": "page", "evidence": "stray"},
        every="5m",
    ),
    Case(
        "strays before and after a restart fire although no deployment is told",
        "LowtideTasksGrowAcrossDeployments",
        untold(restarted(120, 200)) | strays("0+1x119 0+1x200", "0+1x119 0+1x200"),
        quiet=("110m", "150m"),
        fires=("185m", "300m"),
        labels=FLOW | {"severity": "page", "evidence": "stray"},
        every="5m",
    ),
    Case(
        "three strays in each of two processes of two hours fire in the second",
        "LowtideTasksGrowAcrossDeployments",
        restarted_often(360) | strays(THREE_EACH, THREE_EACH),
        quiet=("110m", "190m"),
        fires=("210m", "235m"),
        labels=FLOW | {"severity": "page", "evidence": "stray"},
        every="5m",
    ),
    Case(
        "three strays that one accident leaves in each of three processes are quiet",
        "LowtideTasksGrowAcrossDeployments",
        restarted_often(360) | strays(THREE_AT_ONCE, THREE_AT_ONCE),
        quiet=("110m", "190m", "210m", "235m", "300m", "350m"),
        every="5m",
    ),
    Case(
        "strays count although a process shows two versions",
        "LowtideTasksGrowAcrossDeployments",
        restarted(120, 200)
        | strays("0+1x119 0+1x200", "0+1x119 0+1x200")
        | {series("lowtide_deployment_info", service="shop", version="2.0"): "_x100 1x220"},
        fires=("185m", "300m"),
        labels=FLOW | {"severity": "page", "evidence": "stray"},
        every="5m",
    ),
    Case(
        "growth that no restart has interrupted is quiet",
        "LowtideTasksGrowAcrossDeployments",
        process(400) | stranded("_x9 1+1x390"),
        quiet=("100m", "200m", "390m"),
        every="5m",
    ),
    Case(
        "growth that a deployment has fixed is quiet",
        "LowtideTasksGrowAcrossDeployments",
        restarted(120, 280) | stranded("_x9 1+1x110 stale") | strays("0+1x119 0x280", "0+1x119 0x280"),
        quiet=("125m", "170m", "200m", "390m"),
        every="5m",
    ),
    Case(
        "two tasks that strand at every start are quiet",
        "LowtideTasksGrowAcrossDeployments",
        restarted(120, 280) | stranded("_x2 1 2x116 _ 1 2x270"),
        quiet=("125m", "170m", "200m", "390m"),
        every="5m",
    ),
)

STRAY = (
    Case(
        "a flow that leaves a task behind every minute fires within the hour",
        "LowtideTasksStray",
        process(120) | strays("0+1x120", "0+1x120"),
        quiet=("30m", "40m"),
        fires=("60m", "110m"),
        labels=FLOW | {"severity": "ticket"},
        summary="A flow leaves tasks behind that do not end.",
        description="GET /promo/{code} in job shop leaves 100 tasks of shop.discounts:ask behind per "
        "thousand requests, and they don't end. Run the audit on this flow, or mark the task "
        "as meant to outlive it.",
        every="5m",
    ),
    Case(
        "a leak of one task in two hours fires in the end",
        "LowtideTasksStray",
        process(1440) | strays(EVERY_TWO_HOURS, EVERY_TWO_HOURS),
        quiet=("500m",),
        fires=("850m",),
        labels=FLOW | {"severity": "ticket"},
        every="5m",
    ),
    Case(
        "a nightly job that leaves fifteen tasks behind fires on its third night",
        "LowtideTasksStray",
        process(3100) | strays(NIGHTLY, NIGHTLY),
        quiet=("120m", "1600m", "2900m"),
        fires=("3000m", "3090m"),
        labels=FLOW | {"severity": "ticket"},
        every="5m",
    ),
    Case(
        "two tasks left in each of many short deployments fire, although restarts take them",
        "LowtideTasksStray",
        restarted_often(720) | strays(TWO_EACH, TWO_EACH),
        quiet=("100m", "300m"),
        fires=("660m",),
        labels=FLOW | {"severity": "ticket"},
        every="5m",
    ),
    Case(
        "two accidents in two nights are quiet",
        "LowtideTasksStray",
        process(3100) | strays(TWO_NIGHTS, TWO_NIGHTS),
        quiet=("120m", "1600m", "2900m", "3000m", "3090m"),
        every="5m",
    ),
    Case(
        "strays that end are quiet, however many there are",
        "LowtideTasksStray",
        process(300) | strays("0+50x5 300x290", "0+50x300"),
        quiet=("30m", "60m", "90m", "200m"),
        every="5m",
    ),
    Case(
        "one accident that leaves forty tasks is quiet",
        "LowtideTasksStray",
        process(300) | strays("0x30 40x260", "0x30 40x260"),
        quiet=("40m", "60m", "90m", "200m"),
        every="5m",
    ),
    Case(
        "tasks that hang for forty minutes and then end are quiet",
        "LowtideTasksStray",
        process(300) | strays("0x30 0+5x40 0x200", "0x30 0+5x40 200x200"),
        quiet=("60m", "70m", "90m", "200m"),
        every="5m",
    ),
)

GROWING = (
    Case(
        "an even stream of tasks that never end fires within twelve hours",
        "LowtideTasksGrowing",
        process(800) | aged("0+1x800", "0x800", "0+1x800"),
        quiet=("300m",),
        fires=("720m", "780m"),
        labels=ORIGIN | {"severity": "ticket"},
        summary="Old tasks keep coming at an even pace, and none ends.",
        description="600 tasks of shop.discounts:ask (from shop.api:promo) in job shop grew old in the "
        "last hours and have not ended. Look at their age and at what they wait for on the "
        "debug page.",
        every="5m",
    ),
    Case(
        "tasks that end as they come are quiet",
        "LowtideTasksGrowing",
        process(800) | aged("0+1x800", "0x60 0+1x740", "0+1x60 60x740"),
        quiet=("300m", "600m", "780m"),
        every="5m",
    ),
    Case(
        "a pool that fills over the morning is quiet",
        "LowtideTasksGrowing",
        process(800)
        | aged("0+3x100 300+2x100 500+1x200 700x400", "0x800", "0+3x100 300+2x100 500+1x200 700x400"),
        quiet=("300m", "600m", "780m"),
        every="5m",
    ),
    Case(
        "growth that follows a rising load is quiet while it rises",
        "LowtideTasksGrowing",
        process(800)
        | aged("0+1x800", "0x800", "0+1x800")
        | {series("asyncio_tasks_created_total", loop="main"): " ".join(str(n * n) for n in range(800))},
        quiet=("300m", "600m", "780m"),
        every="5m",
    ),
)

INTRODUCED = (
    Case(
        "a version that leaves tasks behind, after one that did not, fires and names both",
        "LowtideTaskLeakIntroduced",
        restarted(300, 200)
        | {
            series("lowtide_deployment_info", service="shop", version="1.0"): "1x299 stale",
            series("lowtide_deployment_info", service="shop", version="2.0"): "_x300 1x200",
        }
        | strays("0x299 0+1x200", "0x299 0+1x200", "0+10x299 0+10x200"),
        quiet=("290m", "320m"),
        fires=("400m", "480m"),
        labels=FLOW | {"severity": "ticket", "version": "2.0", "previous_version": "1.0"},
        summary="This version leaks tasks, and the one before did not.",
        description="Version 2.0 of job shop leaks tasks of shop.discounts:ask. At this pace version 1.0 "
        "would have left 333.3, and it left next to none. Roll back to 1.0, then read what "
        "changed.",
        every="5m",
    ),
    Case(
        "both versions leaking is quiet",
        "LowtideTaskLeakIntroduced",
        restarted(300, 200)
        | {
            series("lowtide_deployment_info", service="shop", version="1.0"): "1x299 stale",
            series("lowtide_deployment_info", service="shop", version="2.0"): "_x300 1x200",
        }
        | strays("0+1x299 0+1x200", "0+1x299 0+1x200", "0+10x299 0+10x200"),
        quiet=("320m", "400m", "480m"),
        every="5m",
    ),
    Case(
        "a version before that had next to no traffic proves nothing",
        "LowtideTaskLeakIntroduced",
        restarted(300, 200)
        | {
            series("lowtide_deployment_info", service="shop", version="1.0"): "1x299 stale",
            series("lowtide_deployment_info", service="shop", version="2.0"): "_x300 1x200",
        }
        | {series("asyncio_tasks_created_total", loop="main"): "0+1x299 0+600x200"}
        | strays("0x299 0+1x200", "0x299 0+1x200", "0+0.1x299 0+10x200"),
        quiet=("320m", "400m", "480m"),
        every="5m",
    ),
)

LIMIT = (
    Case(
        "a leak that is on its way to the limit fires",
        "LowtideTasksLimitImminent",
        process(400) | {series("asyncio_tasks", loop="main"): "0+20x400"} | strays("0+20x400", "0+20x400"),
        quiet=("60m", "120m"),
        fires=("300m",),
        labels={"severity": "page", "instance": "a:9095"},
        summary="A leaking process reaches its limit within hours.",
        description="a:9095 of job shop leaks, and at the pace of the last two hours it will have 10.8k "
        "tasks or bytes in 4h 0m 0s, over its limit. Restart the instances one by one to win "
        "time, then follow the alert on the leak itself.",
        every="5m",
    ),
    Case(
        "the same growth without evidence of a leak is quiet",
        "LowtideTasksLimitImminent",
        process(400) | {series("asyncio_tasks", loop="main"): "0+20x400"},
        quiet=("200m", "300m", "390m"),
        every="5m",
    ),
    Case(
        "a leak that is far from the limit is quiet",
        "LowtideTasksLimitImminent",
        process(400) | {series("asyncio_tasks", loop="main"): "0+2x400"} | strays("0+2x400", "0+2x400"),
        quiet=("200m", "300m", "390m"),
        every="5m",
    ),
)

CASES = (*STRANDED, *ACROSS, *STRAY, *GROWING, *INTRODUCED, *LIMIT)
