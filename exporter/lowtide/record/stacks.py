"""Stacks of other threads: in which function one of them stands."""

import functools
from types import CodeType, FrameType

from lowtide.record.origins import Place, frame_name, place_of


def innermost_user_function(frame: FrameType | None, outermost: CodeType | None) -> str | None:
    """Name the innermost function of user code from ``frame`` outward, as ``module:qualname``; None without one."""
    found = innermost_user_frame(frame, outermost)
    return None if found is None else frame_name(found)


def innermost_user_frame(frame: FrameType | None, outermost: CodeType | None) -> FrameType | None:
    """Find the innermost frame of user code from ``frame`` outward.

    User code is what is neither in the standard library nor installed; where all of it is installed, what is not
    in the standard library. Frames from ``outermost`` on belong to whoever runs the loop. None if there is none.
    """
    of_stdlib, of_installed = _places()
    installed = None
    while frame is not None and frame.f_code is not outermost:
        path = frame.f_code.co_filename
        if place_of(frame) is Place.MACHINERY:
            pass
        elif path.startswith(of_installed):
            installed = installed or frame
        elif not path.startswith(of_stdlib):
            return frame
        frame = frame.f_back
    return installed


@functools.cache
def _places() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Tell how the files of the standard library begin, and those of what is installed."""
    import sysconfig  # it reads files, and a hunt imports this module while a loop runs

    stdlib = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib")}
    installed = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    return (*stdlib, "<frozen"), tuple(installed)
