"""Where attacks that are more than one value play: the app, who comes, and what came of it."""

import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

import httpx2

from examples.attack.served import Served
from examples.attack.values import TRACE, Scene
from examples.attack.visitor import Answer, Layout, Visitor


@dataclass(frozen=True)
class Outcome:
    """One attack and what came of it."""

    attack: str
    came_of_it: str
    as_it_should: bool

    def document(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Stage:
    """Where the scenes play."""

    served: Served
    http: httpx2.AsyncClient
    layout: Layout
    scene: Scene

    def visitor(self) -> Visitor:
        """Somebody new, whose page is not open."""
        page = Visitor(self.http, self.layout)
        page.values = self.layout.initial()
        return page

    def harmless(self, text: str) -> bool:
        """Nothing of the server is told."""
        told = TRACE.search(text) or self.scene.token in text or "root:x:0" in text or "def launch" in text
        return not told

    def ended(self, title: str, *answers: Answer) -> Outcome:
        """What came of calls that may fail, but not tell anything."""
        text = json.dumps([(answer.data, answer.error) for answer in answers])
        return Outcome(title, "ended" if all(answer.ok for answer in answers) else "failed", self.harmless(text))

    def steps(self, button: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """What a button begins with, and the work that follows."""
        [begin] = self.layout.on("click", self.layout.named(button))
        [work] = [one for one in self.layout.after(begin, failed=False) if one["backend_fn"]]
        return begin, work


Play = Callable[[Stage], Awaitable[Iterable[Outcome]]]
