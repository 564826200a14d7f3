"""A Docker of the tests' own, on a socket of its own, and the image built from this checkout."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

STAND_IN = Path(".cache/container/base.tar")
IMAGE = "lowtide-under-test"
WITHIN = 60.0


class Docker:
    """One Docker client. ``base`` is what images are built on."""

    def __init__(self, host, base):
        self.environment = os.environ | {"DOCKER_BUILDKIT": "1"} | ({"DOCKER_HOST": host} if host else {})
        self.base = base

    def __call__(self, *arguments, check=True, **options):
        """Run one command of Docker's; return what it printed, or all that came of it with ``check=False``."""
        done = subprocess.run(
            [_client(), *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=400,
            **options,
        )
        if not check:
            return done
        assert done.returncode == 0, (
            f"docker {' '.join(arguments)}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
        return done.stdout.strip()

    def run(self, *arguments, options=()):
        """Run the image to its end, as locked down as it may be; return what came of it."""
        return self("run", "--rm", "--network=host", *LOCKED_DOWN, *options, IMAGE, *arguments, check=False)

    def inspect(self, what):
        (found,) = json.loads(self("inspect", what))
        return found


LOCKED_DOWN = (
    "--read-only",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--pids-limit=100",
    "--memory=256m",
)


def _client():
    # A newer client beside Debian's daemon may ask for a builder that isn't there.
    return "/usr/bin/docker" if Path("/usr/bin/docker").exists() else "docker"


def running():
    """Yield a Docker: that of the system if BASE names an image for it, or else one of our own on the stand-in."""
    if base := os.environ.get("BASE"):
        yield Docker(None, base)
        return
    missing = [program for program in ("dockerd", "docker") if shutil.which(program) is None]
    if missing or os.geteuid() != 0 or not STAND_IN.exists():
        lacking = (
            f"no {' and no '.join(missing)}" if missing else "not root, or no stand-in for the base image"
        )
        how = f"{lacking}: make test-container gets all of it on Debian as root; elsewhere set BASE=python:3.13-slim"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(how)
    with tempfile.TemporaryDirectory(prefix="lowtide-docker-", ignore_cleanup_errors=True) as folder:
        yield from _daemon(folder)


def _daemon(folder):
    host = f"unix://{folder}/socket"
    command = [
        "dockerd", f"--data-root={folder}/data", f"--exec-root={folder}/exec", f"--host={host}",
        f"--pidfile={folder}/pid", "--iptables=false", "--ip6tables=false", "--bridge=none", "--oom-score-adjust=0",
    ]  # fmt: skip
    with Path(folder, "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        docker = Docker(host, "lowtide-stand-in:3.13")
        until = time.monotonic() + WITHIN
        while docker("version", check=False).returncode != 0:
            assert process.poll() is None, Path(folder, "log").read_text()[-3000:]
            assert time.monotonic() < until, f"dockerd did not answer within {WITHIN:.0f} s"
            time.sleep(0.1)
        docker("import", str(STAND_IN), docker.base)
        yield docker
    finally:
        process.terminate()
        process.wait(timeout=WITHIN)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def poll(condition, why, within=WITHIN):
    """Wait until ``condition()`` is true and return it, or fail with what ``why()`` says."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        if found := condition():
            return found
        time.sleep(0.1)
    pytest.fail(f"not within {within:.0f} s: {why()}")
