"""Words: numbers, times and strangers' names as people read them."""

import os
import re
import sysconfig

# Characters that turn the direction of what follows or can't be seen: a name could pass for another one.
_INVISIBLE = re.compile("[\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]")


def visible(text: object) -> str:
    """Show characters that turn or hide text as ``[U+202E]``."""
    return _INVISIBLE.sub(lambda found: f"[U+{ord(found[0]):04X}]", str(text))


def number(value: float) -> str:
    """Write a count with commas."""
    return f"{value:,.0f}"


def lasting(seconds: float) -> str:
    """Write a time in its two largest units."""
    if seconds < 0.001:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    for size, large, small, name in _UNITS:
        if whole < size:
            first, rest = divmod(whole, large)
            return f"{first} {name[0]} {rest // small} {name[1]}" if rest // small else f"{first} {name[0]}"
    raise AssertionError


_UNITS: tuple[tuple[float, int, int, tuple[str, str]], ...] = (
    (3600, 60, 1, ("min", "s")),
    (86400, 3600, 60, ("h", "min")),
    (float("inf"), 86400, 3600, ("d", "h")),
)


def roughly(seconds: float) -> str:
    """Write a time in its largest unit, for the labels of an axis."""
    for size, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.0f} {name}"
    return f"{seconds:.0f} s"


# The longest first: packages lie in the library's folder.
_ROOTS = sorted(
    {sysconfig.get_path(name) + os.sep for name in ("purelib", "platlib", "stdlib", "platstdlib")}, key=len
)


def short_file(path: str) -> str:
    """Write a file as it is called in its package or in the working directory: ``asyncio/queues.py``."""
    for root in (*reversed(_ROOTS), _working_directory()):
        if root and path.startswith(root):
            return path.removeprefix(root)
    return path


def _working_directory() -> str:
    try:
        return os.getcwd() + os.sep  # noqa: PTH109 (compared with a plain string)
    except OSError:  # it was removed
        return ""


def plural(count: int, noun: str) -> str:
    """Write a count and a noun that takes an s."""
    return f"{number(count)} {noun}" if count == 1 else f"{number(count)} {noun}s"
