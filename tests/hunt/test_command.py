"""``lowtide audit``, as a person or a CI server runs it."""

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys

import pytest
from lowtide.cli import main

FLOWS = """
service: tests.hunt.services:application()
rounds: 1
settle: 0.5s
flows:
- {path: /clean, repeat: 1}
- {path: /leak_held, repeat: 1}
- {path: /missing, repeat: 1, expect: 200}
- {path: /slow, repeat: 30, timeout: 1s}
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "flows.yaml"
    path.write_text(FLOWS)
    return str(path)


@pytest.mark.parametrize(("only", "status"), [("/clean", 0), ("/leak_held", 1), ("/missing", 2)])
def test_the_exit_status_is_0_clean_1_leaks_2_could_not_run(file, capsys, only, status):
    assert main(["audit", file, "--only", only]) == status
    assert only in capsys.readouterr().out


def test_json_is_all_that_is_printed_and_junit_goes_to_a_file(file, capsys, tmp_path):
    junit = tmp_path / "junit.xml"
    assert main(["audit", file, "--only=/leak_held", "--json", f"--junit={junit}"]) == 1
    assert json.loads(capsys.readouterr().out)["leaking"] == 1
    assert "<failure" in junit.read_text()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["nothing.yaml"], "no nothing.yaml: --discover or --from-openapi write a first one"),
        (
            ["{file}", "--only=nothing"],
            "no flow has 'nothing' in its name: there are GET /clean, GET /leak_held",
        ),
        (["{file}", "--service=nothing:app"], "no module 'nothing'"),
        (["{file}", "--discover=tests.hunt.services:application"], "is there already: name another file"),
        (["{file}.new", "--from-openapi=http://127.0.0.1:1/openapi.json"], "can't read http://127.0.0.1:1/"),
    ],
)
def test_what_is_wrong_is_one_line_on_stderr(file, capsys, arguments, why):
    assert main(["audit", *(each.format(file=file) for each in arguments)]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert why in output.err
    assert output.err.startswith("lowtide audit: ")
    assert len(output.err.splitlines()) == 1


def test_discover_writes_a_file_that_an_audit_can_run(tmp_path, capsys):
    path = tmp_path / "new.yaml"
    assert main(["audit", str(path), "--discover=tests.hunt.services:application"]) == 0
    assert "15 flows" in capsys.readouterr().out
    assert main(["audit", str(path), "--only=/clean", "--rounds=1"]) == 0


def test_an_interrupt_ends_it_with_what_was_found_so_far(file, tmp_path):
    master, slave = pty.openpty()
    suite = tmp_path / "suite.xml"
    command = [sys.executable, "-m", "lowtide.cli", "audit", file, "--only=/clean", "--only=/slow"]
    command += ["--junit", suite]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=slave, text=True)
    os.close(slave)
    shown = ""
    while "1/2" not in shown:
        shown += os.read(master, 1000).decode(errors="replace")
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    shown = os.read(master, 10_000).decode(errors="replace")
    os.close(master)
    assert process.returncode == 2
    assert "lowtide audit: interrupted" in shown
    assert "Traceback" not in shown
    assert "GET /clean" in output
    assert "1 not run" in output
    assert 'errors="1"' in suite.read_text()
    assert "interrupted: 1 of 2 flows were not run" in suite.read_text()


def _read(master):
    """Read all that was shown; Linux says with an error that there will be no more."""
    parts = []
    with contextlib.suppress(OSError):
        while part := os.read(master, 100_000):
            parts.append(part)
    return b"".join(parts).decode()


@pytest.mark.parametrize("rich", [True, False])
def test_a_bar_shows_progress_on_a_terminal_with_rich_and_without(file, rich):
    hide = "" if rich else "sys.modules.update({'rich': None, 'rich.console': None});"
    code = f"import sys; {hide} from lowtide.cli import main; sys.exit(main(sys.argv[1:]))"
    master, slave = pty.openpty()
    run = subprocess.Popen(
        [sys.executable, "-c", code, "audit", file, "--only=/clean"], stderr=slave, stdout=subprocess.PIPE,
        env=os.environ | {"TERM": "xterm"},
    )  # fmt: skip
    os.close(slave)
    output, _ = run.communicate(timeout=60)
    shown = _read(master)
    os.close(master)
    assert run.returncode == 0
    assert "GET /clean" in shown
    assert "1/1" in shown
    assert ("[####" in shown) is not rich
    assert "\\x1b" not in output.decode()


def test_off_a_terminal_there_is_no_bar(file, capsys):
    main(["audit", file, "--only=/clean"])
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("option", ["--rounds=0", "--settle=soon", "--rounds=x"])
def test_a_wrong_option_is_an_error(option, capsys):
    with pytest.raises(SystemExit) as error:
        main(["audit", option])
    assert error.value.code == 2
    assert "should be" in capsys.readouterr().err


SERVICE = """
import threading

from aiohttp import web

async def hello(request):
    return web.Response()

app = web.Application()
app.router.add_get("/", hello)
threading.Thread(target=threading.Event().wait, args=({},), name="database").start()
"""


@pytest.mark.parametrize(("seconds", "is_waited_for"), [("None", False), ("4", True)])
def test_the_command_ends_though_a_thread_of_the_service_does_not(tmp_path, seconds, is_waited_for):
    (tmp_path / "service_with_thread.py").write_text(SERVICE.format(seconds))
    (tmp_path / "flows.yaml").write_text(
        "service: service_with_thread:app\nrounds: 1\nsettle: 0.5s\nflows: [{path: /}]\n"
    )
    command = [sys.executable, "-m", "lowtide.cli", "audit"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0
    assert "GET /" in run.stdout
    said = "lowtide audit: ended without waiting for the service's threads 'database'\n"
    assert run.stderr == ("" if is_waited_for else said)
