"""The reading half of the Hub's protocol on a local port, enough for the unmodified `huggingface_hub` client."""

import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

INFO = re.compile(r"/api/models/(?P<repo>[^/]+/[^/]+)/revision/(?P<revision>[^/]+)")
FILE = re.compile(r"/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<name>.+)")
LARGE = (".safetensors", ".bin", ".pth", ".pt")  # what the Hub keeps in LFS, and states a sha256 for
GOOD_TOKEN = "hf_good"


@dataclass
class Repository:
    """Commits by their 40 hex digits, and the branches and tags that point to them."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    private: bool = False
    gated: bool = False

    def commit_of(self, revision: str) -> str | None:
        """The commit that a branch, a tag or a prefix of its digits names."""
        named = [commit for commit in self.commits if len(revision) >= 7 and commit.startswith(revision)]
        return self.refs.get(revision) or (named[0] if named else None)


@dataclass(frozen=True)
class Answer:
    """A status, headers and a body."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def _json(value: dict[str, Any]) -> Answer:
    return Answer(200, json.dumps(value).encode(), {"Content-Type": "application/json"})


def _refusal(status: int, message: str, code: str = "") -> Answer:
    """The client reads the reason from these headers; over plain http it needs the code."""
    return Answer(status, json.dumps({"error": message}).encode(), {"X-Error-Message": message, "X-Error-Code": code})


class Hub:
    """A Hub for one test.

    Attributes:
        repositories: by `org/name`.
        requests: `METHOD path` of each request, in order.
        broken: when set, every request gets this status.
        spoiled: files whose downloads have one wrong byte.
    """

    def __init__(self) -> None:
        """Start to listen."""
        self.repositories: dict[str, Repository] = {}
        self.requests: list[str] = []
        self.broken: int | None = None
        self.spoiled: set[str] = set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def url(self) -> str:
        """Where the client finds it."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Go away, as a Hub that is down."""
        self._server.shutdown()
        self._server.server_close()

    def push(self, repo_id: str, folder: Path, *, branch: str = "main") -> str:
        """Commit all files of a folder to a branch; the commit's 40 hex digits."""
        files = {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
        repository = self.repositories.setdefault(repo_id, Repository())
        digest = hashlib.sha1(f"{len(repository.commits)}{repo_id}".encode())
        commit = digest.hexdigest()
        repository.commits[commit] = files
        repository.refs[branch] = commit
        return commit

    def answer(self, path: str, token: str | None) -> Answer:
        """The Hub's answer to a GET; a HEAD is the same without its body."""
        if self.broken:
            return _refusal(self.broken, "broken on purpose")
        if token not in (None, GOOD_TOKEN):
            return _refusal(401, "Invalid credentials in Authorization header")
        found = INFO.fullmatch(path) or FILE.fullmatch(path)
        if found is None:
            return _refusal(404, "no such page")
        repository = self.repositories.get(found["repo"])
        if repository is None or (repository.private and token is None):
            return _refusal(404 if token else 401, "Repository not found", "RepoNotFound")
        commit = repository.commit_of(unquote(found["revision"]))
        if commit is None:
            return _refusal(404, "Invalid rev id", "RevisionNotFound")
        if "name" not in found.groupdict():
            return _json(_info(found["repo"], commit, repository))
        if repository.gated and token is None:
            return _refusal(401, "Access to this model is restricted", "GatedRepo")
        return self._file(commit, unquote(found["name"]), repository.commits[commit])

    def _file(self, commit: str, name: str, files: dict[str, bytes]) -> Answer:
        if name not in files:
            return _refusal(404, "Entry not found", "EntryNotFound")
        body = files[name]
        etag = hashlib.sha256(body).hexdigest()
        if name in self.spoiled:
            body = body[:-1] + bytes([body[-1] ^ 1])
        return Answer(200, body, {"ETag": f'"{etag}"', "X-Repo-Commit": commit})

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = urlsplit(self.path).path
                hub.requests.append(f"{self.command} {path}")
                authorisation = self.headers.get("Authorization")
                reply = hub.answer(path, authorisation.removeprefix("Bearer ") if authorisation else None)
                self.send_response(reply.status)
                for key, value in {**reply.headers, "Content-Length": str(len(reply.body))}.items():
                    self.send_header(key, value)
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(reply.body)

            do_HEAD = do_GET

            def log_message(self, format: str, *args: object) -> None:
                """Silence: requests are kept in `Hub.requests`."""

        return Handler


def _info(repo_id: str, commit: str, repository: Repository) -> dict[str, Any]:
    siblings = []
    for name, body in repository.commits[commit].items():
        file: dict[str, Any] = {"rfilename": name, "size": len(body), "blobId": hashlib.sha1(body).hexdigest()}
        if name.endswith(LARGE):
            file["lfs"] = {"sha256": hashlib.sha256(body).hexdigest(), "size": len(body), "pointerSize": 134}
        siblings.append(file)
    return {
        "_id": commit[:24],
        "id": repo_id,
        "modelId": repo_id,
        "sha": commit,
        "private": repository.private,
        "gated": "auto" if repository.gated else False,
        "tags": [],
        "downloads": 0,
        "likes": 0,
        "siblings": siblings,
    }
