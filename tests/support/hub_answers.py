"""What the Hub of a test answers: repositories, files and refusals as the client reads them."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import yaml

FRONT_MATTER = re.compile(rb"---\n(.*?)\n---", re.DOTALL)
LARGE = (".safetensors", ".bin", ".pth", ".pt")  # what the Hub keeps in LFS, and states a sha256 for


@dataclass
class Repository:
    """Commits by their 40 hex digits, and the branches and tags that point to them."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    private: bool = False
    gated: bool = False
    filed: tuple[str, ...] = ()  # tasks and tags, for `search`

    def commit_of(self, revision: str) -> str | None:
        """The commit that a branch, a tag or a prefix of its digits names."""
        named = [commit for commit in self.commits if len(revision) >= 7 and commit.startswith(revision)]
        return self.refs.get(revision) or (named[0] if named else None)


@dataclass(frozen=True)
class Answer:
    """A status, headers and a body, of which no more than `cut` bytes are sent before the line goes dead."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None


def git_sha1(body: bytes) -> str:
    """Git's name for a content."""
    return hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()


def as_json(value: dict[str, Any] | list[dict[str, Any]]) -> Answer:
    return Answer(200, json.dumps(value).encode(), {"Content-Type": "application/json"})


def refusal(status: int, message: str, code: str = "", headers: Mapping[str, str] = MappingProxyType({})) -> Answer:
    """The client reads the reason from these headers; over plain http it needs the code."""
    said = {"X-Error-Message": message, "X-Error-Code": code, **headers}
    return Answer(status, json.dumps({"error": message}).encode(), said)


def info(repo_id: str, commit: str, repository: Repository) -> dict[str, Any]:
    siblings = []
    for name, body in repository.commits[commit].items():
        file: dict[str, Any] = {"rfilename": name, "size": len(body), "blobId": git_sha1(body)}
        if name.endswith(LARGE):
            file["lfs"] = {"sha256": hashlib.sha256(body).hexdigest(), "size": len(body), "pointerSize": 134}
        siblings.append(file)
    card = FRONT_MATTER.match(repository.commits[commit].get("README.md", b""))
    return {
        "_id": commit[:24],
        "id": repo_id.removeprefix("datasets/"),
        "modelId": repo_id,
        "sha": commit,
        "private": repository.private,
        "gated": "auto" if repository.gated else False,
        "tags": [],
        "downloads": 0,
        "likes": 0,
        "siblings": siblings,
        "cardData": yaml.safe_load(card[1]) if card else None,
    }


def search(
    repositories: Mapping[str, Repository], asked: Mapping[str, list[str]], *, private: bool
) -> list[dict[str, Any]]:
    """Models with a text in their id that are filed under a task or a tag; private ones only for their owner."""
    text, limit = asked.get("search", [""])[0].lower(), int(asked.get("limit", ["1000"])[0])
    kinds = {*asked.get("pipeline_tag", []), *asked.get("filter", [])}
    return [
        {"id": name, "private": one.private}
        for name, one in repositories.items()
        if text in name.lower()
        and not name.startswith("datasets/")
        and (private or not one.private)
        and kinds <= set(one.filed)
    ][:limit]


def listing(files: dict[str, bytes], folder: str, recursive: bool) -> list[dict[str, Any]]:
    """Files and folders below a folder."""
    found: dict[str, dict[str, Any]] = {}
    start = f"{folder}/" if folder else ""
    for path, body in files.items():
        inside = path.removeprefix(start).split("/")
        if not path.startswith(start):
            continue
        for depth in range(1, len(inside) if recursive else min(2, len(inside))):
            above = start + "/".join(inside[:depth])
            found[above] = {
                "type": "directory",
                "path": above,
                "size": 0,
                "oid": hashlib.sha1(above.encode()).hexdigest(),
            }
        if recursive or len(inside) == 1:
            found[path] = {"type": "file", "path": path, "size": len(body), "oid": hashlib.sha1(body).hexdigest()}
    return list(found.values())
