"""A thread that forks, for faults in which another one does so."""

import asyncio
import os
import threading
import time
import urllib.request

import lowtide
from prometheus_client import CollectorRegistry

_CHILD_WITHIN = 30


def _child():
    """Be a forked child: install lowtide, scrape it, and say by the exit status whether that went well."""

    async def main():
        with lowtide.install(port=0, registry=CollectorRegistry()) as handle:
            page = await asyncio.to_thread(lambda: urllib.request.urlopen(handle.url, timeout=10).read())
        return b"asyncio_tasks{" in page

    status = 1
    try:
        status = 0 if asyncio.run(main()) else 2
    finally:
        os._exit(status)


class Forker(threading.Thread):
    """Forks from a thread of its own, as often as it is asked, and keeps the children's exit statuses."""

    def __init__(self):
        super().__init__(name="forker")
        self.statuses = []
        self._asked = threading.Semaphore(0)
        self._forked = threading.Semaphore(0)
        self._over = False
        self.start()

    def fork(self):
        self._asked.release()
        self._forked.acquire()

    def end(self):
        self._over = True
        self._asked.release()
        self.join()

    def run(self):
        while True:
            self._asked.acquire()
            if self._over:
                return
            pid = os.fork()
            if not pid:
                _child()
            self._forked.release()
            self.statuses.append(_wait(pid))


def _wait(pid):
    until = time.monotonic() + _CHILD_WITHIN
    while time.monotonic() < until:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    return "hung"
