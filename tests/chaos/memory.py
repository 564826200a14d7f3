"""The memory of this process."""

import resource
import sys
from pathlib import Path


def resident(pid="self") -> int:
    """Return the resident memory in bytes; where there is no /proc, the most that this process ever had."""
    statm = Path(f"/proc/{pid}/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
