"""Proxies named in the environment, which Gradio asks even for the page's own address."""

import secrets
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.util import find_spec
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener, getproxies, proxy_bypass

from eftclip.errors import PageError
from eftclip.untrusted_text import one_line

PATIENCE_S = 10.0
SOCKS = ("socks5", "socks5h")
LOCAL = ("localhost", "127.0.0.1")
LONGEST = 1_000


def check_proxies(address: str) -> None:
    """See that the proxies of the environment are of a kind that is understood, and keep out of the page's way.

    Args:
        address: that the page is served at.

    Raises:
        PageError: one does not.
    """
    proxies = getproxies()
    if "*" in [part.strip() for part in proxies.get("no", "").split(",")]:
        return
    for name in ("http", "https", "all"):
        if value := proxies.get(name):
            _check_kind(f"{name}_proxy", value)
    way = proxies.get("http") or proxies.get("all") or ""
    asked = "localhost" if address == "0.0.0.0" else address  # what Gradio calls the page
    socks_or_ipv6 = urlsplit(_whole(way)).scheme in SOCKS or ":" in address  # only Gradio itself can try these
    if way and not socks_or_ipv6 and not proxy_bypass(asked):
        _check_way({"http": _whole(way)}, address, asked)


def _check_kind(name: str, value: str) -> None:
    scheme = urlsplit(_whole(value)).scheme
    if scheme in SOCKS and find_spec("socksio") is None:
        raise PageError(
            f"{name} names a SOCKS proxy, {_shown(value)}, and the package for that is not installed: "
            f"`pip install socksio`, or unset {name}."
        )
    if scheme not in ("http", "https", *SOCKS):
        raise PageError(
            f"{name} is {_shown(value)}, and {scheme}:// is no kind of proxy that is understood here: write http://, "
            f"https:// or socks5://, or unset {name}."
        )


def _check_way(proxies: Mapping[str, str], address: str, asked: str) -> None:
    """Ask this machine for something in the way in which Gradio will ask the page whether it is up."""
    secret = secrets.token_hex(16).encode()

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(secret)))
            self.end_headers()
            self.wfile.write(secret)

        def log_message(self, format: str, *args: object) -> None:
            """Silence."""

    with HTTPServer((address, 0), Answer) as here:
        threading.Thread(target=here.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            url = f"http://{asked}:{here.server_address[1]}/"
            with build_opener(ProxyHandler(dict(proxies))).open(url, timeout=PATIENCE_S) as answer:
                reached = answer.read(LONGEST) == secret
        except (OSError, ValueError):  # refused, no such proxy, no answer in time
            reached = False
        finally:
            here.shutdown()
    if not reached:
        raise PageError(
            f"The proxy {_shown(proxies['http'])} would also be asked for the page's own address, and does not lead "
            f"there: set no_proxy={','.join(dict.fromkeys((*LOCAL, asked)))}."
        )


def _whole(value: str) -> str:
    return value if "://" in value else f"http://{value}"


def _shown(value: str) -> str:
    """A proxy without the name and the password of whoever uses it."""
    parts = urlsplit(_whole(value))
    return one_line(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}")
