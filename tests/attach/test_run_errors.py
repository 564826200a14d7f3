"""``lowtide run`` where it can't measure, or can't run: one line says so, and the program runs as ever."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from lowtide.attach.run import HOOK

from tests.attach.crew import free_port
from tests.attach.running import KNOWN, RUN


@pytest.mark.parametrize(
    ("environ", "reason"),
    [
        ({"LOWTIDE_PROT": "1"}, "environment: unknown setting 'LOWTIDE_PROT'"),
        ({"LOWTIDE_AGED_AFTER": "soon"}, "environment: LOWTIDE_AGED_AFTER should be seconds above 0"),
        ({"LOWTIDE_CONFIG": "/nowhere.yml"}, "No such file or directory: '/nowhere.yml'"),
        ({"LOWTIDE_DIR": "/tmp"}, "LOWTIDE_DIR '/tmp' may be written by others (mode 1777)"),
        ({"LOWTIDE_DIR": "/nowhere/crew"}, "can't create LOWTIDE_DIR '/nowhere/crew'"),
        ({"LOWTIDE_HOST": "no.such.host.invalid"}, "can't listen on 'no.such.host.invalid'"),
    ],
)
def test_what_stops_lowtide_is_one_line_and_does_not_stop_the_program(program, environ, reason):
    run = program("import asyncio; asyncio.run(asyncio.sleep(0)); print('ran')", environ=environ)
    assert (run.returncode, run.stdout) == (0, "ran\n")
    (line,) = run.stderr.splitlines()
    assert line.startswith("lowtide: not measuring: ")
    assert reason in line


def test_a_port_that_somebody_else_has_is_one_line_for_all_processes(program):
    code = """
import asyncio, subprocess, sys

async def main():
    if len(sys.argv) < 2:
        for _ in range(3):
            subprocess.run([sys.executable, __file__, "child"], check=True)
    print("ran", flush=True)

asyncio.run(main())
"""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        run = program(code, environ={"LOWTIDE_PORT": str(port)})
    assert (run.returncode, run.stdout) == (0, "ran\n" * 4)
    (line,) = run.stderr.splitlines()
    assert line.startswith(f"lowtide: can't listen on '127.0.0.1' port {port}")


def test_a_python_without_lowtide_runs_on_and_says_so(program, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    code = "import asyncio; asyncio.run(asyncio.sleep(0)); print('ran')"
    run = program(code, python=str(tmp_path / "bare" / "bin" / "python"))
    assert (run.returncode, run.stdout) == (0, "ran\n")
    assert run.stderr == "lowtide: not measuring: No module named 'lowtide'\n"


def test_where_no_directory_can_be_made_one_process_is_still_served(program):
    code = KNOWN.replace('{worker="0",loop', "{loop") + "asyncio.run(main())"
    environ = {"PYTHONPATH": str(HOOK), "LOWTIDE": "1", "_LOWTIDE_DIR": "", "LOWTIDE_PORT": str(free_port())}
    nowhere = "import lowtide_folder; lowtide_folder._PARENTS = ()\n"
    # The hook's own list is emptied by a sitecustomize of the test's, which is found first.
    path = Path(HOOK)
    starter = (
        f"import sys; sys.path.insert(0, {str(path)!r})\n{nowhere}import lowtide_hook; lowtide_hook.start()\n"
    )
    run = program(starter + code, before=(), environ=environ | {"LOWTIDE": "0", "TMPDIR": "/nowhere"})
    assert (run.stdout, run.stderr) == ("['main']\n", "")


def test_without_a_program_it_says_how_to_write_one():
    run = subprocess.run(RUN, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert run.stderr.startswith("lowtide run: no program: write it behind --")


@pytest.mark.parametrize(("name", "status"), [("/nowhere/program", 127), (str(HOOK), 126)])
def test_a_program_that_cannot_run_is_an_error_that_names_it(name, status):
    run = subprocess.run([*RUN, name], capture_output=True, text=True, check=False)
    assert run.returncode == status
    assert run.stderr.startswith(f"lowtide run: can't run {name!r}: ")
