"""Attacks by visitors: requests out of order, and at what belongs to other visitors."""

import asyncio
import io
import json
from collections.abc import Awaitable, Callable

from PIL import Image

from examples.attack.load_visitors import PLACE, STATUS, photograph
from examples.attack.served import files_below
from examples.attack.stage import Outcome, Play, Stage
from examples.attack.values import FILE, LIMIT_S
from examples.attack.visitor import API

CROWD = 100
VIEWS = 16  # of a practice set, so that a scan takes some seconds
WORK_S = 300.0


async def out_of_order(stage: Stage) -> list[Outcome]:
    """Listeners without those that should come before; a page that is closed twice."""
    said = []
    for name in ("check", "scan", "rectify", "publish"):
        begin, work = stage.steps(name)
        after = [one for one in stage.layout.after(work, failed=False) if one["backend_fn"]]
        page = stage.visitor()
        page.values[stage.layout.kind] = "hub"  # of which there is none, so no work begins
        page.values[stage.layout.named("hub")] = "nobody/nothing"
        for title, order in (("end first", after), ("work without begin", [work]), ("begin twice", [begin, begin])):
            async with asyncio.timeout(4 * LIMIT_S):
                said.append(stage.ended(f"{name}: {title}", *[await page.run(one) for one in order]))
        [stop] = stage.layout.on("click", stage.layout.named("stop" if name == "check" else f"stop-{name}"))
        said.append(stage.ended(f"{name}: stop before anything", await stage.visitor().run(stop)))
    [leave] = stage.layout.on("unload")
    page = stage.visitor()
    said.append(stage.ended("leave twice", await page.ask(leave, []), await page.ask(leave, [])))
    return said


async def other_peoples_work(stage: Stage) -> list[Outcome]:
    """While one visitor scans and another waits in line, a third does what he can to end that."""
    return [*await _disturbed(stage, "stop, leave and cancel", _end_it), *await _disturbed(stage, "a crowd", _crowd)]


async def _end_it(stage: Stage) -> None:
    """Every listener that ends something, and Gradio's own ways to end something."""
    attacker = stage.visitor()
    for one in stage.layout.listeners:
        if one["api_name"] and one["api_name"].startswith(("stop", "leave", "end", "begin")):
            await attacker.ask(one, [None] * len(one["inputs"]))
        cancel = {"session_hash": attacker.session, "fn_index": one["id"], "event_id": "0" * 32}
        await attacker.post("cancel", json.dumps(cancel))
    await attacker.post("reset", json.dumps({"event_id": "0" * 32}))


async def _crowd(stage: Stage) -> None:
    """More pages than anybody opens, each of which says that it begins to work."""
    begin, _ = stage.steps("check")
    await asyncio.gather(*(stage.visitor().ask(begin, []) for _ in range(CROWD)))


async def _disturbed(stage: Stage, what: str, attack: Callable[[Stage], Awaitable[None]]) -> list[Outcome]:
    layout, said = stage.layout, []
    scanning, waiting = stage.visitor(), stage.visitor()
    for page in (scanning, waiting):
        await page.arrive()
        page.values[layout.labelled("Views")] = VIEWS
    begun = asyncio.Event()
    first = asyncio.create_task(scanning.press("scan", lambda *_: begun.set()))
    async with asyncio.timeout(LIMIT_S):
        await begun.wait()
    in_line = asyncio.Event()
    second = asyncio.create_task(
        waiting.press("scan", lambda _, data: in_line.set() if PLACE.search(json.dumps(data[:1])) else None)
    )
    async with asyncio.timeout(LIMIT_S):
        await asyncio.wait({second, asyncio.create_task(in_line.wait())}, return_when=asyncio.FIRST_COMPLETED)
    await attack(stage)
    for name, work, page in (("scans", first, scanning), ("waits in line", second, waiting)):
        async with asyncio.timeout(WORK_S):
            ended = await work
        banner = json.dumps(page.values[layout.named("scan-banner")])
        status = STATUS.search(banner.replace('\\"', '"'))
        word = status[1] if status else "no verdict"
        fine = all(answer.ok for _, answer in ended) and word == "found"
        said.append(Outcome(f"{what}, while one {name}", word, fine))
        await page.leave()
    return said


