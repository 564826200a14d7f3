"""The start: Python imports this before any program, which must not notice.

Acts only if ``LOWTIDE=1`` is set. The directory leaves ``sys.path`` again, and a ``sitecustomize`` of the user's own
is imported as if it had been found first.
"""

import os
import sys


def _start() -> None:
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 (pathlib would slow every Python down)
    try:
        if os.environ.get("LOWTIDE") == "1":
            import lowtide_hook  # type: ignore[import-not-found, unused-ignore] # beside this file

            lowtide_hook.start()
    except Exception as error:  # noqa: BLE001 (the program runs on)
        sys.stderr.write(f"lowtide: not measuring: {' '.join(str(error).split())}\n")
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != here]  # noqa: PTH100
    ours = sys.modules.pop("sitecustomize")
    try:
        import sitecustomize  # type: ignore[import-not-found, unused-ignore] # noqa: F401 (the next one)
    except ImportError as error:
        if error.name != "sitecustomize":
            raise
        sys.modules["sitecustomize"] = ours


_start()
