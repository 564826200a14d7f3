"""Every fault is survived, at a two-hundredth of its size or at its least; ``make chaos`` runs them whole."""

import subprocess
import sys

import pytest

from tests.chaos import load

SCALE = "0.005"


@pytest.mark.parametrize("name", load())
def test_lowtide_survives(name):
    """In a process of its own, as in ``python -m tests.chaos``."""
    command = [sys.executable, "-m", "tests.chaos", "--here", "--scale", SCALE, name]
    ran = subprocess.run(command, check=False, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    print(ran.stdout)
