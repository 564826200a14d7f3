"""speedscope, the flame graph viewer, as its package ships it: with a file of collapsed stacks opened in it."""

import contextlib
import functools
import http.server
import threading
from pathlib import Path

BUILT = Path(".cache/speedscope/node_modules/speedscope/dist/release")


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def __init__(self, *arguments, text, **options):
        self.text = text
        super().__init__(*arguments, **options)

    def do_GET(self):
        if self.path != "/tasks.folded":
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.end_headers()
        self.wfile.write(self.text.encode())

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def speedscope(folded):
    """Serve the viewer beside a text; yield the address that opens the one in the other."""
    handler = functools.partial(_Quiet, directory=str(BUILT), text=folded)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    base = f"http://127.0.0.1:{server.server_address[1]}/"
    try:
        yield f"{base}index.html#profileURL={base}tasks.folded&title=tasks"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
