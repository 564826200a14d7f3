"""Serving: what stands at the address of the settings, alone or as one of several workers."""

import os
import socket
from pathlib import Path

from prometheus_client.registry import CollectorRegistry

from lowtide.attach.desk import Desk
from lowtide.attach.hook.lowtide_folder import FOLDER
from lowtide.attach.peers import Peers, SharedSite
from lowtide.attach.recorders import Recorders
from lowtide.attach.subject import Subject
from lowtide.attach.workers import Worker
from lowtide.publish.guard import Guard
from lowtide.publish.page.site import Site
from lowtide.publish.server import Server
from lowtide.publish.subject import routes
from lowtide.settings import Settings


def serve(
    recorders: Recorders, settings: Settings, port: int, registry: CollectorRegistry
) -> Server | Worker:
    """Serve a registry and the debug pages. Raises as ``install()`` does; nothing is left behind then."""
    guard = Guard(settings.web_config) if settings.web_config else None
    host, token, protect = settings.host, settings.token, settings.protect_metrics
    audited = routes(Subject(lambda: recorders))

    def serve_alone(listening: socket.socket, number: int) -> Server:
        # Behind a socket in a private directory: who comes in has been let in at the port.
        site = Site(Desk(recorders, worker=str(number)), others=audited)
        return Server(host, port, registry, site=site, listening=listening)

    def serve_all(listening: socket.socket, peers: Peers) -> Server:
        site = SharedSite(peers, Site(Desk(recorders), token, protect_metrics=protect))
        return Server(host, port, registry, site=site, guard=guard, listening=listening)

    # lowtide run names a directory too, for whoever serves at a port that can be shared.
    folder = settings.dir or (port and os.environ.get(FOLDER))
    if folder:
        return Worker(Path(folder), (host, port), serve_alone, serve_all, guard)
    site = Site(Desk(recorders), token, protect_metrics=protect, others=audited)
    return Server(host, port, registry, site=site, guard=guard)
