"""The rules that are found in the wild, on the task count alone."""

RULES = {
    "deriv(1h) > 0": "max by (job) (deriv(asyncio_tasks[1h])) > 0",
    "deriv(1h) > 0 for 6h": "max by (job) (deriv(asyncio_tasks[1h])) > 0",
    "delta(1h) > 0": "max by (job) (delta(asyncio_tasks[1h])) > 0",
    "predict_linear(1h, 4h) > 1000": "max by (job) (predict_linear(asyncio_tasks[1h], 14400)) > 1000",
    "count > 100": "max by (job) (asyncio_tasks) > 100",
    "count > 1000": "max by (job) (asyncio_tasks) > 1000",
}


def rules():
    """Return them as a rules file."""
    lines = ["groups:", "- name: naive", "  interval: 5m", "  rules:"]
    for name, expression in RULES.items():
        hold = "6h" if name.endswith("6h") else "0s"
        lines += [
            f"  - alert: {name!r}",
            f"    expr: {expression!r}",
            f"    for: {hold}",
            "    labels: {severity: page}",
        ]
    return "\n".join(lines)
