"""The folder: where workers meet when nobody has named a directory, from its name to its removal.

Every Python under ``lowtide run`` imports this when it starts, so it imports next to nothing, and no pathlib.
"""

from __future__ import annotations

import fcntl
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping

FOLDER = "_LOWTIDE_DIR"
"""Names the directory that workers meet in where ``LOWTIDE_DIR`` doesn't: not a setting, so it has no say in them."""
_PARENTS = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 (the name can't be guessed, and it is made for us alone)


def name_folder(environ: MutableMapping[str, str]) -> None:
    """Name a directory for all that this process starts, unless that was done; the first worker makes it."""
    if environ.get(FOLDER):
        return
    for parent in (environ.get("TMPDIR"), *_PARENTS):
        if parent and os.access(parent, os.W_OK | os.X_OK):
            environ[FOLDER] = f"{os.path.abspath(parent)}/lowtide-{os.urandom(8).hex()}"  # noqa: PTH100
            return


def try_lock(path: str | os.PathLike[str]) -> int | None:
    """Take the lock of a file, which is made if it isn't there; None if somebody holds it."""
    while True:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
        # Whoever cleans up may have removed the file since we opened it: then our lock keeps nobody out.
        if _is_open_as(path, lock):
            return lock
        os.close(lock)


def _is_open_as(path: str | os.PathLike[str], descriptor: int) -> bool:
    try:
        return os.stat(path).st_ino == os.fstat(descriptor).st_ino  # noqa: PTH116
    except FileNotFoundError:
        return False


def remove_if_deserted(folder: str | os.PathLike[str]) -> None:
    """Remove a directory of ours in which no worker is left."""
    locks: list[int] = []
    try:
        names = [name for name in os.listdir(folder) if name.endswith((".lock", ".sock", ".door", ".late"))]  # noqa: PTH208
        for name in names:
            if name.endswith(".lock"):
                lock = try_lock(os.path.join(folder, name))  # noqa: PTH118
                if lock is None:
                    return
                locks.append(lock)
        for name in names:
            os.unlink(os.path.join(folder, name))  # noqa: PTH108, PTH118
        os.rmdir(folder)  # noqa: PTH106
    except OSError:
        pass  # somebody else removes it, or has just come
    finally:
        for lock in locks:
            os.close(lock)