async def other_peoples_files(stage: Stage) -> list[Outcome]:
    """What one visitor may take home, asked for by another who knows only his own addresses."""
    one, other, said = stage.visitor(), stage.visitor(), []
    for number, page in enumerate((one, other)):
        await page.arrive()
        await page.bring("mine.png", photograph(2 * number))
        async with asyncio.timeout(4 * LIMIT_S):
            await page.press("check")
    download = stage.layout.named("download")
    mine, theirs = (page.values[download]["path"] for page in (one, other))
    answer = await stage.http.get(f"{API}/file={mine}")
    said.append(Outcome("his own verdict", f"HTTP {answer.status_code}", answer.status_code == 200))
    said.append(Outcome("both lie in folders of their own", "", mine.rsplit("/", 2)[0] != theirs.rsplit("/", 2)[0]))
    home, _, folder, name = mine.rsplit("/", 3)
    guesses = [f"{home}/{guess}/{folder}/{name}" for guess in ("", ".", "*", "page", "None", other.session)]
    guesses += [
        theirs.replace(theirs.rsplit("/", 2)[1], folder),
        *(mine.rsplit("/", count)[0] for count in (1, 2, 3)),
    ]
    for guess in guesses:
        answer = await stage.http.get(f"{API}/file={guess}")
        shown = (
            guess.split("/eftclip-ui-")[-1].replace(one.session, "MINE").replace(other.session[:-1], "NEARLY-THEIRS")
        )
        said.append(Outcome(f"guess {shown}", f"HTTP {answer.status_code}", answer.status_code in (403, 404)))
    await one.leave()
    async with asyncio.timeout(LIMIT_S):
        while (await stage.http.get(f"{API}/file={mine}")).status_code == 200:
            await asyncio.sleep(0.1)
    said.append(Outcome("his own verdict after his page was closed", "HTTP 403", True))
    answer = await stage.http.get(f"{API}/file={theirs}")
    said.append(Outcome("the other's, who is still there", f"HTTP {answer.status_code}", answer.status_code == 200))
    await other.leave()
    return said


async def a_folder_among_uploads(stage: Stage) -> list[Outcome]:
    """After somebody named folders as pictures, uploads are still deleted when their time has come."""
    page = stage.visitor()
    first = await page.upload("first.png", b"first")
    [bring] = stage.layout.on("upload", stage.layout.named("picture"))
    rest = [page.values[k] for k in bring["inputs"][1:]]
    for path in (first["path"].rsplit("/", 1)[0], str(stage.scene.uploads), f"{stage.scene.uploads}/{'z' * 300}"):
        await page.ask(bring, [{"path": path, **FILE}, *rest])
    buffer = io.BytesIO()
    Image.new("RGB", (40, 40)).save(buffer, "PNG")
    async with asyncio.timeout(120):
        while any(path.name == "first.png" for path in files_below(stage.scene.uploads)):
            await asyncio.sleep(0.5)
    second = await page.upload("second.png", buffer.getvalue())
    try:
        async with asyncio.timeout(60):
            while any(path.name == second["orig_name"] for path in files_below(stage.scene.uploads)):
                await asyncio.sleep(0.5)
        gone = True
    except TimeoutError:
        gone = False
    return [Outcome("a folder named as a picture", "uploads go" if gone else "uploads stay for ever", gone)]


SCENES: dict[str, Play] = {
    "out of order": out_of_order,
    "other people's work": other_peoples_work,
    "other people's files": other_peoples_files,
    "a folder among uploads": a_folder_among_uploads,
}
