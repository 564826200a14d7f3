"""The slots: numbers that workers of one port hold by a lock each, in a private directory.

A worker takes the lowest free number, so that workers that come and go use the same few again.
The lock is ``flock``: the kernel frees it when its process dies, however that happens.
Files of slot 0 at the port 9788: ``9788-0.lock``, ``9788-0.sock`` (its metrics), ``9788-0.door`` (the socket of the
port), and ``9788-0.late`` while its worker is known to hang.
"""

import contextlib
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from lowtide.attach.hook.lowtide_folder import remove_if_deserted, try_lock

MAX_SLOTS = 1024
_MAX_PATH = 103
"""Bytes of a unix socket's path that every system allows: macOS has 104, with the zero at the end."""
_DOOR, _MARK = ".door", ".late"
_TEMPORARY = re.compile(r"lowtide-[0-9a-f]{16}")
"""What ``lowtide run`` calls directories that nobody asked for: their last worker removes them."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A number that is ours while ``lock``, a file descriptor, is open."""

    number: int
    lock: int
    socket: Path


def prepare(folder: Path) -> None:
    """Create the directory, for nobody but us; make sure that it is so if it exists.

    Raises ValueError if others may write there: they could put their own sockets in place of ours.
    """
    if len(os.fsencode(folder / f"65535-{MAX_SLOTS}.sock")) > _MAX_PATH:
        raise ValueError(f"LOWTIDE_DIR is too long for unix sockets: name a shorter one than {str(folder)!r}")
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        pass
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OSError(
            error.errno, f"can't create LOWTIDE_DIR {str(folder)!r}: {reason}: name one that can be made"
        ) from error
    else:
        if _TEMPORARY.fullmatch(folder.name):
            _remove_abandoned(folder)
    refuse_what_others_may_write(folder)


def refuse_what_others_may_write(folder: Path) -> None:
    """Raise ValueError unless the directory is ours alone to write in."""
    found = folder.lstat()
    mode = stat.S_IMODE(found.st_mode)
    if not stat.S_ISDIR(found.st_mode):
        raise ValueError(f"LOWTIDE_DIR should be a directory, is something else: {str(folder)!r}")
    if found.st_uid != os.geteuid():
        raise ValueError(
            f"LOWTIDE_DIR {str(folder)!r} belongs to the user {found.st_uid}, and this process runs as"
            f" {os.geteuid()}: name one that does not exist yet"
        )
    if mode & 0o022:
        raise ValueError(
            f"LOWTIDE_DIR {str(folder)!r} may be written by others (mode {mode:04o}):"
            " chmod 700 it, or name one that does not exist yet"
        )


def take(folder: Path, port: int) -> Slot:
    """Take the lowest free slot, and remove the socket that a killed worker left in it."""
    prepare(folder)
    for number in range(MAX_SLOTS):
        lock = try_lock(folder / f"{port}-{number}.lock")
        if lock is not None:
            slot = Slot(number, lock, socket_of(folder, port, number))
            _remove_files(folder, port, number)
            with contextlib.suppress(OSError):  # on a full disk it is just not known whose the slot is
                os.ftruncate(lock, 0)
                os.write(lock, f"{os.getpid()}\n".encode())
            return slot
    raise OSError(f"all {MAX_SLOTS} slots in LOWTIDE_DIR {str(folder)!r} are taken: use another directory")


def release(slot: Slot) -> None:
    """Remove the slot's files and let others have its number; the last one out removes a temporary directory."""
    slot.socket.unlink(missing_ok=True)
    slot.socket.with_suffix(_MARK).unlink(missing_ok=True)
    os.close(slot.lock)
    if _TEMPORARY.fullmatch(slot.socket.parent.name):
        remove_if_deserted(slot.socket.parent)


def socket_of(folder: Path, port: int, number: int) -> Path:
    """Return the path of a slot's socket."""
    return folder / f"{port}-{number}.sock"


def door_of(folder: Path, port: int, number: int) -> Path:
    """Return the path of the socket at which a slot's worker hands over the port."""
    return socket_of(folder, port, number).with_suffix(_DOOR)


def mark_of(folder: Path, port: int, number: int) -> Path:
    """Return the path of the mark that says that a slot's worker hangs."""
    return socket_of(folder, port, number).with_suffix(_MARK)


def numbers(folder: Path, port: int) -> list[int]:
    """List the slots that have a socket, whether somebody listens there or not."""
    name = re.compile(rf"{port}-(\d+)\.sock")
    try:
        entries = os.listdir(folder)  # noqa: PTH208 (names are all that we need)
    except FileNotFoundError:  # the last worker has just gone
        return []
    found = map(name.fullmatch, entries)
    return sorted(int(match[1]) for match in found if match)


def pid(folder: Path, port: int, number: int) -> int | None:
    """Tell which process took the slot last."""
    try:
        return int((folder / f"{port}-{number}.lock").read_text())
    except (OSError, ValueError):
        return None


def sweep(folder: Path, port: int, number: int) -> bool:
    """Remove the socket of a slot whose process is gone; tell whether it was."""
    try:
        lock = try_lock(folder / f"{port}-{number}.lock")
    except FileNotFoundError:  # and so is the directory
        return True
    if lock is None:
        return False
    _remove_files(folder, port, number)
    os.close(lock)
    return True


def _remove_files(folder: Path, port: int, number: int) -> None:
    socket = socket_of(folder, port, number)
    for path in (socket, socket.with_suffix(_DOOR), socket.with_suffix(_MARK)):
        path.unlink(missing_ok=True)


def _remove_abandoned(folder: Path) -> None:
    """Remove the temporary directories beside this one whose processes were all killed."""
    for other in folder.parent.glob("lowtide-*"):
        ours = other != folder and _TEMPORARY.fullmatch(other.name) and not other.is_symlink()
        with contextlib.suppress(OSError):
            if ours and other.stat().st_uid == os.geteuid() and any(other.glob("*.lock")):
                remove_if_deserted(other)
