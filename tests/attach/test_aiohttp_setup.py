"""Setting up an aiohttp application: what is refused, and what stays as it was."""

import asyncio
import json

import lowtide
import pytest
from aiohttp import web

from tests.attach.http import client, served_by_aiohttp


def test_metrics_at_what_is_no_path_is_an_error_that_shows_it():
    with pytest.raises(ValueError, match="metrics should be a path such as \"/metrics\", is 'metrics'"):
        lowtide.aiohttp.setup(web.Application(), metrics="metrics")


def test_to_set_up_an_application_that_runs_is_an_error():
    async def main():
        app = web.Application()
        async with served_by_aiohttp(app):
            with pytest.raises(
                RuntimeError, match=r"runs already: call lowtide\.aiohttp\.setup\(app\) before"
            ):
                lowtide.aiohttp.setup(app)

    asyncio.run(main())


def test_to_set_up_twice_is_to_set_up_once():
    app = web.Application()
    lowtide.aiohttp.setup(app)
    lowtide.aiohttp.setup(app)
    assert len(app.middlewares) == 1


async def _answer(app):
    async with (
        served_by_aiohttp(app) as url,
        client() as session,
        session.post(f"{url}/echo", data=json.dumps({"a": 1})) as response,
    ):
        headers = {key: value for key, value in response.headers.items() if key != "Date"}
        return response.status, headers, await response.text()


def test_answers_are_the_same_as_without():
    async def echo(request):
        return web.json_response(await request.json())

    answers = []
    for is_set_up in (False, True):
        app = web.Application()
        app.add_routes([web.post("/echo", echo)])
        if is_set_up:
            lowtide.aiohttp.setup(app)
        answers.append(asyncio.run(_answer(app)))
    assert answers[0] == answers[1]
