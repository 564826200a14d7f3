"""The peers: what the workers of one port say, asked over their sockets, and served as one."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, UnixConnector, web
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from lowtide.attach.late import Late
from lowtide.attach.port import notice
from lowtide.attach.slots import numbers, pid, socket_of, sweep
from lowtide.publish.catalog import family
from lowtide.publish.exposition import compress, encoder
from lowtide.publish.merge import Merged
from lowtide.publish.page.site import VIEWS, Handler, Site
from lowtide.publish.page.template import workers_page
from lowtide.publish.server import off_loop
from lowtide.publish.subject import PATH as AUDIT
from lowtide.record.threads import mark_own

WITHIN: Final = 2.0
"""Seconds that a scrape waits for a worker, or half of what Prometheus gives it, if that is less."""
_ASKED_AGAIN_AFTER = 30.0
"""Seconds until a worker that didn't answer is asked again, unless it answers before."""
_PAGE_WITHIN = 10.0
_HEALTHY_WITHIN = 0.5
_NOT_PASSED_ON = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "upgrade"}
_OURS_ALONE = {"authorization", "cookie"}
"""Were for us, and we have let the request in."""
_UP = "lowtide_worker_up"


class SharedSite:
    """The port of all workers: their pages, and the site that guards it."""

    def __init__(self, peers: "Peers", site: Site) -> None:
        self._peers = peers
        self._site = site

    def attach(self, application: web.Application, address: str) -> None:
        """Add the routes, in front of the site's own."""
        peers = self._peers
        application.add_routes([web.get(path, handler) for path, handler in peers.routes().items()])
        application.add_routes([web.post(path, handler) for path, handler in peers.posts().items()])
        self._site.attach(application, address)

    def close(self) -> None:
        """Let go of the site; the peers are the worker's."""
        self._site.close()


