"""A day's worth of pages is opened and closed: does anything of them stay behind on the server?

    OMP_NUM_THREADS=1 python -m examples.attack.load_sessions

writes `examples/results/load_sessions.json`. The app runs as a process of its own, open to everybody as on a Space,
with one difference: what visitors leave is kept for `--kept-s` seconds instead of an hour, so that the end of the day
can be seen. Of ten visitors seven look around or choose a photograph, and leave; one has his photograph checked; one
leaves in the middle of a check, one in the middle of a scan. A page is closed as a browser closes it: its connections
break, and that is all the server learns.

Memory, threads, open files, uploads and what the server remembers are counted along the way and, once the uploads
should be gone, at the end; the end is held against the moment when the first `--warm` visitors had left.
"""

import argparse
import asyncio
import io
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx2
from PIL import Image

from eftclip.data import bundled_photographs
from examples.attack.load_visitors import choose_labels, of
from examples.attack.served import Served, files_below, head, write
from examples.attack.visitor import Layout, Visitor

KINDS = ("look", "look", "look", "bring", "bring", "bring", "bring", "check", "leave a check", "leave a scan")
MOMENTS = 10  # looked at along the way
MARGIN_MB, MARGIN_THREADS, MARGIN_DESCRIPTORS = 60.0, 4, 4
WAIT_S = 300.0


def photograph(number: int) -> bytes:
    """A photograph that no other visitor has."""
    known = bundled_photographs()
    with Image.open(known[number % len(known)].path) as picture:
        small = picture.convert("RGB").resize((200 + number % 97, 160 + number // 97 % 89))
    buffer = io.BytesIO()
    small.save(buffer, "PNG")
    return buffer.getvalue()


async def session(visitor: Visitor, number: int, labels: str) -> str:
    """One page from its opening to its end; what went wrong, if anything."""
    kind = KINDS[number % len(KINDS)]
    try:
        async with asyncio.timeout(WAIT_S):
            await visitor.arrive()
            choose_labels(visitor, labels)
            if kind != "look":
                await visitor.bring(f"photograph-{number}.png", photograph(number))
            if kind == "check":
                ended = await visitor.press("check")
                wrong = [f"{one['api_name']}: {answer.error}" for one, answer in ended if not answer.ok]
                return "; ".join(wrong)
            if kind.startswith("leave"):
                await leave_in_the_middle(visitor, kind.removeprefix("leave a "))
    except (httpx2.HTTPError, TimeoutError) as error:
        return f"{kind}: {type(error).__name__}: {error}"
    finally:
        await visitor.leave()
    return ""


async def leave_in_the_middle(visitor: Visitor, button: str) -> None:
    """Press a button and go as soon as there is news of the work."""
    news = asyncio.Event()
    working = asyncio.create_task(visitor.press(button, lambda *_: news.set()))
    seen = asyncio.create_task(news.wait())
    await asyncio.wait({working, seen}, return_when=asyncio.FIRST_COMPLETED)
    for task in (working, seen):
        task.cancel()
    await asyncio.gather(working, seen, return_exceptions=True)


async def day(served: Served, args: argparse.Namespace) -> tuple[list[dict[str, Any]], list[str], int]:
    """Session after session, some at once: the moments looked at, what went wrong, and how many there were."""
    begun, wrong, moments, done = time.monotonic(), list[str](), list[dict[str, Any]](), 0
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=0)
    async with httpx2.AsyncClient(base_url=served.url, timeout=WAIT_S, limits=limits, trust_env=False) as http:
        layout = await Layout.of(http)
        stops = [args.warm + (args.sessions - args.warm) * k // MOMENTS for k in range(MOMENTS + 1)]
        for last in stops:
            since, first = time.monotonic(), done
            while done < last and time.monotonic() - begun < 60 * args.minutes:
                few = range(done, min(done + args.at_once, last))
                wrong += await asyncio.gather(*(session(Visitor(http, layout), k, args.labels) for k in few))
                done += len(few)
            if done == first:
                break
            moments.append(
                {"sessions": done, "seconds_each": round((time.monotonic() - since) / (done - first), 3), **at(served)}
            )
            print(f"{done} sessions: {moments[-1]}", file=sys.stderr, flush=True)
    return moments, [text for text in wrong if text], done


def at(served: Served) -> dict[str, Any]:
    """The server now, once it knows that all pages were closed."""
    served.deserted()
    return {**served.sample().document(), "left_behind": served.census()}


def tidy(served: Served, kept_s: float) -> bool:
    """Wait until the uploads of visitors are gone; whether they went in time."""
    until = time.monotonic() + 3 * kept_s + 10
    while any(path.match("photograph-*.png") for path in files_below(served.uploads)):
        if time.monotonic() > until:
            return False
        time.sleep(0.5)
    return True


def drift(values: Sequence[float]) -> float:
    """How much higher the last third lies than the first, by their medians: one moment says little of memory."""
    third = max(1, len(values) // 3)
    return round(statistics.median(values[-third:]) - statistics.median(values[:third]), 1)


def measured(args: argparse.Namespace) -> dict[str, Any]:
    """The whole document."""
    with Served(kept_s=args.kept_s) as served:
        moments, wrong, done = asyncio.run(day(served, args))
        cleaned = tidy(served, args.kept_s)
        moments.append({"sessions": done, **at(served)})
    first, last = moments[0], moments[-1]
    grown = {name: round(last[name] - first[name], 3) for name in ("threads", "descriptors", "folders")}
    grown["rss_mb"] = drift([moment["rss_mb"] for moment in moments])
    names = ("sessions", "minutes", "at_once", "warm", "kept_s", "labels")
    return {
        **head("load_sessions", args.command),
        "settings": {name: getattr(args, name) for name in names},
        "without_failure": of(done - len(wrong), done),
        "failures": sorted(set(wrong)),
        "grown_since_warm": grown,
        "kb_each": round(1000 * grown["rss_mb"] / max(1, done - first["sessions"]), 1),
        "margins": {"rss_mb": MARGIN_MB, "threads": MARGIN_THREADS, "descriptors": MARGIN_DESCRIPTORS},
        "flat": {
            "memory": grown["rss_mb"] <= MARGIN_MB,
            "threads": grown["threads"] <= MARGIN_THREADS,
            "descriptors": grown["descriptors"] <= MARGIN_DESCRIPTORS,
            "visits": last["left_behind"]["visits"] == 0,
            "uploads": cleaned,
        },
        "moments": moments,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", type=int, default=1_000)
    parser.add_argument("--minutes", type=float, default=20.0, help="no session begins after that")
    parser.add_argument("--at-once", type=int, default=4)
    parser.add_argument("--warm", type=int, default=300, help="sessions before the first look")
    parser.add_argument("--kept-s", type=float, default=40.0, help="seconds for which uploads are kept")
    parser.add_argument("--labels", default="", help="one label a line; ImageNet's 1,000 when left out")
    parser.add_argument("--out", type=Path, default=Path("examples/results/load_sessions.json"))
    args = parser.parse_args(arguments)
    args.command = " ".join(["OMP_NUM_THREADS=1 python -m examples.attack.load_sessions", *(arguments or sys.argv[1:])])
    write(measured(args), args.out)


if __name__ == "__main__":
    main()
