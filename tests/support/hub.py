"""The reading half of the Hub's protocol on a local port, enough for the unmodified `huggingface_hub` client."""

import hashlib
import re
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from huggingface_hub import constants
from support.hub_answers import LARGE, Answer, Repository, as_json, git_sha1, info, listing, refusal, search
from support.hub_faults import Fault, cut_line, next_fault

SEARCH = "/api/models"
INFO = re.compile(r"/api/(models/)?(?P<repo>(datasets/)?[^/]+/[^/]+)/revision/(?P<revision>[^/]+)")
FILE = re.compile(r"/(?P<repo>(datasets/)?[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<name>.+)")
TREE = re.compile(r"/api/(?P<repo>datasets/[^/]+/[^/]+)/tree/(?P<revision>[^/]+)(/(?P<folder>.+))?")
PATHS = re.compile(r"/api/(?P<repo>datasets/[^/]+/[^/]+)/paths-info/(?P<revision>[^/]+)")
RANGE = re.compile(r"bytes=(\d+)-(\d*)")
GOOD_TOKEN = "hf_good"


def lead_to(server: "Hub", monkeypatch: pytest.MonkeyPatch, home: Path, *, xet: bool = False) -> None:
    """Let this process's client talk to a Hub of the test's own, with an empty cache and without anybody's token."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)  # the suite's switch is lifted for this test
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", not xet)
    monkeypatch.setattr(constants, "ENDPOINT", server.url)
    files = server.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", files)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(home / "cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(home / "no-token"))
    monkeypatch.delenv("HF_TOKEN", raising=False)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Silence: clients hang up, and are meant to."""


