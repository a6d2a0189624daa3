"""The writing half of the Hub's protocol: tokens, repositories, uploads, commits, pull requests; and faults."""

import base64
import hashlib
import json
import re
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import hf_xet
from huggingface_hub import RepoCard
from support.hub import Hub
from support.hub_answers import LARGE, Answer, Repository, as_json, git_sha1, listing, refusal
from support.xet_store import file_hashes

REPO = r"(?P<repo>[^/]+/[^/]+)"
WRITES = {
    "who": re.compile(r"/api/whoami-v2"),
    "create": re.compile(r"/api/repos/create"),
    "delete": re.compile(r"/api/repos/delete"),
    "yaml": re.compile(r"/api/validate-yaml"),
    "modes": re.compile(rf"/api/(?:models|spaces)/{REPO}/preupload/(?P<revision>[^/]+)"),
    "batch": re.compile(rf"/(?:spaces/)?{REPO}\.git/info/lfs/objects/batch"),
    "put": re.compile(r"/_lfs/(?P<oid>[0-9a-f]{64})"),
    "verify": re.compile(r"/_lfs/(?P<oid>[0-9a-f]{64})/verify"),
    "xet": re.compile(rf"/api/(?:models|spaces)/{REPO}/xet-write-token/(?P<revision>[^/]+)"),
    "chunks": re.compile(r"/_xet/(?P<digest>[0-9a-f]{64})"),
    "commit": re.compile(rf"/api/(?:models|spaces)/{REPO}/commit/(?P<revision>[^/]+)"),
    "requests": re.compile(rf"/api/(?:models|spaces)/{REPO}/discussions"),
    "status": re.compile(rf"/api/(?:models|spaces)/{REPO}/discussions/(?P<number>\d+)/status"),
    "info": re.compile(rf"/api/(?:models|spaces)/{REPO}"),
    "paths": re.compile(rf"/api/(?:models|spaces)/{REPO}/paths-info/(?P<revision>[^/]+)"),
}
TOKENS = {
    "hf_good": ("friends", ["lab"], "write"),
    "hf_other": ("stranger", [], "write"),
    "hf_read": ("friends", ["lab"], "read"),
}


@dataclass
class Request:
    """A pull request."""

    number: int
    title: str
    author: str
    commit: str
    status: str = "open"


@dataclass
class Written(Repository):
    """A repository that somebody made."""

    owner: str = ""
    pulls: list[Request] = field(default_factory=list)


