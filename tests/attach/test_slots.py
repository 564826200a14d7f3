"""The slots: a private directory, the lowest free number, and nothing left of who is gone."""

import os
import subprocess
import sys

import pytest
from lowtide.attach import slots

PORT = 9788


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "workers"


def test_the_directory_is_made_for_nobody_but_us(folder):
    slots.prepare(folder)
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o1777, 0o702])
def test_a_directory_that_others_may_write_is_refused(folder, mode):
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(ValueError, match=rf"may be written by others \(mode {mode:04o}\): chmod 700"):
        slots.prepare(folder)
    folder.chmod(0o755)
    slots.prepare(folder)


def test_a_link_to_a_directory_is_refused(folder, tmp_path):
    folder.symlink_to(tmp_path)
    with pytest.raises(ValueError, match="should be a directory, is something else"):
        slots.prepare(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_directory_of_somebody_else_is_refused(folder):
    folder.mkdir(mode=0o700)
    os.chown(folder, 12345, 12345)
    with pytest.raises(ValueError, match="belongs to the user 12345, and this process runs as 0"):
        slots.prepare(folder)


def test_a_directory_that_cannot_be_made_is_an_error_that_names_it(tmp_path):
    with pytest.raises(OSError, match=r"can't create LOWTIDE_DIR '.*missing/workers': no such file"):
        slots.prepare(tmp_path / "missing" / "workers")


def test_a_path_too_long_for_a_socket_is_an_error_that_names_it(tmp_path):
    with pytest.raises(ValueError, match="LOWTIDE_DIR is too long for unix sockets"):
        slots.prepare(tmp_path / ("x" * 100))


def test_the_lowest_free_number_is_taken(folder):
    first, second, third = (slots.take(folder, PORT) for _ in range(3))
    assert [slot.number for slot in (first, second, third)] == [0, 1, 2]
    slots.release(second)
    again = slots.take(folder, PORT)
    assert again.number == 1
    for slot in (first, again, third):
        slots.release(slot)


def test_another_port_has_numbers_of_its_own(folder):
    here, there = slots.take(folder, PORT), slots.take(folder, PORT + 1)
    assert (here.number, there.number) == (0, 0)
    slots.release(here)
    slots.release(there)


DIES = """
import os, socket, sys
from pathlib import Path
from lowtide.attach import slots
slot = slots.take(Path(sys.argv[1]), 9788)
socket.socket(socket.AF_UNIX).bind(str(slot.socket))
print(slot.number, flush=True)
os.kill(os.getpid(), 9)
"""


def test_a_killed_workers_number_is_free_and_its_socket_is_swept(folder):
    run = subprocess.run([sys.executable, "-c", DIES, folder], capture_output=True, text=True, check=False)
    assert run.stdout == "0\n", run.stderr
    assert slots.numbers(folder, PORT) == [0]
    assert slots.sweep(folder, PORT, 0)
    assert slots.numbers(folder, PORT) == []
    slot = slots.take(folder, PORT)
    assert slot.number == 0
    assert slots.pid(folder, PORT, 0) == os.getpid()
    assert not slots.sweep(folder, PORT, 0), "it is taken"
    slots.release(slot)


def test_the_last_one_out_removes_a_temporary_directory(tmp_path):
    folder = tmp_path / "lowtide-0123456789abcdef"
    first, second = slots.take(folder, PORT), slots.take(folder, PORT)
    slots.release(first)
    assert folder.exists()
    slots.release(second)
    assert not folder.exists()


def test_a_directory_that_somebody_named_is_left(folder):
    slots.release(slots.take(folder, PORT))
    assert folder.exists()


def test_a_temporary_directory_of_killed_workers_is_removed_by_the_next(tmp_path):
    abandoned, living, mine = (tmp_path / f"lowtide-{letter * 16}" for letter in "abc")
    other = slots.take(living, PORT)
    subprocess.run([sys.executable, "-c", DIES, abandoned], capture_output=True, check=False)
    slots.mark_of(abandoned, PORT, 0).touch()
    slot = slots.take(mine, PORT)
    assert not abandoned.exists()
    assert living.exists()
    slots.release(slot)
    slots.release(other)