class Hub:
    """A Hub for one test.

    Attributes:
        repositories: by `org/name`, data sets by `datasets/org/name`.
        requests: `METHOD path` of each request, in order.
        extents: the same, each with its Range header.
        broken: when set, every request gets this status.
        summarised: how many files the summary of a repository names at most; listings name all.
        spoiled: files whose downloads have one wrong byte.
        claimed: sizes that are stated of files, whatever they hold; None for none.
        cut: files of which nothing behind so many bytes ever arrives, as when a connection breaks.
        faults: see `Fault`; those that are used up do nothing.
    """

    def __init__(self) -> None:
        """Start to listen."""
        self.repositories: dict[str, Repository] = {}
        self.requests: list[str] = []
        self.extents: list[tuple[str, str]] = []
        self.broken: int | None = None
        self.summarised: int | None = None
        self.spoiled: set[str] = set()
        self.claimed: dict[str, int | None] = {}
        self.cut: dict[str, int] = {}
        self.faults: list[Fault] = []
        self._port = 0
        self._closed = threading.Event()
        self.listen()

    @property
    def url(self) -> str:
        """Where the client finds it."""
        return f"http://127.0.0.1:{self._port}"

    def listen(self) -> None:
        """Come up, at the same address as before if it was down."""
        self._server = _Server(("127.0.0.1", self._port), self._handler())
        self._port = self._server.server_address[1]
        self._closed.clear()
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def close(self) -> None:
        """Go away, as a Hub that is down; requests that hang are let go."""
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()

    def push(self, repo_id: str, folder: Path, *, branch: str = "main") -> str:
        """Commit all files of a folder to a branch; the commit's 40 hex digits.

        Args:
            repo_id: `org/name`, or `datasets/org/name` for a data set.
            folder: what the commit holds.
            branch: created if it is new.
        """
        files = {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
        repository = self.repositories.setdefault(repo_id, Repository())
        digest = hashlib.sha1(f"{len(repository.commits)}{repo_id}".encode())
        commit = digest.hexdigest()
        repository.commits[commit] = files
        repository.refs[branch] = commit
        return commit

    def reply(
        self, method: str, path: str, asked: dict[str, list[str]], token: str | None, body: bytes
    ) -> Answer | None:
        """The answer to a request of the writing half, see `hub_writing.py`; None where it is of the reading half."""
        return None

    def elsewhere(self, digest: str) -> dict[str, str]:
        """Headers that lead to a file's content on another way; none in the reading half."""
        return {}

    def answer(self, path: str, token: str | None, asked: dict[str, list[str]], extent: str = "") -> Answer:
        """The Hub's answer to a request; a HEAD is the same without its body.

        Args:
            path: without its query.
            token: of the caller.
            asked: fields of the query or of a form.
            extent: the Range header.
        """
        if self.broken:
            return refusal(self.broken, "broken on purpose")
        if token not in (None, GOOD_TOKEN):
            return refusal(401, "Invalid credentials in Authorization header")
        if path == SEARCH:
            return as_json(search(self.repositories, asked, private=token == GOOD_TOKEN))
        found = next((match for page in (INFO, TREE, PATHS, FILE) if (match := page.fullmatch(path))), None)
        if found is None:
            return refusal(404, "no such page")
        repository = self.repositories.get(found["repo"])
        if repository is None or (repository.private and token is None):
            return refusal(404 if token else 401, "Repository not found", "RepoNotFound")
        commit = repository.commit_of(unquote(found["revision"]))
        if commit is None:
            return refusal(404, "Invalid rev id", "RevisionNotFound")
        if found.re is INFO:
            summary = info(found["repo"], commit, repository)
            for file in summary["siblings"]:
                file["size"] = self.claimed.get(file["rfilename"], file["size"])
            return as_json({**summary, "siblings": summary["siblings"][: self.summarised]})
        if found.re is TREE:
            recursive = asked.get("recursive", ["false"])[0].lower() == "true"
            return as_json(listing(repository.commits[commit], unquote(found["folder"] or ""), recursive))
        if found.re is PATHS:
            known = listing(repository.commits[commit], "", True)
            return as_json([item for item in known if item["path"] in asked.get("paths", [])])
        if repository.gated and token is None:
            return refusal(401, "Access to this model is restricted", "GatedRepo")
        return self._file(commit, unquote(found["name"]), repository.commits[commit], RANGE.fullmatch(extent))

    def _file(self, commit: str, name: str, files: dict[str, bytes], extent: re.Match[str] | None) -> Answer:
        if name not in files:
            return refusal(404, "Entry not found", "EntryNotFound")
        body = files[name]
        etag = hashlib.sha256(body).hexdigest() if name.endswith(LARGE) else git_sha1(body)
        if name in self.spoiled:
            body = body[:-1] + bytes([body[-1] ^ 1])
        headers = {"ETag": f'"{etag}"', "X-Repo-Commit": commit, "Accept-Ranges": "bytes", **self.elsewhere(etag)}
        if extent is None:
            return Answer(200, body, headers, self.cut.get(name))
        start, end = int(extent[1]), min(int(extent[2] or len(body)), len(body) - 1)
        if start >= len(body):
            return refusal(416, "Range not satisfiable")
        headers["Content-Range"] = f"bytes {start}-{end}/{len(body)}"
        cut = max(0, self.cut[name] - start) if name in self.cut else None
        return Answer(206, body[start : end + 1], headers, cut)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                url = urlsplit(self.path)
                line = f"{self.command} {url.path}"
                hub.requests.append(line)
                hub.extents.append((line, self.headers.get("Range", "")))
                fault = next_fault(hub.faults, line)
                if fault.taken is not None:
                    self.rfile.read(fault.taken)
                    cut_line(self.connection)
                    return
                body = self._body()
                if fault.sent is None:
                    hub._closed.wait(fault.hang_s)
                if fault.dead:
                    cut_line(self.connection)
                    return
                reply = refusal(fault.status, "broken on purpose", headers=fault.headers) if fault.status else None
                reply = reply or self._reply(url.path, url.query, body)
                if fault.lost:
                    cut_line(self.connection)
                    return
                if fault.dies:
                    hub.close()
                self._send(replace(reply, cut=fault.sent) if fault.sent is not None else reply)
                hub._closed.wait(fault.hang_s if fault.sent is not None else 0)

            def _reply(self, path: str, query: str, body: bytes) -> Answer:
                form = "form" in self.headers.get("Content-Type", "")
                asked = parse_qs(body.decode() if form else query)
                authorisation = self.headers.get("Authorization")
                token = authorisation.removeprefix("Bearer ") if authorisation else None
                written = hub.reply(self.command, path, asked, token, body)
                return written or hub.answer(path, token, asked, self.headers.get("Range", ""))

            do_HEAD = do_POST = do_PUT = do_DELETE = do_GET

            def _body(self) -> bytes:
                if self.headers.get("Transfer-Encoding") != "chunked":
                    return self.rfile.read(int(self.headers.get("Content-Length") or 0))
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return body

            def _send(self, reply: Answer) -> None:
                self.send_response(reply.status)
                for key, value in {**reply.headers, "Content-Length": str(len(reply.body))}.items():
                    self.send_header(key, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(reply.body[: reply.cut])
                    self.wfile.flush()

            def log_message(self, format: str, *args: object) -> None:
                """Silence: requests are kept in `Hub.requests`."""

        return Handler
