"""Cases of the alerts that make a ticket of a leak, and of the limit that one reaches."""

from tests.alerts.case import Case, process, series
from tests.alerts.shapes import (
    EVERY_TWO_HOURS,
    FLOW,
    NIGHTLY,
    ORIGIN,
    TWO_EACH,
    TWO_NIGHTS,
    aged,
    restarted,
    restarted_often,
    rising,
    slowly,
    strays,
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
    Case(
        "a pace that a rising load neither changes nor explains fires while it rises",
        "LowtideTasksGrowing",
        process(800)
        | aged("0", "0", "0x119 0+1x680")
        | {series("asyncio_tasks_created_total", loop="main"): rising(800)},
        quiet=("300m", "600m"),
        fires=("780m",),
        labels=ORIGIN | {"severity": "ticket"},
        every="5m",
    ),
    Case(
        "a pool that grows by the share that the load grows by is quiet",
        "LowtideTasksGrowing",
        process(800)
        | aged("0", "0", "0+20x14 300+1x785")
        | {series("asyncio_tasks_created_total", loop="main"): rising(800, 300, 1085)},
        quiet=("300m", "600m", "700m", "780m"),
        every="5m",
    ),
    Case(
        "three tasks an hour fire when a day has passed",
        "LowtideTasksGrowing",
        process(1800) | aged("0", "0", slowly(1800)),
        quiet=("720m", "1200m"),
        fires=("1600m", "1790m"),
        labels=ORIGIN | {"severity": "ticket"},
        every="5m",
    ),
    Case(
        "what fills up for most of a day, and is full then, is quiet",
        "LowtideTasksGrowing",
        process(1800) | aged("0", "0", slowly(1800, every=15, until=1000)),
        quiet=("720m", "1200m", "1500m", "1600m", "1790m"),
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

CASES = (*STRAY, *GROWING, *INTRODUCED, *LIMIT)
