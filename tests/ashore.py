"""Runs the service of ``tests.shore`` in a process of its own, and asks it over HTTP."""

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request


class Shore:
    """One running service."""

    def __init__(self, process, url):
        self.process = process
        self.url = url

    def get(self, path, **headers):
        """Return status, body and headers, whatever the status."""
        request = urllib.request.Request(self.url + path)
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        return answer(request)

    def json(self, path="/debug/tasks.json"):
        status, body, _ = self.get(path)
        assert status == 200, body
        return json.loads(body)

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def until(self, condition, seconds=60):
        """Wait until a document has what is wanted, and return it."""
        end = time.monotonic() + seconds
        while not condition(document := self.json()):
            assert time.monotonic() < end, f"never came true: {document}"
            time.sleep(0.1)
        return document

    def page_with(self, text, path="/debug/tasks", seconds=15):
        """Wait until a page has a text: an answer is shared for a second."""
        end = time.monotonic() + seconds
        while text not in (page := self.get(path)[1]):
            assert time.monotonic() < end, f"{text!r} never came: {page}"
            time.sleep(0.1)
        return page


def answer(request):
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, response.read().decode(), response.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(), error.headers


@contextlib.contextmanager
def shore(*arguments, **environ):
    """Run the service until the end of the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.shore", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | environ,
    )
    try:
        url = process.stdout.readline().strip().replace("0.0.0.0", "127.0.0.1")
        assert url, "the service did not start"
        yield Shore(process, url)
    finally:
        process.terminate()
        process.communicate(timeout=20)


def stranded(count):
    """Tell when so many tasks are proven."""
    return lambda document: document["totals"]["stranded"] >= count
