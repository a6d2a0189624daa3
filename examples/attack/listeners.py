"""Call every listener of the page over HTTP with values that the page would never send.

    OMP_NUM_THREADS=1 python -m examples.attack.listeners

writes `examples/results/attack_listeners.json`. The app runs as a process of its own, open to everybody as on a Space,
beside a Hub of the script's own; all requests go to 127.0.0.1. Each listener that `GET /config` names, private or not,
gets every hostile value of `values.py`: in all its inputs at once, and in one input after the other while the
others hold what a page would send. Then come the scenes of `requests.py` and `visitors.py`, and a
photograph is checked as if nothing had happened. At last a browser shows what strangers can write (`page.py`).
Needs `pip install -e '.[test]'` and a Chromium on this machine.

*accepted*: the listener ended as usual, *sentence*: the visitor reads what is wrong, *bare error*: something failed
without words, *refused*: HTTP says so. What must not be: *leak* (an answer tells a path or a piece of the server, or
what nobody may read), *hang* (no end within half a minute), *dead* (the server is gone).
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from examples.attack import page as attack_page
from examples.attack import requests as attack_requests
from examples.attack import visitors as attack_visitors
from examples.attack.load_visitors import photograph
from examples.attack.served import ROOT, Served, head, write
from examples.attack.stage import Stage
from examples.attack.values import BAD, LIMIT_S, Canary, Log, Scene, outcome
from examples.attack.visitor import Answer, Layout, Listener, Visitor

KEPT_S = 10.0
SCENES = {**attack_requests.SCENES, **attack_visitors.SCENES}
OWN = ROOT / "eftclip"


@dataclass
class Table:
    """What came of the attacks: for each listener and each attack how often what.

    Attributes:
        rows: outcomes.
        broken: exceptions inside EftCLIP that nobody caught: listener, attack, input, last line of the log.
        worst: what must not be.
    """

    rows: dict[str, dict[str, Counter[str]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(Counter)))
    broken: list[dict[str, str]] = field(default_factory=list)
    worst: list[dict[str, str]] = field(default_factory=list)


class Attacker:
    """One who calls listeners with values, one call after the other."""

    def __init__(self, served: Served, scene: Scene, page: Visitor) -> None:
        """Nothing was called yet.

        Args:
            served: the app.
            scene: what the attacks are about.
            page: whose session is used.
        """
        self._served, self._scene, self._page = served, scene, page
        self._log = Log(served.log)
        self.table = Table()

    async def attack(self, listener: Listener, values: dict[str, Any], *, each: bool) -> None:
        """Give a listener every value, in all inputs at once and, if wanted, in each."""
        for name, value in values.items():
            await self._call(listener, name, "all", [value] * len(listener["inputs"]))
            for k, component in enumerate(listener["inputs"] if each else ()):
                if self._page.layout.components[component]["type"] != "state":
                    data = self.usual(listener, component)
                    data[k] = value
                    await self._call(listener, name, self._label(component), data)

    def usual(self, listener: Listener, attacked: int) -> list[Any]:
        """What a page could send, so chosen that everything is read, also the attacked input, and no work begins."""
        layout, values = self._page.layout, dict(self._page.values)
        values[layout.kind] = "hub"
        for text in (layout.named("hub"), layout.labelled("Data set"), layout.labelled("Repository")):
            values[text] = "nobody/nothing"
        kinds = {
            "Pictures or a zip archive": "upload",
            "Views": "practice",
            "With a trigger (%)": "practice",
            "Planted trigger": "practice",
        }
        values[layout.named("source")] = kinds.get(self._label(attacked), "hub")
        for component in listener["inputs"]:  # of the end points for programs
            if self._label(component) in ("checkpoint", "data"):
                values[component] = "hf:nobody/nothing"
        if attacked == layout.labelled("One label a line"):
            values[layout.labelled("Labels")] = "own"
        return [values.get(k) for k in listener["inputs"]]

    def _label(self, component: int) -> str:
        props = self._page.layout.components[component]["props"]
        return str(props.get("label") or props.get("elem_id") or component)

    async def _call(self, listener: Listener, attack: str, where: str, data: list[Any]) -> None:
        answer: Answer | None = None
        with suppress(TimeoutError):
            async with asyncio.timeout(LIMIT_S):
                answer = await self._page.ask(listener, data)
        came = outcome(answer, self._scene, ROOT, alive=self._served.alive)
        title = name_of(listener, self._page.layout)
        self.table.rows[title][attack][came] += 1
        place = {"listener": title, "attack": attack, "input": where}
        if came in BAD:
            said = str((answer.data, answer.error) if answer else "")[:300]
            self.table.worst.append({**place, "outcome": came, "said": said})
        self.table.broken += [{**place, "said": line} for line in self._log.broken(OWN)]


def name_of(listener: Listener, layout: Layout) -> str:
    """A listener as people know it."""
    triggers = []
    for component, event in listener["targets"]:
        props = layout.components.get(component or -1, {}).get("props", {})
        name = props.get("elem_id") or props.get("label") or props.get("value") or ""
        triggers.append(f"{name} {event}".strip())
    return f"{listener['id']} {listener['api_name']} ({', '.join(triggers[:2])}{', …' if len(triggers) > 2 else ''})"


async def played(served: Served, scene: Scene, args: argparse.Namespace) -> dict[str, Any]:
    """Attack, look what came of it, and check a photograph at the end."""
    # No line is used twice: after an answer that it could not write the server closes the line, maybe in the next one.
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=0)
    async with httpx2.AsyncClient(base_url=served.url, timeout=300, limits=limits, trust_env=False) as http:
        layout = await Layout.of(http)
        page = Visitor(http, layout)
        await page.arrive()
        before = served.sample()
        attacker = Attacker(served, scene, page)
        values = {name: value for name, value in scene.values().items() if name in (args.attacks or scene.values())}
        for listener in chosen(layout, args.listeners):
            await attacker.attack(listener, values, each=not args.quick)
            print(f"{name_of(listener, layout)}", file=sys.stderr, flush=True)
        await page.leave()
        stage, scenes, log = Stage(served, http, layout, scene), {}, Log(served.log)
        log.broken(OWN)
        for name in args.scenes:
            scenes[name] = [one.document() for one in await SCENES[name](stage)]
            attacker.table.broken += [
                {"listener": "", "attack": name, "input": "", "said": said} for said in log.broken(OWN)
            ]
            print(name, file=sys.stderr, flush=True)
        last = Visitor(http, layout)
        await last.arrive()
        await last.bring("last.png", photograph(0))
        await last.press("check")
        banner = str(last.values[layout.named("verdict")])
        await last.leave()
    table = attacker.table
    return {
        "calls": sum(count for row in table.rows.values() for cell in row.values() for count in cell.values()),
        "outcomes": dict(sum((cell for row in table.rows.values() for cell in row.values()), Counter())),
        "must_not_be": table.worst,
        "broken_inside": summed(table.broken),
        "read_what_nobody_may": scene.seen(),
        "afterwards": "found" if 'data-status="found"' in banner else "no verdict",
        "server": {"alive": served.alive, "before": before.document(), "after": served.sample().document()},
        "scenes": scenes,
        "listeners": {title: {name: dict(cell) for name, cell in row.items()} for title, row in table.rows.items()},
    }


def chosen(layout: Layout, names: Sequence[str] | None) -> list[dict[str, Any]]:
    """The listeners to attack."""
    return [one for one in layout.listeners if names is None or one["api_name"] in names]


def summed(broken: Iterable[dict[str, str]]) -> list[dict[str, Any]]:
    """The same exception of many attacks once."""
    grouped: dict[tuple[str, str], list[str]] = defaultdict(list)
    for one in broken:
        grouped[one["listener"], one["said"]].append(f"{one['attack']}, {one['input']}".rstrip(", "))
    return [{"listener": who, "said": said, "attacks": sorted(set(where))} for (who, said), where in grouped.items()]


def measured(args: argparse.Namespace) -> dict[str, Any]:
    """The whole document."""
    with tempfile.TemporaryDirectory(prefix="eftclip-attacked-") as made:
        home, canary = Path(made), Canary()
        with attack_page.hub_of_traps(home) as (_, leads):
            with Served(kept_s=KEPT_S, home=home, environment=leads) as served:
                document = asyncio.run(played(served, Scene(served.uploads, home / "hidden", canary), args))
            if args.pages:
                with Served(home=home, environment=leads) as served:
                    document["pages"] = attack_page.visited(served, home, args.pages, args.chromium)
        canary.close()
    scenes = [one for group in ("scenes", "pages") for scene in document.get(group, {}).values() for one in scene]
    bad = [f"{one['attack']}: {one['came_of_it']}" for one in scenes if not one["as_it_should"]]
    return {**head("attack_listeners", args.command), "not_as_it_should": bad, **document}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--listeners", nargs="*", help="only these, by their names in /config")
    parser.add_argument("--attacks", nargs="*", help="only these values")
    parser.add_argument("--scenes", nargs="*", default=list(SCENES), choices=list(SCENES))
    parser.add_argument("--quick", action="store_true", help="a value in all inputs at once, not in each")
    parser.add_argument("--pages", nargs="*", default=list(attack_page.SCENES), choices=list(attack_page.SCENES))
    parser.add_argument("--chromium", default=shutil.which("chromium"), help="path of the browser")
    parser.add_argument("--out", type=Path, default=Path("examples/results/attack_listeners.json"))
    args = parser.parse_args(arguments)
    args.command = " ".join(["OMP_NUM_THREADS=1 python -m examples.attack.listeners", *(arguments or sys.argv[1:])])
    write(measured(args), args.out)


if __name__ == "__main__":
    main()
