"""A visitor of the page without a browser: the same requests in the same order, over HTTP.

A page has *listeners*. `GET /config` names them with their numbers; what stands in a queue is asked for with
`queue/join` and answered on one stream of events for each visitor, the rest is answered at once. When a listener has
ended, those that follow it begin. A page that is open keeps one connection, the heartbeat; that it breaks is how the
server knows that the page was closed.
"""

import asyncio
import json
import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx2
from gradio_client.utils import apply_diff

API = "/gradio_api"
Listener = Mapping[str, Any]
OnNews = Callable[[Listener, list[Any]], None]


@dataclass(frozen=True)
class Layout:
    """What `GET /config` tells of a page: its components and its listeners."""

    components: dict[int, dict[str, Any]]
    listeners: list[dict[str, Any]]

    @classmethod
    async def of(cls, http: httpx2.AsyncClient) -> "Layout":
        """Ask the server."""
        told = (await http.get("/config")).raise_for_status().json()
        return cls({one["id"]: one for one in told["components"]}, told["dependencies"])

    def named(self, elem_id: str) -> int:
        """The component with that `elem_id`."""
        return next(k for k, one in self.components.items() if one["props"].get("elem_id") == elem_id)

    def labelled(self, label: str) -> int:
        """The component with that label."""
        return next(k for k, one in self.components.items() if one["props"].get("label") == label)

    @property
    def kind(self) -> int:
        """The choice of the checkpoint, which has no label."""
        return next(k for k, one in self.components.items() if one["props"].get("value") == "badnets")

    def on(self, event: str, component: int | None = None) -> list[dict[str, Any]]:
        """The listeners of an event, of one component or of any."""
        return [
            one
            for one in self.listeners
            if any(name == event and component in (None, target) for target, name in one["targets"])
        ]

    def after(self, listener: Listener, *, failed: bool) -> list[dict[str, Any]]:
        """The listeners that begin when that one has ended."""
        return [
            one
            for one in self.listeners
            if one["trigger_after"] == listener["id"]
            and not (failed and one["trigger_only_on_success"])
            and not (not failed and one["trigger_only_on_failure"])
        ]

    def initial(self) -> dict[int, Any]:
        """The value that each component has when the page opens; what a State holds stays with the server."""
        return {k: None if one["type"] == "state" else one["props"].get("value") for k, one in self.components.items()}


@dataclass(frozen=True)
class Answer:
    """How a listener ended.

    Attributes:
        ok: it came to its end.
        data: its values, in the order of its outputs; the last ones that were told if it failed.
        error: what the server says of a failure, if anything.
        seconds: from asking to the end.
        status: of HTTP; 200 for what was taken into the queue, however it ended.
    """

    ok: bool
    data: list[Any]
    error: str | None
    seconds: float
    status: int = 200


