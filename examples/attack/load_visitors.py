"""Fifty visitors check a photograph each at the same time: does everybody get an answer, the right one, in fair order?

    OMP_NUM_THREADS=1 python -m examples.attack.load_visitors

writes `examples/results/load_visitors.json`. The app runs as a process of its own, open to everybody as on a Space.
Every visitor is a page of his own: he opens it, uploads a photograph that nobody else has (in every second one a
trigger is planted, as the page would plant it), presses the button and waits for his verdict. One visitor after the
other presses within `--within` seconds, which is far less than all the checks take, so nearly everybody has to wait.
This is done in waves, each with new visitors: what a wave leaves behind would show in the memory of the next.

*overtaken* counts, for one visitor, those who pressed after him and had their verdict before him.
"""

import argparse
import asyncio
import io
import re
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx2

from eftclip.data import bundled_photographs
from eftclip.report.values import rate
from eftclip.types import Rate
from eftclip.ui.check.photographs import Planting, bundled_choice, picture_of
from eftclip.ui.components.triggers import NO_TRIGGER
from examples.attack.served import Served, head, write
from examples.attack.visitor import Layout, Listener, Visitor

TRIGGER, PATCH_PX = "badnets", 16
MARGIN_MB = 100.0  # how far the memory of the last wave may lie above the first, 10⁶ bytes
WAIT_S = 600.0
STATUS, PLACE = re.compile(r'data-status="(\w+)"'), re.compile(r"(\d+) before you")
TOLD_FROM_S = 1.0  # who waits longer than this should have been told how many are before him


@dataclass
class Told:
    """One visitor's check, in seconds since the wave began.

    Attributes:
        planted: a trigger was in his photograph.
        pressed, ended: when.
        status: of the verdict; empty without any.
        failure: what went wrong instead.
        places: how many were before him, each time that he was told.
    """

    planted: bool
    pressed: float = 0.0
    ended: float = 0.0
    status: str = ""
    failure: str = ""
    places: list[int] = field(default_factory=list)

    @property
    def waited(self) -> float:
        """Seconds from the click to the verdict."""
        return self.ended - self.pressed

    @property
    def right(self) -> bool:
        """The verdict is what was planted."""
        return self.status == ("found" if self.planted else "not_found")


