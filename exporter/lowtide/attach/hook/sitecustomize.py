"""The start: Python imports this before any program, which must not notice.

Acts only if ``LOWTIDE=1`` is set. The directory leaves ``sys.path`` again, and a ``sitecustomize`` of the user's own
runs as if it had been found first.
"""

import os
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec


def _start() -> None:
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 (pathlib would cost every Python 5 ms)
    try:
        if os.environ.get("LOWTIDE") == "1":
            import lowtide_hook  # type: ignore[import-not-found, unused-ignore] # beside this file

            lowtide_hook.start()
    except Exception as error:  # noqa: BLE001 (the program runs on)
        sys.stderr.write(f"lowtide: not measuring: {' '.join(str(error).split())}\n")
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != here]  # noqa: PTH100
    spec = PathFinder.find_spec("sitecustomize")
    if spec is not None and spec.loader is not None:
        theirs = sys.modules["sitecustomize"] = module_from_spec(spec)
        spec.loader.exec_module(theirs)


_start()
