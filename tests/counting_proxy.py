"""A proxy before DynamoDB that counts what is asked, by operation."""

import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread


@contextmanager
def counting_proxy(target: str) -> Iterator[tuple[str, Counter[str]]]:
    """Give the address of the proxy and its counts, which grow while it is used; afterwards it answers 503."""
    counts: Counter[str] = Counter()
    ended = Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            if ended.is_set():  # This connection was kept alive.
                self._answer(503, b"{}")
                return
            counts[self.headers["X-Amz-Target"].rpartition(".")[2]] += 1
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            request = urllib.request.Request(target, body, headers, method="POST")  # noqa: S310 - loopback
            try:
                with urllib.request.urlopen(request) as answer:  # noqa: S310
                    self._answer(answer.status, answer.read())
            except urllib.error.HTTPError as error:
                self._answer(error.code, error.read())

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", counts
    finally:
        ended.set()
        server.shutdown()
        server.server_close()
        thread.join()