class Peers:
    """All workers of one port. Used in the loop of the server that serves them; closed from any thread."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._port = port
        self._late = Late(folder, port)
        self._told: set[str] = set()
        self._merges = ThreadPoolExecutor(1, "lowtide-merge", mark_own)

    def routes(self) -> dict[str, Handler]:
        """Give the paths of the port that all workers share."""
        return {
            "/metrics": self.metrics,
            "/workers": self.listing,
            "/debug/workers": self.page,
            "/worker/{slot}/debug/workers": self.move_to_page,
            "/worker/{slot}": self.move_to_root,
            "/worker/{slot}/{path:.*}": self.pass_on,
            # The site's own views, but always of the same worker, whichever answers.
            **dict.fromkeys(VIEWS, self.pass_on_first),
            AUDIT: self.pass_on_only,
        }

    def posts(self) -> dict[str, Handler]:
        """Give the paths to which an audit sends what it wants."""
        return {
            AUDIT + "/{path:.+}": self.pass_on_only,
            "/worker/{slot}" + AUDIT + "/{path:.+}": self.pass_on,
        }

    def close(self) -> None:
        """Merge no more."""
        self._merges.shutdown(cancel_futures=True)

    def workers(self) -> list[int]:
        """List the slots of the workers that are there; remove what killed ones left."""
        return [
            number
            for number in numbers(self._folder, self._port)
            if not sweep(self._folder, self._port, number)
        ]

    async def metrics(self, request: web.Request) -> web.Response:
        """Answer with the pages of all workers, merged, without those that don't answer in time."""
        accept = request.headers.get("Accept", "")
        names = request.query.getall("name[]", [])
        _, content_type = encoder(accept)

        async def fetch(number: int) -> bytes:
            async with (
                self._session(number) as session,
                session.get(
                    f"http://localhost{request.rel_url}",
                    headers={"Accept": accept, "Accept-Encoding": "identity"},
                ) as answer,
            ):
                return await _page(answer, content_type)

        pages = await self._ask(fetch, _within(request))
        body = await off_loop(self._merges, self._merge, pages, accept, names)
        headers = {"Content-Type": content_type, "Vary": "Accept, Accept-Encoding"}
        if "gzip" in request.headers.get("Accept-Encoding", "").lower():
            body = await off_loop(self._merges, compress, body)
            headers["Content-Encoding"] = "gzip"
        response = web.Response(body=body, headers=headers)
        # Any worker may answer the next scrape: one that stops would keep its connection, and let it wait.
        response.force_close()
        return response

    async def listing(self, _: web.Request) -> web.Response:
        """List the workers: slot, process, and where its own pages are."""
        return web.json_response(
            [
                {
                    "worker": str(number),
                    "pid": pid(self._folder, self._port, number),
                    "path": f"/worker/{number}/",
                }
                for number in self.workers()
            ]
        )

    async def page(self, _: web.Request) -> web.Response:
        """Show the workers to a person, with a link to the pages of each."""
        present = self.workers()
        well = await asyncio.gather(*map(self._is_well, present))
        rows = [
            {"number": number, "pid": pid(self._folder, self._port, number), "up": up}
            for number, up in zip(present, well, strict=True)
        ]
        return web.Response(body=workers_page(workers=rows), content_type="text/html", charset="utf-8")

    async def _is_well(self, number: int) -> bool:
        try:
            async with (
                asyncio.timeout(_HEALTHY_WITHIN),
                self._session(number) as session,
                session.get("http://localhost/-/healthy") as answer,
            ):
                return answer.ok
        except (ClientError, OSError):  # a timeout is one too
            return False

    async def move_to_page(self, _: web.Request) -> web.Response:
        """Move from a worker's link to the page of all."""
        raise web.HTTPFound("../../../debug/workers")

    async def move_to_root(self, request: web.Request) -> web.Response:
        """Add the slash that relative links on a worker's page need."""
        raise web.HTTPMovedPermanently(f"{request.match_info['slot']}/")

    async def pass_on(self, request: web.Request) -> web.StreamResponse:
        """Answer with what one worker answers to the rest of the path."""
        slot = request.match_info["slot"]
        present = [str(number) for number in self.workers()]
        if slot not in present:
            raise web.HTTPNotFound(text=f"no worker {slot[:20]!r}: there are {', '.join(present)}\n")
        return await self._pass_on(request, int(slot), request.rel_url.raw_path.split("/", 3)[3])

    async def pass_on_first(self, request: web.Request) -> web.StreamResponse:
        """Answer with what the first worker that is well answers."""
        present = self.workers()
        well = [number for number in present if number not in self._late]
        return await self._pass_on(request, (well or present)[0], request.rel_url.raw_path.lstrip("/"))

    async def pass_on_only(self, request: web.Request) -> web.StreamResponse:
        """Answer with what the worker answers, if there is only one: the counts of one of several tell nothing."""
        present = self.workers()
        if len(present) > 1:
            raise web.HTTPConflict(
                text=f"{len(present)} processes share this port: audit a service with one worker, or say with"
                f" /worker/N behind the port which of {', '.join(map(str, present))} alone gets the requests\n"
            )
        return await self.pass_on_first(request)

    async def _pass_on(self, request: web.Request, number: int, rest: str) -> web.StreamResponse:
        query = f"?{request.rel_url.raw_query_string}" if request.rel_url.raw_query_string else ""
        headers = dict(_forwarded(request.headers.items()))
        async with self._session(number, total=None) as session:
            try:
                async with asyncio.timeout(_PAGE_WITHIN):
                    answer = await session.request(
                        request.method,
                        f"http://localhost/{rest}{query}",
                        headers=headers,
                        data=await request.read() or None,
                        # What was asked for is passed on as it comes: compressed only for who can read that.
                        skip_auto_headers=("Accept-Encoding", "Content-Type"),
                        allow_redirects=False,
                    )
            except TimeoutError:
                raise web.HTTPGatewayTimeout(
                    text=f"worker {number} did not answer within {_PAGE_WITHIN:.0f} s: is it stopped?\n"
                ) from None
            except (ClientError, OSError) as error:
                raise web.HTTPBadGateway(text=f"worker {number} did not answer: {error}\n") from None
            if answer.headers.get("Location", "").startswith("/"):  # the worker doesn't know where it stands
                raise web.HTTPFound(f"/worker/{number}{answer.headers['Location']}")
            return await _copy(request, answer)

    def _session(self, number: int, total: float | None = _ASKED_AGAIN_AFTER) -> ClientSession:
        connector = UnixConnector(str(socket_of(self._folder, self._port, number)))
        return ClientSession(connector=connector, timeout=ClientTimeout(total=total), auto_decompress=False)

    async def _ask(self, fetch: Callable[[int], Awaitable[bytes]], within: float) -> dict[int, bytes | None]:
        """Ask every worker for its page; None for one that lives and gave none."""
        present = self.workers()
        pages: dict[int, bytes | None] = dict.fromkeys(present)
        for number, task in (await self._late.ask(present, fetch, within)).items():
            if task.exception() is None:
                pages[number] = task.result()
            elif sweep(self._folder, self._port, number):
                del pages[number]  # it died while it was asked
        return pages

    def _merge(self, pages: dict[int, bytes | None], accept: str, names: list[str]) -> bytes:
        merged = Merged()
        up: dict[int, bool] = {}
        for number, page in sorted(pages.items()):
            up[number] = page is not None
            try:
                merged.add(page or b"", number)
            except ValueError as error:
                up[number] = False
                self._tell(f"worker {number}: {error}")
        for name in merged.left_out:
            self._tell(
                f"the metric {name!r} has another type in some workers than in the first, and is left out of them"
            )
        encode, _ = encoder(accept)
        wanted = not names or _UP in names
        first = encode(
            _One(family(_UP, (((str(number),), value) for number, value in up.items() if wanted)), wanted)
        )
        return merged.text(first)

    def _tell(self, what: str) -> None:
        if what not in self._told:
            self._told.add(what)
            notice(what)


class _One(Collector):
    """Collects one family, or none, for an encoder."""

    def __init__(self, only: Family, wanted: bool) -> None:
        self._families = [only] if wanted else []

    def collect(self) -> list[Family]:
        return self._families


async def _page(answer: ClientResponse, content_type: str) -> bytes:
    answer.raise_for_status()
    if answer.headers.get("Content-Type") != content_type:
        raise ValueError(f"answered as {answer.headers.get('Content-Type')!r}")
    return await answer.read()


def _within(request: web.Request) -> float:
    try:
        given = float(request.headers.get("X-Prometheus-Scrape-Timeout-Seconds", ""))
    except ValueError:
        return WITHIN
    return min(WITHIN, given / 2) if given > 0 else WITHIN


def _forwarded(headers: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    return ((name, value) for name, value in headers if name.lower() not in _NOT_PASSED_ON | _OURS_ALONE)


async def _copy(request: web.Request, answer: ClientResponse) -> web.StreamResponse:
    """Pass an answer on as it comes: a page may be a stream that never ends."""
    response = web.StreamResponse(status=answer.status, headers=dict(_forwarded(answer.headers.items())))
    response.force_close()
    await response.prepare(request)
    async for chunk in answer.content.iter_any():
        await response.write(chunk)
    await response.write_eof()
    return response
