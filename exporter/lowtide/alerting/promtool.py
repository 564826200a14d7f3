"""Prometheus' own opinion of the rules, where promtool is installed."""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path


def complaint(rules: str) -> str | None:
    """Return what ``promtool check rules`` has against a rules file, None if nothing or without promtool."""
    promtool = shutil.which("promtool")
    if promtool is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lowtide.rules.yml"
        path.write_text(rules, encoding="utf-8")
        # The path of promtool comes from PATH, its argument is a file of ours.
        done = subprocess.run(  # noqa: S603
            [promtool, "check", "rules", str(path)], capture_output=True, text=True, check=False, timeout=60
        )
    return None if done.returncode == 0 else _first(done.stderr or done.stdout)


def _first(output: str) -> str:
    """Return the first complaint without the path: a wrong setting is refused in every expression."""
    lines = [line for line in output.splitlines() if "FAILED" not in line and line.strip()]
    return re.sub(r"^\S+\.yml: (\d+:\d+: )?", "", lines[0].strip()) if lines else output.strip()