class WritableHub(Hub):
    """A Hub that can be written to.

    Attributes:
        objects: what was uploaded, by sha256.
        spoil: names of files of which the commit keeps other bytes of the same length.
        store: a folder for the xet path; None to speak plain LFS.
    """

    def __init__(self, store: Path | None = None) -> None:
        """Start to listen."""
        self.objects: dict[str, bytes] = {}
        self.spoil: set[str] = set()
        self.store = store
        self._lock = threading.Lock()
        super().__init__()

    def reply(
        self, method: str, path: str, asked: dict[str, list[str]], token: str | None, body: bytes
    ) -> Answer | None:
        """See `Hub.reply`."""
        found = next(((name, match) for name, page in WRITES.items() if (match := page.fullmatch(path))), None)
        if found is None:
            return None
        with self._lock:
            return self._write(*found, asked, token, body)

    def elsewhere(self, digest: str) -> dict[str, str]:
        """See `Hub.elsewhere`: large files that were uploaded in chunks are handed out in chunks."""
        known = file_hashes(self.store).get(digest) if self.store is not None else None
        return {"X-Xet-Hash": known, "X-Xet-Refresh-Route": f"{self.url}/_xet/{digest}"} if known else {}

    def _token_of_store(self) -> dict[str, str]:
        until = str(int(time.time()) + 3600)
        return {"X-Xet-Cas-Url": f"local://{self.store}", "X-Xet-Access-Token": "x", "X-Xet-Token-Expiration": until}

    def _write(
        self, name: str, match: re.Match[str], query: dict[str, list[str]], token: str | None, body: bytes
    ) -> Answer | None:
        if name == "chunks":
            return Answer(200, b"{}", self._token_of_store())
        if name in ("put", "verify"):  # these addresses are handed out; they need no token
            return self._object(match["oid"], body if name == "put" else None)
        if name == "yaml":
            RepoCard(json.loads(body)["content"], ignore_metadata_errors=False)
            return as_json({"warnings": [], "errors": []})
        if token is not None and token not in TOKENS:
            return refusal(401, "Invalid credentials in Authorization header")
        if name in ("info", "paths"):
            return self._read(name, match, query, token, body)
        if token is None:
            return refusal(401, "Invalid username or password.")
        user, orgs, role = TOKENS[token]
        if name == "who":
            auth = {"type": "access_token", "accessToken": {"role": role}}
            return as_json({"type": "user", "name": user, "orgs": [{"name": org} for org in orgs], "auth": auth})
        repo = match["repo"] if "repo" in match.groupdict() else _asked(body, user)
        place = repo.partition("/")[0]
        may = role == "write" and place in (user, *orgs)
        if name == "create":
            return self._create(repo, user, may, json.loads(body))
        repository = self.repositories.get(repo)
        if repository is None:
            return refusal(404, "Repository not found", "RepoNotFound")
        asks = "create_pr" in query or name in ("requests", "status", "batch")  # strangers may ask for a merge
        if role != "write" or not (may or asks):
            return refusal(403, "You don't have the rights")
        if name == "delete":
            del self.repositories[repo]
            return Answer(200, b"{}")
        assert isinstance(repository, Written)
        return self._change(name, match, repo, repository, user, "create_pr" in query, body)

    def _change(
        self, name: str, match: re.Match[str], repo: str, repository: "Written", user: str, pull: bool, body: bytes
    ) -> Answer:
        if name == "modes":
            return as_json({"files": [_mode(file) for file in json.loads(body)["files"]]})
        if name == "xet":
            if self.store is None:
                return refusal(404, "no xet here")
            return as_json({"casUrl": f"local://{self.store}", "accessToken": "x", "exp": int(time.time()) + 3600})
        if name == "batch":
            return as_json({"transfer": "basic", "objects": [self._upload(one) for one in json.loads(body)["objects"]]})
        if name == "commit":
            return self._commit(repo, repository, unquote(match["revision"]), user, pull, body)
        if name == "status":
            request = repository.pulls[int(match["number"]) - 1]
            request.status = json.loads(body)["status"]
            event = {
                "id": "1",
                "type": "status-change",
                "createdAt": "2026-01-01T00:00:00.000Z",
                "author": {"name": user},
            }
            return as_json({"newStatus": {**event, "data": {"status": request.status}}})
        shown = [_request(repo, one) for one in repository.pulls if one.status == "open"]
        return as_json({"discussions": shown, "count": len(shown), "start": 0})

    def _create(self, repo: str, user: str, may: bool, asked: dict[str, Any]) -> Answer:
        if not may:
            return refusal(403, "You don't have the rights to create a model under this namespace")
        if repo in self.repositories:
            return replace(as_json({"error": "You already created this repo", "url": f"{self.url}/{repo}"}), status=409)
        first = hashlib.sha1(f"{repo}{time.time_ns()}".encode()).hexdigest()
        private = asked.get("visibility") == "private" or bool(asked.get("private"))
        self.repositories[repo] = Written({first: {".gitattributes": b""}}, {"main": first}, private, owner=user)
        return as_json({"url": f"{self.url}/{repo}", "name": repo, "id": repo})

    def _object(self, oid: str, body: bytes | None) -> Answer:
        if body is None:
            return Answer(200, b"{}") if oid in self.objects else refusal(404, "not uploaded")
        if hashlib.sha256(body).hexdigest() != oid:
            return refusal(400, "BadDigest")
        self.objects[oid] = body
        return Answer(200, b"", {"ETag": f'"{oid[:32]}"'})

    def _upload(self, asked: dict[str, Any]) -> dict[str, Any]:
        known = {"oid": asked["oid"], "size": asked["size"], "authenticated": True}
        if asked["oid"] in self.objects:
            return known
        href = f"{self.url}/_lfs/{asked['oid']}"
        return {**known, "actions": {"upload": {"href": href}, "verify": {"href": f"{href}/verify"}}}

    def _commit(self, repo: str, repository: "Written", revision: str, user: str, pull: bool, body: bytes) -> Answer:
        parent = repository.refs[revision]
        files, title = dict(repository.commits[parent]), ""
        for line in body.splitlines():
            item = json.loads(line)
            value = item["value"]
            if item["key"] == "header":
                title = value["summary"]
            elif item["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif item["key"] == "deletedFile":
                del files[value["path"]]
            elif item["key"] == "lfsFile":
                large = self._large(value["oid"], value["size"])
                if large is None:
                    return refusal(400, "LFS pointer pointed to a file that does not exist")
                files[value["path"]] = large
        for name in self.spoil & set(files):
            files[name] = files[name][:-1] + bytes([files[name][-1] ^ 1])
        commit = hashlib.sha1(f"{parent}{title}{time.time_ns()}".encode()).hexdigest()
        repository.commits[commit] = files
        answer = {"success": True, "commitOid": commit, "commitUrl": f"{self.url}/{repo}/commit/{commit}"}
        if pull:
            number = len(repository.pulls) + 1
            repository.pulls.append(Request(number, title, user, commit))
            repository.refs[f"refs/pr/{number}"] = commit
            answer["pullRequestUrl"] = f"{self.url}/{repo}/discussions/{number}"
        else:
            repository.refs[revision] = commit
        return as_json(answer)

    def _large(self, oid: str, size: int) -> bytes | None:
        """An uploaded object; with xet, put together from the chunks in the store."""
        if oid not in self.objects and self.store is not None and (found := file_hashes(self.store).get(oid)):
            target = self.store / f"{oid}.whole"
            with hf_xet.XetSession().new_file_download_group(endpoint=f"local://{self.store}") as group:
                group.start_download_file(hf_xet.XetFileInfo(found, size), str(target))
            self.objects[oid] = target.read_bytes()
        return self.objects.get(oid)

    def _read(
        self, name: str, match: re.Match[str], query: dict[str, list[str]], token: str | None, body: bytes
    ) -> Answer | None:
        repository = self.repositories.get(match["repo"])
        mine = token is not None and match["repo"].partition("/")[0] in (TOKENS[token][0], *TOKENS[token][1])
        if repository is None or (repository.private and not mine):
            return refusal(404 if token else 401, "Repository not found", "RepoNotFound")
        if name == "info":
            return self.answer(f"/api/models/{match['repo']}/revision/main", "hf_good" if token else None, query)
        commit = repository.commit_of(unquote(match["revision"]))
        if commit is None:
            return refusal(404, "Invalid rev id", "RevisionNotFound")
        files = repository.commits[commit]
        asked = json.loads(body)["paths"] if body.startswith(b"{") else query.get("paths", [])
        return as_json([_digests(item, files) for item in listing(files, "", True) if item["path"] in asked])


def _asked(body: bytes, user: str) -> str:
    value = json.loads(body)
    return f"{value.get('organization') or user}/{value['name']}"


def _mode(file: dict[str, Any]) -> dict[str, Any]:
    large = file["path"].endswith((*LARGE, ".png"))
    return {"path": file["path"], "uploadMode": "lfs" if large else "regular", "shouldIgnore": False, "oid": None}


def _digests(item: dict[str, Any], files: dict[str, bytes]) -> dict[str, Any]:
    """With what the Hub states of a file: git's digest, and for a large one its sha256."""
    body = files.get(item["path"], b"")
    if item["path"].endswith((*LARGE, ".png")):
        sha256 = hashlib.sha256(body).hexdigest()
        return {**item, "lfs": {"oid": sha256, "size": len(body), "pointerSize": 134}}
    return {**item, "oid": git_sha1(body)}


def _request(repo: str, request: Request) -> dict[str, Any]:
    return {
        "num": request.number,
        "title": request.title,
        "status": request.status,
        "isPullRequest": True,
        "author": {"name": request.author},
        "createdAt": "2026-01-01T00:00:00.000Z",
        "repo": {"name": repo, "type": "model"},
    }
