"""A server of files, for what is downloaded."""

import functools
import http.server
import threading
from pathlib import Path


class Mirror(http.server.SimpleHTTPRequestHandler):
    requests: list[str]
    short = False  # announce more bytes than are sent

    def do_GET(self) -> None:
        self.requests.append(self.path)
        super().do_GET()

    def send_header(self, keyword: str, value: str) -> None:
        more = 10 if self.short and keyword == "Content-Length" else 0
        super().send_header(keyword, str(int(value) + more) if more else value)

    def log_message(self, *_: object) -> None:
        pass


def serve(folder: Path, handler: type[Mirror]) -> http.server.ThreadingHTTPServer:
    """Serve the files of a folder at a port of this machine, until the server that is returned is shut down."""
    handler.requests = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    return server
