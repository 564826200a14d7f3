"""What the tests of verdicts share."""

import asyncio
import contextlib

import pytest

from tests.judge.flow_stage import flow_stage


def _loops():
    yield pytest.param(asyncio.new_event_loop, id="asyncio")
    with contextlib.suppress(ImportError):
        import uvloop

        yield pytest.param(uvloop.new_event_loop, id="uvloop")


@pytest.fixture(params=_loops())
def on_stage(request):
    """Run an async function on a stage, in each loop."""

    def run(function, **options):
        async def main():
            async with flow_stage(**options) as stage:
                return await function(stage)

        with asyncio.Runner(loop_factory=request.param) as runner:
            return runner.run(main())

    return run
