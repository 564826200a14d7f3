"""The metrics and labels that rules may rest on, and why the others have no rule."""

ORIGIN = {"coroutine", "spawner"}

RULED = {
    "asyncio_tasks": {"loop"},
    "asyncio_tasks_floor": {"loop"},
    "asyncio_tasks_created_total": {"loop"},
    "asyncio_tasks_destroyed_pending_total": ORIGIN,
    "asyncio_tasks_aged": ORIGIN,
    "asyncio_tasks_aged_ended_total": ORIGIN,
    "asyncio_tasks_stray": {"flow", "coroutine"},
    "asyncio_tasks_strayed_total": {"flow", "coroutine"},
    "asyncio_flows_total": {"flow"},
    "asyncio_tasks_stranded": ORIGIN | {"waiting_on", "grade"},
    "asyncio_loop_blocked_seconds_total": {"loop", "where"},
    "python_threads_aged": {"name"},
    "python_gc_pause_seconds_sum": {"generation"},
    "process_start_time_seconds": set(),
    "process_resident_memory_bytes": set(),
    "lowtide_deployment_info": {"service", "version", "revision"},
    "lowtide_collect_success": {"part"},
    "up": set(),
}

UNRULED = {
    "asyncio_tasks_aged_entered_total": "what entered is the change of asyncio_tasks_aged and what ended",
    "asyncio_tasks_live": "the same, by origin",
    "lowtide_worker_up": "no leak: what a worker that hangs means is the service's to say",
    "asyncio_task_oldest_age_seconds": "an old task is no leak: every process has some for its whole life",
    "asyncio_task_age_seconds_bucket": "for the heat map",
    "asyncio_task_age_seconds_gcount": "for the heat map",
    "asyncio_task_age_seconds_gsum": "for the heat map",
    "asyncio_loop_lag_seconds_sum": "a loop that lags is busy, one that is blocked has its rule",
    "asyncio_loop_lag_seconds_count": "the same",
    "asyncio_loop_lag_seconds_bucket": "the same",
    "asyncio_loop_heartbeat_timestamp_seconds": "the blocked seconds say the same, with the function",
    "python_threads": "a count alone",
    "process_threads": "a count alone",
    "python_gc_pause_seconds_count": "the share of time needs only the sum",
    "python_gc_pause_seconds_bucket": "for the dashboard",
    "lowtide_collect_seconds": "a cost, for the dashboard",
    "lowtide_origins": "folded origins are still counted, as `other`",
    "lowtide_origins_folded_total": "the same",
}

# What Prometheus puts on every target's series, and what rulers for many clusters put there.
TARGET = {"job", "instance", "cluster", "namespace", "worker"}

# What rules themselves add.
RECORDED = {"version", "previous_version", "evidence"}
