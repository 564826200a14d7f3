"""A program that the demo runs beside itself and ends again."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Served:
    """A program that serves something, and where."""

    url: str
    process: asyncio.subprocess.Process


_END_WITHIN = 0.4
"""Seconds that a program gets to end by itself: its data goes with it."""


@contextlib.asynccontextmanager
async def running(
    binary: str,
    *arguments: str,
    stdout: int | None = asyncio.subprocess.DEVNULL,
    end_within: float = _END_WITHIN,
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a program as long as the block runs. What it says goes nowhere, unless ``stdout`` is given."""
    process = await asyncio.create_subprocess_exec(
        binary,
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=stdout,
        # Who reads the one may show the other to the user.
        stderr=asyncio.subprocess.DEVNULL if stdout == asyncio.subprocess.DEVNULL else None,
    )
    try:
        yield process
    finally:
        await _end(process, end_within)


def free_port(usual: int = 0) -> int:
    """Find a free port on loopback: the usual one if it is."""
    for port in (usual, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise OSError("no free port on 127.0.0.1")


async def _end(process: asyncio.subprocess.Process, within: float) -> None:
    for stop in (process.terminate, process.kill):
        with contextlib.suppress(ProcessLookupError):
            stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                await process.wait()
                return
