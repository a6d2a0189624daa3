"""A mirror of the Hub that knows less than the Hub: it leaves sizes out, or leads elsewhere."""

import re

from support.hub import Hub
from support.hub_answers import Answer, as_json, info

SUMMARY = re.compile(r"/api/models/(?P<repo>[^/]+/[^/]+)/revision/[^/]+")
TREE = re.compile(r"/api/models/(?P<repo>[^/]+/[^/]+)/tree/(?P<commit>[0-9a-f]{40})")


class Mirror(Hub):
    """It says nothing of sizes and digests in its summaries.

    Attributes:
        lists: whether it lists the files of a repository when it is asked for its tree.
        leads_to: address of another server that every request is sent on to; None to answer them.
        says_what: when it sends a request on, it says in headers what there is, as the Hub does itself.
    """

    def __init__(self, *, lists: bool = True, leads_to: str | None = None, says_what: bool = False) -> None:
        self.lists, self.leads_to, self.says_what = lists, leads_to, says_what
        super().__init__()

    def reply(
        self, method: str, path: str, asked: dict[str, list[str]], token: str | None, body: bytes
    ) -> Answer | None:
        if self.leads_to:
            return Answer(307, b"", {**self._about(path, token), "Location": f"{self.leads_to}{path}"})
        if found := TREE.fullmatch(path):
            return self._tree(found["repo"], found["commit"]) if self.lists else Answer(404)
        if not (found := SUMMARY.fullmatch(path)):
            return None
        repository = self.repositories[found["repo"]]
        summary = info(found["repo"], repository.refs["main"], repository)
        summary["siblings"] = [{"rfilename": file["rfilename"]} for file in summary["siblings"]]
        return as_json(summary)

    def _about(self, path: str, token: str | None) -> dict[str, str]:
        if not self.says_what or "/resolve/" not in path:
            return {}
        there = self.answer(path, token, {})
        return {**there.headers, "X-Linked-Size": str(len(there.body))}

    def _tree(self, repo: str, commit: str) -> Answer:
        files = info(repo, commit, self.repositories[repo])["siblings"]
        listed = []
        for file in files:
            large = {"lfs": {"oid": file["lfs"]["sha256"], "size": file["size"]}} if "lfs" in file else {}
            listed.append(
                {"type": "file", "path": file["rfilename"], "size": file["size"], "oid": file["blobId"], **large}
            )
        return as_json(listed)
