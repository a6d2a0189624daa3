"""In front of the page: bodies of a bounded size, room for uploads, and nothing that another site's page sent."""

import ipaddress
import json
import logging
import os
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from eftclip.runtime import Stopwatch
from eftclip.ui.machine.trusted_hosts import HOST, VARIABLE

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

MOST_BODY = 4_000_000  # the longest list of labels has 600,000 letters, each of which may take six bytes
MOST_MCP_BODY = 32_000_000  # pictures may come along, as text
MOST_UPLOAD = 2_100_000_000  # of a checkpoint with its texts, or the pictures of a data set; Gradio bounds each file
MOST_ROOM = 10_000_000_000  # of all uploads of the last hour
LOOK_EVERY_S = 5.0
CROWDED = "The server has no room for uploads just now; try again in an hour."
QUESTION = "/eftclip-may-i"  # by which the page asks whether it would be refused, see `refusal.html`
AT_HOME = "This page belongs to whoever sits at this machine"
ANOTHER_SITE = f"{AT_HOME}; another site's page may not use it."
FORWARDED = (
    f"{AT_HOME}, so what a page at {{host}} sends is refused; if that is a forwarder of your own, which lets nobody "
    f"else through, start EftCLIP with {VARIABLE}={{host}}."
)
MOST_LOGGED = 20  # names of hosts; whoever sends requests chooses them

log = logging.getLogger(__name__)


class RequestGuard:
    """An ASGI middleware."""

    def __init__(
        self,
        app: App,
        uploads: Path,
        private: bool = False,
        most_room: int = MOST_ROOM,
        trusted: frozenset[str] = frozenset(),
    ) -> None:
        """Stand before an app.

        Args:
            app: what is guarded.
            uploads: the folder that uploads go into.
            private: the page belongs to whoever sits at this machine; what pages of other sites make his browser send
                is refused, because his own token would be used.
            most_room: bytes that all uploads together may take.
            trusted: names of hosts whose pages are this one, shown by a forwarder of its owner.
        """
        self._app, self._uploads, self._private, self._most = app, uploads, private, most_room
        self._trusted, self._logged = trusted, set[str]()
        self._room, self._looked = 0, Stopwatch()
        self._look()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        status, reason = self._refusal(str(scope["path"]), headers)
        if status:
            await _answer(send, status, reason)
        elif str(scope["path"]).endswith(QUESTION):
            await _answer(send, 200, "")
        else:
            await self._app(scope, _bounded(receive, _most(str(scope["path"]))), send)

    def _refusal(self, path: str, headers: dict[str, str]) -> tuple[int, str]:
        if self._private and (host := self._foreign(headers.get("origin", ""))) is not None:
            return 403, self._refused(host)
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > _most(path):
            return 413, f"The request is larger than the {_most(path):,} bytes that can be taken."
        if path.endswith("/upload") and self._room_taken() + int(length) > self._most:
            return 507, CROWDED
        return 0, ""

    def _foreign(self, origin: str) -> str | None:
        """The host of another site's page that sent this, as a browser says; None for our own page, and for programs.

        That the request names the same host proves nothing: a site may lead its own name to this machine.
        """
        if not origin:
            return None
        try:
            host = urlsplit(origin).hostname or ""
        except ValueError:
            return ""
        return None if host in self._trusted or _is_loopback(host) else host

    def _refused(self, host: str) -> str:
        """Why, for whoever looks at the page or into the log."""
        if not HOST.fullmatch(host):
            return ANOTHER_SITE
        sentence = FORWARDED.format(host=host)
        if host not in self._logged and len(self._logged) < MOST_LOGGED:
            self._logged.add(host)
            log.warning("%s", sentence)
        return sentence

    def _room_taken(self) -> int:
        if self._looked.seconds > LOOK_EVERY_S:
            self._look()
        return self._room

    def _look(self) -> None:
        self._room, self._looked = size_of(self._uploads), Stopwatch()


def size_of(folder: Path) -> int:
    """Bytes of all files in a folder; files may come and go meanwhile."""
    total = 0
    for home, _, names in os.walk(folder):  # which passes over what has gone, unlike `rglob`
        for name in names:
            with suppress(OSError):
                total += (Path(home) / name).lstat().st_size
    return total


def _most(path: str) -> int:
    if path.endswith("/upload"):
        return MOST_UPLOAD
    return MOST_MCP_BODY if "/mcp" in path else MOST_BODY


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _bounded(receive: Receive, most: int) -> Receive:
    """A body that does not state its length ends where it becomes too long, as if the client had gone."""
    read = 0

    async def bounded() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        return message if read <= most else {"type": "http.disconnect"}

    return bounded


async def _answer(send: Send, status: int, reason: str) -> None:
    body = json.dumps({"detail": reason, "error": reason}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
