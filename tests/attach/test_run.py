"""``lowtide run``: the program notices nothing, and every loop of it is measured."""

import os
import signal
import subprocess
import sys

import pytest
from lowtide.attach.run import HOOK

from tests.attach.crew import free_port
from tests.attach.running import KNOWN, PATIENCE, RUN

LOOPS = {
    "asyncio.run": "asyncio.run(main())",
    "Runner": "with asyncio.Runner() as runner: runner.run(main())",
    "run_until_complete": "loop = asyncio.new_event_loop(); loop.run_until_complete(main()); loop.close()",
    "run_forever": """
loop = asyncio.new_event_loop()
task = loop.create_task(main())
task.add_done_callback(lambda _: loop.stop())
loop.run_forever()
""",
    "uvloop.run": "import uvloop; uvloop.run(main())",
    "uvloop's loop": "import uvloop; loop = uvloop.new_event_loop(); loop.run_until_complete(main()); loop.close()",
    "uvloop before asyncio": "import uvloop as u; asyncio.Runner(loop_factory=u.new_event_loop).run(main())",
}


@pytest.mark.parametrize("loop", LOOPS)
def test_every_kind_of_loop_is_measured(program, loop):
    first = "import uvloop\n" if loop == "uvloop before asyncio" else ""
    run = program(first + KNOWN + LOOPS[loop])
    assert (run.stdout, run.stderr) == ("['main']\n", "")


def test_loops_in_threads_are_measured_too(program):
    code = """
async def other(started, done):
    started.set()
    while not done.is_set():
        await asyncio.sleep(0.01)

started, done = threading.Event(), threading.Event()
thread = threading.Thread(target=lambda: asyncio.run(other(started, done)), name="side")
thread.start()
started.wait()
asyncio.run(main())
done.set()
thread.join()
"""
    assert program(KNOWN + code).stdout == "['side', 'main']\n"


def test_loops_that_come_and_go_keep_the_port(program):
    code = """
for _ in range(3):
    asyncio.run(main())
with urllib.request.urlopen(f"http://127.0.0.1:{os.environ['LOWTIDE_PORT']}/-/healthy") as page:
    print(page.read())
"""
    assert program(KNOWN + code).stdout == "['main']\n" * 3 + "b'healthy\\n'\n"


def test_a_program_that_installs_by_itself_gets_what_is_there(program):
    code = """
import lowtide

async def mine():
    with lowtide.install(service="mine", port=0) as handle:
        print(handle.url.endswith(f":{os.environ['LOWTIDE_PORT']}/metrics"))

asyncio.run(mine())
asyncio.run(main())
"""
    assert program(KNOWN + code).stdout == "True\n['main']\n"


def test_children_are_measured_beside_their_parent(program):
    code = """
import subprocess
CHILD = '''
import asyncio
async def main():
    print("up", flush=True)
    await asyncio.sleep(3600)
asyncio.run(main())
'''

async def parent():
    child = subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE)
    child.stdout.readline()
    with urllib.request.urlopen(f"http://127.0.0.1:{os.environ['LOWTIDE_PORT']}/metrics") as page:
        print(re.findall(r'^lowtide_worker_up.*$', page.read().decode(), re.M))
    child.kill()
    child.communicate()

asyncio.run(parent())
"""
    assert program(KNOWN + code).stdout == (
        "['lowtide_worker_up{worker=\"0\"} 1.0', 'lowtide_worker_up{worker=\"1\"} 1.0']\n"
    )


OWN = """
import asyncio, sys

async def main():
    print(sys.argv[1:], sys.path, sys.stdin.read(), sep="\\n")
    raise ValueError("its own")

def called():
    asyncio.run(main())

called()
"""


def test_output_input_arguments_path_traceback_and_status_are_the_programs_own(program):
    arguments = ("--", "-m", "--path", "a b")
    plain = program(OWN, *arguments, before=(), input="said\n")
    under = program(OWN, *arguments, input="said\n")
    assert (under.returncode, under.stdout, under.stderr) == (plain.returncode, plain.stdout, plain.stderr)
    assert "ValueError: its own" in under.stderr


