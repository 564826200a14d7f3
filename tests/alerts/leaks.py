"""Cases of the alerts that page on leaks."""

from tests.alerts.case import Case, process, series
from tests.alerts.shapes import (
    FLOW,
    ORIGIN,
    STUCK,
    THREE_AT_ONCE,
    THREE_EACH,
    aged,
    restarted,
    restarted_often,
    saturating,
    slowly,
    stranded,
    strays,
    untold,
)

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
    Case(
        "three tasks an hour, by ages alone, on the days before and after a restart fire",
        "LowtideTasksGrowAcrossDeployments",
        restarted(2400, 900) | aged("0", "0", f"{slowly(2400)} _ {slowly(900)}"),
        quiet=("2300m", "2500m"),
        fires=("3100m",),
        labels=ORIGIN | {"severity": "page", "evidence": "aged"},
        every="5m",
    ),
    Case(
        "a task for each customer, made within hours of each start, is quiet",
        "LowtideTasksGrowAcrossDeployments",
        restarted(2400, 900) | aged("0", "0", f"{saturating(2400)} {saturating(901)}"),
        quiet=("1500m", "2300m", "2500m", "3100m", "3290m"),
        every="5m",
    ),
)

CASES = (*STRANDED, *ACROSS)
