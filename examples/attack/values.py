"""Values that the page would never send, and how to tell what came of them."""

import json
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from PIL import Image

from examples.attack.served import files_below
from examples.attack.visitor import Answer

LIMIT_S = 30.0
LONG_TEXT, DEEP = 1_000_000, 200
MARKUP = "<img src=x onerror=window.hit=1>"
CONTROL = "a\x00b\x1b[31mc\x07\u202ed\u2028e\ud800"
FILE = {"meta": {"_type": "gradio.FileData"}}
ALERT = re.compile(r'role=\\?"alert|data-status=\\?"(error|inconclusive)')
TRACE = re.compile(r'Traceback \(most recent|File \\?"/|site-packages')
BAD = ("leak", "hang", "dead")


class Canary:
    """A server that nobody should ever ask anything; it counts who does."""

    def __init__(self) -> None:
        """Listen on 127.0.0.1."""
        self.asked: list[str] = []
        canary = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                canary.asked.append(self.path)
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"caught")

            do_HEAD = do_POST = do_GET

            def log_message(self, format: str, *args: object) -> None:
                """Silence."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/x.png"

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()


@dataclass
class Scene:
    """What the attacks are about.

    Attributes:
        uploads: the upload folder of the server.
        hidden: a folder beside it, with a picture and a text that nobody may read.
        canary: a server that nobody may ask.
        token: the text.
    """

    uploads: Path
    hidden: Path
    canary: Canary
    token: str = field(default_factory=lambda: f"secret-{secrets.token_hex(16)}")

    def __post_init__(self) -> None:
        """Write what nobody may read."""
        self.hidden.mkdir(parents=True, exist_ok=True)
        (self.hidden / "secret.txt").write_text(self.token)
        Image.linear_gradient("L").convert("RGB").save(self.hidden / "secret.png")

    def seen(self) -> list[str]:
        """Who read what he may not, as far as it left a trace: a copy among the uploads, or a request."""
        kept = {path.read_bytes() for path in self.hidden.iterdir()}
        copies = []
        for path in files_below(self.uploads):
            with suppress(OSError):  # it has gone meanwhile
                if path.stat().st_size < LONG_TEXT and path.read_bytes() in kept:
                    copies.append(path.name)
        return [*copies, *self.canary.asked]

    def values(self) -> dict[str, Any]:
        """Hostile values by the names of the attacks."""
        nested: Any = "x"
        for _ in range(DEEP):
            nested = [nested]
        picture = self.hidden / "secret.png"
        return {
            "oversize text": "x" * LONG_TEXT,
            "nothing": None,
            "object": {"a": {"b": [1]}, "__type__": "update", "value": 1},
            "list": [[1, None], ["x"]],
            "nested": nested,
            "negative": -1,
            "huge": 1e308,
            "fraction": 0.5,
            "NaN": float("nan"),
            "infinity": float("inf"),
            "NaN as text": "NaN",
            "bool": True,
            "empty": "",
            "markup": MARKUP,
            "Markdown": "[x](javascript:window.hit=1) **b** `c` | # d",
            "control characters": CONTROL,
            "absolute path": {"path": str(picture), **FILE},
            "path as text": str(picture),
            "path of the system": {"path": "/etc/passwd", **FILE},
            "path upwards": {"path": f"{self.uploads}/../{self.hidden.name}/secret.png", **FILE},
            "path with a null": {"path": f"{self.uploads}/\x00.png", **FILE},
            "path too long": {"path": f"{self.uploads}/{'y' * 5000}.png", **FILE},
            "folder": {"path": str(self.uploads), **FILE},
            "url of the server": {"path": self.canary.url, "url": self.canary.url, **FILE},
            "url beside nothing": {"url": self.canary.url},
            "file url": {"path": f"file://{picture}", "url": f"file://{picture}", **FILE},
            "data URI": {"path": "data:image/png;base64,AAAA", "url": "data:image/png;base64,AAAA", **FILE},
            "list of paths": [{"path": str(picture), **FILE}, {"path": "/etc/passwd", **FILE}],
        }


class Log:
    """What the server writes, as it comes."""

    def __init__(self, path: Path) -> None:
        """Read from the beginning."""
        self._path, self._read = path, 0

    def broken(self, own: Path) -> list[str]:
        """The last lines of exceptions that came out of the code in a folder since the last look.

        Whatever breaks inside Gradio comes through the guard, which stands before it, so the guard does not count.
        """
        with self._path.open(errors="replace") as log:
            log.seek(self._read)
            text = log.read()
            self._read = log.tell()
        parts = text.split("Traceback (most recent call last):")[1:]
        return [_last_line(part)[:200] for part in parts if str(own) in part.replace(f"{own}/ui/guard.py", "")]


def _last_line(trace: str) -> str:
    """What the exception says: the first line that is not indented, after those of the stack."""
    lines = trace.strip("\n").splitlines()
    return next((line for line in lines if line and not line.startswith(" ")), "")


def outcome(answer: Answer | None, scene: Scene, root: Path, *, alive: bool) -> str:
    """What came of an attack, in two words.

    *accepted*: it ended as usual. *sentence*: the visitor reads what is wrong. *bare error*: the page shows that
    something failed, without words. *refused*: HTTP says so. The others may not be: *leak*, *hang*, *dead*.
    """
    if not alive:
        return "dead"
    if answer is None:
        return "hang"
    if leaks(answer, scene, root):
        return "leak"
    if 400 <= answer.status < 500:
        return "refused"
    if not answer.ok:
        return "bare error" if answer.error in (None, "", "Internal Server Error") else "sentence"
    return "sentence" if ALERT.search(json.dumps(answer.data)) else "accepted"


def leaks(answer: Answer, scene: Scene, root: Path) -> bool:
    """Whether an answer tells a path of the server, a piece of its code, or what nobody may read."""
    told = json.dumps([answer.data, answer.error])
    if scene.token in told or "root:x:0" in told or TRACE.search(told) or str(root) in told:
        return True
    return any(str(scene.uploads) in text and not _is_file(text, scene) for text in _texts([answer.data, answer.error]))


def _is_file(text: str, scene: Scene) -> bool:
    """A file that the page shows or offers: its path, or its address."""
    return text.startswith(str(scene.uploads)) or "/file=" in text


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for part in value.values() for text in _texts(part)]
    if isinstance(value, list):
        return [text for part in value for text in _texts(part)]
    return [value] if isinstance(value, str) else []