@pytest.mark.parametrize("status", [0, 3, 255])
def test_the_exit_status_is_the_programs_own(program, status):
    assert program(f"import sys; sys.exit({status})").returncode == status


@pytest.mark.parametrize("name", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL, signal.SIGUSR1])
def test_signals_go_to_the_program_and_end_it_as_ever(tmp_path, name):
    path = tmp_path / "program.py"
    path.write_text(
        "import asyncio\nasync def main():\n  print(1, flush=True)\n  await asyncio.sleep(60)\nasyncio.run(main())"
    )
    ends = []
    for before in ((), RUN):
        process = subprocess.Popen(
            [*before, sys.executable, str(path)],
            env=os.environ | {"LOWTIDE_PORT": str(free_port())},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        process.stdout.readline()
        process.send_signal(name)
        _, errors = process.communicate(timeout=PATIENCE)
        ends.append((process.returncode, errors))
    assert ends[0] == ends[1]


def test_a_program_without_a_loop_loads_nothing(program):
    run = program("import sys; print({'asyncio', 'lowtide', 'prometheus_client'} & set(sys.modules))")
    assert (run.stdout, run.stderr) == ("set()\n", "")


def test_modules_run_as_ever(program, tmp_path):
    (tmp_path / "test_it.py").write_text(
        KNOWN + "\ndef test_it():\n    asyncio.run(main())\n    assert known()\n"
    )
    run = subprocess.run(
        [*RUN, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        env=os.environ | {"LOWTIDE_PORT": str(free_port())},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert "1 passed" in run.stdout, run.stdout + run.stderr


def test_an_image_whose_command_cannot_change_sets_two_variables(program):
    path = subprocess.run(
        [sys.executable, "-m", "lowtide.cli", "run", "--path"], capture_output=True, text=True, check=True
    ).stdout.strip()
    environ = {"PYTHONPATH": path, "LOWTIDE": "1"}
    assert program(KNOWN + "asyncio.run(main())", before=(), environ=environ).stdout == "['main']\n"


@pytest.mark.parametrize("switch", ["", "0", "no"])
def test_without_the_switch_nothing_is_measured(program, switch):
    code = "import asyncio, sys; asyncio.run(asyncio.sleep(0)); print('lowtide' in sys.modules)"
    assert program(code, before=(), environ={"PYTHONPATH": str(HOOK), "LOWTIDE": switch}).stdout == "False\n"


@pytest.mark.parametrize("switch", ["0", "1"])
def test_a_sitecustomize_of_the_users_own_runs_too(program, tmp_path, switch):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "sitecustomize.py").write_text("MINE = 'ran'")
    code = "import sitecustomize; print(sitecustomize.MINE, sitecustomize.__file__.count('mine'))"
    environ = {"PYTHONPATH": f"{HOOK}{os.pathsep}{tmp_path / 'mine'}", "LOWTIDE": switch}
    assert program(code, before=(), environ=environ).stdout == "ran 1\n"


def test_a_sitecustomize_that_fails_fails_as_ever(program, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "sitecustomize.py").write_text("raise ValueError('mine')")
    environ = {"PYTHONPATH": str(tmp_path / "mine")}
    plain = program("print(1)", before=(), environ=environ)
    under = program("print(1)", before=(sys.executable, "-S", "-c", _RUN_WITHOUT_SITE), environ=environ)
    assert (under.stdout, under.stderr) == (plain.stdout, plain.stderr)


# lowtide run itself would print the failure of that sitecustomize as well.
_RUN_WITHOUT_SITE = f"""
import os, sys
paths = os.pathsep.join([{str(HOOK)!r}, os.environ["PYTHONPATH"]])
os.execve(sys.argv[1], sys.argv[1:], os.environ | {{"PYTHONPATH": paths, "LOWTIDE": "1"}})
"""
