"""Tasks whose waker is a callback that an extension module keeps: databases, parsers, TLS, the terminal."""

import asyncio
import codecs
import contextlib
import functools
import sqlite3
import ssl
import xml.parsers.expat

from tests.corpus.stage import healthy

try:
    import readline
except ImportError:
    readline = None


def sets(stage, give):
    """Start a task that waits for an event, and give away the event's ``set``."""
    event = asyncio.Event()
    give(event.set)
    return [stage.spawn(event.wait())]


@healthy
async def a_database_function(stage):
    """Set the event from a function of an SQLite connection."""
    with contextlib.closing(sqlite3.connect(":memory:")) as database:

        def give(wake):
            database.create_function("wake", 0, wake)

        yield sets(stage, give)
        database.execute("SELECT wake()")


@healthy
async def a_database_collation(stage):
    """Set the event from the comparison of two texts."""
    with contextlib.closing(sqlite3.connect(":memory:")) as database:

        def give(wake):
            database.create_collation("waking", lambda left, right: wake() or 0)

        yield sets(stage, give)
        database.execute("SELECT 'a' < 'b' COLLATE waking")


@healthy
async def a_database_trace(stage):
    """Set the event when a statement is traced, with a partial that only SQLite holds."""
    with contextlib.closing(sqlite3.connect(":memory:")) as database:

        def give(wake):
            database.set_trace_callback(functools.partial(lambda wake, statement: wake(), wake))

        yield sets(stage, give)
        database.execute("SELECT 1")
        database.set_trace_callback(None)


@healthy
async def a_codec_error_handler(stage):
    """Hold the event in the interpreter's table of codec error handlers."""

    def give(wake):
        def handle(error):
            wake()
            return "", error.end

        codecs.register_error("lowtide-corpus", handle)

    yield sets(stage, give)
    b"\xff".decode("utf-8", "lowtide-corpus")
    codecs.register_error("lowtide-corpus", codecs.strict_errors)


@healthy
async def a_parsers_handler(stage):
    """Hold the event in the handler of an XML parser."""
    parsers = []

    def give(wake):
        parser = xml.parsers.expat.ParserCreate()
        parser.StartElementHandler = lambda name, attributes: wake()
        parsers.append(parser)

    yield sets(stage, give)
    parsers.pop().Parse("<a/>", True)  # noqa: FBT003 - Parse takes no keywords


@healthy
async def a_completer_of_the_terminal(stage):
    """Hold the event in readline's completer."""
    before = readline and readline.get_completer()
    kept = []

    def give(wake):
        if readline is None:
            kept.append(wake)
        else:
            readline.set_completer(lambda text, state: wake())

    yield sets(stage, give)
    if readline is None:
        kept.pop()()
    else:
        readline.get_completer()("", 0)
        readline.set_completer(before)


@healthy
async def a_name_indication_of_tls(stage):
    """Hold the event in a TLS context, which calls back when a client names its host."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    def give(wake):
        server.sni_callback = lambda connection, name, context: wake()

    yield sets(stage, give)
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLError):
        client.wrap_bio(back, there, server_hostname="example.org").do_handshake()
    with contextlib.suppress(ssl.SSLError):
        server.wrap_bio(there, back, server_side=True).do_handshake()
    server.sni_callback = None
