"""A forwarder as notebook servers, code spaces and nginx are: it shows a local page under a name of its own."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

NAME = "notebook.localhost"  # which browsers look for on this machine, and which is not `localhost`
OF_ONE_LEG = {"connection", "keep-alive", "transfer-encoding", "te", "upgrade", "host"}


@contextmanager
def forwarding(url: str, prefix: str = "", *, tells: str = "", name: str = NAME) -> Iterator[str]:
    """Show what is at `url` under another name; yields the address for browsers.

    Args:
        url: of the app, which need not run yet.
        prefix: of the path under which it is shown, such as `/proxy/7860`; the app does not see it.
        tells: the header in which the app is told the name that the browser asked for; none when empty.
        name: under which browsers ask for it.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            target = urlsplit(url)
            upstream = http.client.HTTPConnection(target.hostname or "", target.port, timeout=600)
            headers = {key: value for key, value in self.headers.items() if key.lower() not in OF_ONE_LEG}
            headers["Host"] = target.netloc
            if tells:
                headers[tells] = self.headers["Host"]
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            upstream.request(self.command, self.path.removeprefix(prefix) or "/", body, headers)
            answer = upstream.getresponse()
            self.send_response(answer.status)
            for key, value in answer.getheaders():
                if key.lower() not in OF_ONE_LEG:
                    self.send_header(key, value)
            self.end_headers()
            while some := answer.read1(65536):  # as it comes: the page is sent events
                self.wfile.write(some)
                self.wfile.flush()
            upstream.close()

        do_HEAD = do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            """Silence."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Silence: browsers hang up."""

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield f"http://{name}:{server.server_address[1]}{prefix}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def passing_on() -> Iterator[str]:
    """A proxy that fetches whatever it is asked for; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            target = urlsplit(self.path)
            upstream = http.client.HTTPConnection(target.hostname or "", target.port, timeout=60)
            upstream.request("GET", target.path or "/")
            answer = upstream.getresponse().read()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            """Silence."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