@dataclass(eq=False)
class Visitor:
    """One open page.

    Attributes:
        http: the connection; may be shared by many.
        layout: of the page.
        session: the name that the browser gives this page.
        values: of the components, as the page shows them.
    """

    http: httpx2.AsyncClient
    layout: Layout
    session: str = field(default_factory=lambda: secrets.token_hex(6))
    values: dict[int, Any] = field(default_factory=dict)
    _inboxes: dict[str, "asyncio.Queue[dict[str, Any]]"] = field(default_factory=lambda: defaultdict(asyncio.Queue))
    _awaited: set[str] = field(default_factory=set)
    _stream: "asyncio.Task[None] | None" = None
    _heartbeat: "asyncio.Task[None] | None" = None

    async def arrive(self) -> None:
        """Open the page and wait until everything on it is there."""
        self.values = self.layout.initial()
        (await self.http.get("/")).raise_for_status()
        here = asyncio.Event()
        self._heartbeat = asyncio.create_task(self._beat(here))
        await here.wait()
        await asyncio.gather(*(self.run(one) for one in self.layout.on("load")))

    async def leave(self) -> None:
        """Close the page: all its connections break."""
        for task in (self._stream, self._heartbeat):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def upload(self, name: str, raw: bytes) -> dict[str, Any]:
        """Send a file; what the page knows of it afterwards."""
        answer = await self.http.post(f"{API}/upload", files=[("files", (name, raw))])
        path = answer.raise_for_status().json()[0]
        kind = {"meta": {"_type": "gradio.FileData"}}
        return {"path": path, "orig_name": name, "size": len(raw), "url": f"{API}/file={path}", **kind}

    async def bring(self, name: str, raw: bytes) -> None:
        """Upload a photograph of his own."""
        picture = self.layout.named("picture")
        self.values[picture] = await self.upload(name, raw)
        for listener in self.layout.on("upload", picture):
            await self.run(listener)

    async def press(self, button: str, on_news: OnNews | None = None) -> list[tuple[Listener, Answer]]:
        """Press a button and wait until all that follows has ended.

        Args:
            button: its `elem_id`.
            on_news: told each state that a listener shows before its end.

        Returns:
            the listeners in the order in which they ended.
        """
        ended: list[tuple[Listener, Answer]] = []
        for listener in self.layout.on("click", self.layout.named(button)):
            await self._follow(listener, on_news, ended)
        return ended

    async def run(self, listener: Listener, on_news: OnNews | None = None) -> Answer:
        """Call one listener with the values that the page shows, and show what it answers."""
        if not listener["backend_fn"]:
            return Answer(True, [], None, 0.0)
        answer = await self.ask(listener, [self.values.get(k) for k in listener["inputs"]], on_news)
        for component, value in zip(listener["outputs"], answer.data, strict=False):
            if not isinstance(value, dict) or value.get("__type__") != "update":
                self.values[component] = value
            elif "value" in value:
                self.values[component] = value["value"]
        return answer

    async def ask(
        self, listener: Listener, data: Any, on_news: OnNews | None = None, *, event_data: Any = None
    ) -> Answer:
        """Call one listener with any values, also such that no page would send."""
        body = {"data": data, "event_data": event_data, "fn_index": listener["id"], "session_hash": self.session}
        begun = time.monotonic()
        answer = await self.post("queue/join" if listener["queue"] else "run/predict", json.dumps(body))
        if listener["queue"] and answer.status_code == 200:
            return await self._heard(listener, answer.json()["event_id"], on_news, begun)
        is_json = answer.headers.get("content-type", "").startswith("application/json")
        told: dict[str, Any] = answer.json() if is_json else {"error": answer.text}
        error = told.get("error") or told.get("detail")
        return Answer(
            answer.status_code == 200,
            told.get("data") or [],
            error if error is None else str(error),
            time.monotonic() - begun,
            answer.status_code,
        )

    async def post(self, path: str, body: str | bytes) -> httpx2.Response:
        """Send a body as it is."""
        return await self.http.post(f"{API}/{path}", content=body, headers={"Content-Type": "application/json"})

    async def _follow(self, listener: Listener, on_news: OnNews | None, ended: list[tuple[Listener, Answer]]) -> None:
        answer = await self.run(listener, on_news)
        ended.append((listener, answer))
        for follower in self.layout.after(listener, failed=not answer.ok):
            await self._follow(follower, on_news, ended)

    async def _heard(self, listener: Listener, event: str, on_news: OnNews | None, begun: float) -> Answer:
        """Follow one event on the stream to its end."""
        self._awaited.add(event)
        if self._stream is None or self._stream.done():
            self._stream = asyncio.create_task(self._listen())
        shown: list[Any] = []
        try:
            while True:
                message = await self._inboxes[event].get()
                output = message.get("output") or {}
                if message["msg"] == "process_generating" and message["success"]:
                    data = output["data"]
                    shown = [apply_diff(*pair) for pair in zip(shown, data, strict=True)] if shown else data
                    if on_news is not None:
                        on_news(listener, shown)
                if message["msg"] == "process_completed":
                    ok = bool(message["success"])
                    data = output.get("data") or [] if ok else shown
                    return Answer(ok, data, output.get("error"), time.monotonic() - begun)
                if message["msg"] in ("unexpected_error", "broken"):
                    return Answer(False, shown, message.get("message"), time.monotonic() - begun)
        finally:
            self._awaited.discard(event)
            self._inboxes.pop(event, None)

    async def _listen(self) -> None:
        """Read the stream while anything is awaited; the server closes it whenever nothing is."""
        try:
            while self._awaited:
                await self._read_stream()
                await asyncio.sleep(0)
        except httpx2.TransportError as error:
            self._tell_all({"msg": "broken", "message": repr(error)})

    async def _read_stream(self) -> None:
        wanted = self.http.stream("GET", f"{API}/queue/data", params={"session_hash": self.session}, timeout=None)
        async with wanted as stream:
            async for line in stream.aiter_lines():
                if line.startswith("data:"):
                    message = json.loads(line.removeprefix("data:"))
                    if message["msg"] == "unexpected_error":
                        self._tell_all(message)
                    elif (event := message.get("event_id")) is not None:
                        self._inboxes[event].put_nowait(message)

    def _tell_all(self, message: dict[str, Any]) -> None:
        for event in self._awaited:
            self._inboxes[event].put_nowait(message)

    async def _beat(self, here: asyncio.Event) -> None:
        with suppress(httpx2.TransportError):
            async with self.http.stream("GET", f"{API}/heartbeat/{self.session}", timeout=None) as stream:
                async for _ in stream.aiter_lines():
                    here.set()
        here.set()
