"""What asyncio itself knows of the tasks of all loops: a set of weak references, up to Python 3.13.

From 3.14 on it gives them one loop at a time, and as strong references only.
"""

import asyncio
import sys
from typing import Any

DESTROYED = "Task was destroyed but it is pending!"
"""What it says of one to the loop's ``call_exception_handler``."""

if sys.version_info < (3, 14):
    TASKS: Any = vars(asyncio.tasks)["_all_tasks" if sys.version_info < (3, 12) else "_scheduled_tasks"]
    """A WeakSet. To copy its ``data`` is one C call, which no other thread can disturb."""
else:
    TASKS = None