def photograph(number: int) -> bytes:
    """A photograph that no other visitor has: views of the bundled ones, a trigger in every second."""
    seen = bundled_choice(number // 2 % len(bundled_photographs()))
    planted = Planting(NO_TRIGGER if number % 2 else TRIGGER, "random", PATCH_PX, number)
    picture = picture_of(seen, planted)
    if number % 2:
        picture = picture.crop((0, 0, picture.width - number // 14 % 7, picture.height - number // 98 % 7))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


async def visit(visitor: Visitor, number: int, start: "asyncio.Event", delay_s: float, labels: str) -> Told:
    """Open the page, bring a photograph, press the button when it is time."""
    told = Told(planted=not number % 2)
    try:
        await visitor.arrive()
        await visitor.bring(f"photograph-{number}.png", photograph(number))
        choose_labels(visitor, labels)
        await start.wait()
        begun = time.monotonic()
        await asyncio.sleep(delay_s)
        told.pressed = time.monotonic() - begun
        verdict = visitor.layout.named("verdict")

        def look(listener: Listener, data: list[Any]) -> None:
            if verdict in listener["outputs"]:
                note(told, str(data[listener["outputs"].index(verdict)]), time.monotonic() - begun)

        async with asyncio.timeout(WAIT_S):
            for listener, answer in await visitor.press("check", look):
                if not answer.ok:
                    told.failure = f"{listener['api_name']}: {answer.error}"
        note(told, str(visitor.values[verdict]), time.monotonic() - begun)
    except (httpx2.HTTPError, TimeoutError) as error:
        told.failure = f"{type(error).__name__}: {error}"
    return told


def choose_labels(visitor: Visitor, labels: str) -> None:
    """A list of his own is read in less time than ImageNet's."""
    if labels:
        visitor.values[visitor.layout.labelled("Labels")] = "own"
        visitor.values[visitor.layout.labelled("One label a line")] = labels


def note(told: Told, banner: str, now: float) -> None:
    """What a banner says."""
    status = STATUS.search(banner)
    if status is not None and status[1] not in ("running", "idle"):
        if not told.status:
            told.ended = now
        told.status = status[1]
    if (place := PLACE.search(banner)) is not None:
        told.places.append(int(place[1]))


async def wave(served: Served, visitors: int, first: int, within_s: float, labels: str) -> list[Told]:
    """All visitors of one wave, in the order in which they press."""
    limits = httpx2.Limits(max_connections=None)
    async with httpx2.AsyncClient(base_url=served.url, timeout=WAIT_S, limits=limits, trust_env=False) as http:
        layout, start = await Layout.of(http), asyncio.Event()
        pages = [Visitor(http, layout) for _ in range(visitors)]
        coming = [
            asyncio.create_task(visit(page, first + k, start, within_s * k / visitors, labels))
            for k, page in enumerate(pages)
        ]
        await settled(pages, coming)
        start.set()
        told = await asyncio.gather(*coming)
        await asyncio.gather(*(page.leave() for page in pages))
    return told


async def settled(pages: Sequence[Visitor], coming: Sequence["asyncio.Task[Told]"]) -> None:
    """Wait until everybody who comes has chosen his photograph."""
    picture = pages[0].layout.named("picture")
    until = time.monotonic() + WAIT_S
    while time.monotonic() < until:
        brought = [isinstance(p.values.get(picture), dict) and "orig_name" in p.values[picture] for p in pages]
        if all(here or task.done() for here, task in zip(brought, coming, strict=True)):
            return
        await asyncio.sleep(0.05)


def counted(told: Sequence[Told]) -> dict[str, Any]:
    """One wave as a document; `waits_s` are in the order of the clicks."""
    answered = [one for one in told if one.status and not one.failure]
    waits = [round(one.waited, 2) for one in answered]
    overtaken = [sum(other.ended < one.ended for other in answered[k + 1 :]) for k, one in enumerate(answered)]
    waiting = [one for one in answered if one.waited > TOLD_FROM_S]
    right = {half: [one.right for one in answered if one.planted == (half == "planted")] for half in HALVES}
    return {
        "answered": of(len(answered), len(told)),
        "failures": sorted({one.failure for one in told if one.failure}),
        **{f"right_{half}": of(sum(flags), len(flags)) for half, flags in right.items()},
        "wrong": [f"{one.status}, {'planted' if one.planted else 'untouched'}" for one in answered if not one.right],
        "seconds": round(max((one.ended for one in answered), default=0.0), 2),
        "wait_s": {"median": round(statistics.median(waits), 2), "longest": max(waits)} if waits else None,
        "overtaken": {"most": max(overtaken), "visitors": sum(map(bool, overtaken))} if overtaken else None,
        "told_their_place": of(sum(bool(one.places) for one in waiting), len(waiting)),
        "places_only_fell": of(sum(falls(one.places) for one in waiting), len(waiting)),
        "waits_s": waits,
    }


HALVES = ("planted", "untouched")


def falls(places: Sequence[int]) -> bool:
    """Nobody was let in before him after he had been told his place."""
    return all(later <= earlier for earlier, later in pairwise(places))


def of(hits: int, total: int) -> dict[str, Any]:
    """Counts as in every document."""
    return rate(Rate(hits, total))


def measured(args: argparse.Namespace) -> dict[str, Any]:
    """The whole document."""
    waves = []
    with Served() as served:
        warm(served, args)
        before = served.sample()
        for number in range(args.waves):
            with served.watched() as peaks:
                told = asyncio.run(wave(served, args.visitors, number * args.visitors, args.within, args.labels))
            gone = served.deserted()
            waves.append(
                {**counted(told), "all_gone": gone, "peak": peaks.document(), "after": served.sample().document()}
            )
            print(f"wave {number + 1}: {waves[-1]['answered']} answered", file=sys.stderr, flush=True)
        census = served.census()
    growth = waves[-1]["peak"]["rss_mb"] - waves[0]["peak"]["rss_mb"]
    hits = sum(one["answered"]["hits"] for one in waves)
    return {
        **head("load_visitors", args.command),
        "settings": {"visitors": args.visitors, "waves": args.waves, "within_s": args.within, "labels": args.labels},
        "answered": of(hits, args.visitors * args.waves),
        "wrong": sum(len(one["wrong"]) for one in waves),
        "memory": {
            "before": before.document(),
            "peak_growth_mb": round(growth, 1),
            "margin_mb": MARGIN_MB,
            "flat": growth <= MARGIN_MB,
        },
        "left_behind": census,
        "waves": waves,
    }


def warm(served: Served, args: argparse.Namespace) -> None:
    """One visitor before all others, so that the checkpoint is loaded and its labels are read."""
    told = asyncio.run(wave(served, 1, 0, 0.0, args.labels))
    print(f"the first visitor: {told[0].status or told[0].failure}", file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--visitors", type=int, default=50)
    parser.add_argument("--waves", type=int, default=3)
    parser.add_argument("--within", type=float, default=5.0, help="seconds in which all of a wave press the button")
    parser.add_argument("--labels", default="", help="one label a line; ImageNet's 1,000 when left out")
    parser.add_argument("--out", type=Path, default=Path("examples/results/load_visitors.json"))
    args = parser.parse_args(arguments)
    args.command = " ".join(["OMP_NUM_THREADS=1 python -m examples.attack.load_visitors", *(arguments or sys.argv[1:])])
    write(measured(args), args.out)


if __name__ == "__main__":
    main()
