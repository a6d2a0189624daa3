"""Attacks by single requests: odd bodies, odd addresses, odd files, and more of them than anybody needs."""

import asyncio
import json
from contextlib import suppress

import httpx2

from examples.attack.stage import Outcome, Play, Stage
from examples.attack.values import FILE, LIMIT_S, LONG_TEXT, MARKUP
from examples.attack.visitor import API

TINY_UPLOADS, MADE_UP_PAGES, MOST_REMEMBERED = 2_000, 1_000, 500
TOO_LARGE = 21_000_000  # bytes; the page takes pictures of 20 MB
LARGE_BODY = 30_000_000  # bytes; what a page sends is some thousands
MOMENT_S = 3.0


async def odd_bodies(stage: Stage) -> list[Outcome]:
    """Bodies that are no request of a page."""
    begin = stage.layout.on("click", stage.layout.named("check"))[0]["id"]
    usual = {"data": [], "fn_index": begin, "session_hash": "odd"}
    bodies: dict[str, str | bytes] = {
        "no body": "",
        "no JSON": "hello",
        "half a JSON": '{"data": [',
        "bytes": bytes(range(256)),
        "a number": "1",
        "a list": "[]",
        "no data": json.dumps({"fn_index": begin}),
        "data that is no list": json.dumps({**usual, "data": {"0": 1}}),
        "unknown listener": json.dumps({**usual, "fn_index": 10_000}),
        "negative listener": json.dumps({**usual, "fn_index": -1}),
        "listener as text": json.dumps({**usual, "fn_index": MARKUP}),
        "no listener": json.dumps({"data": [], "session_hash": "odd"}),
        "session as object": json.dumps({**usual, "session_hash": {"a": 1}}),
        "session upwards": json.dumps({**usual, "session_hash": "../../../etc"}),
        "session of nothing": json.dumps({**usual, "session_hash": ""}),
        "no session": json.dumps({"data": [], "fn_index": begin}),
        "session of a megabyte": json.dumps({**usual, "session_hash": "s" * LONG_TEXT}),
        "brackets": "[" * 100_000,
        "event of a stranger": json.dumps({**usual, "event_id": "0" * 32, "trigger_id": 10_000}),
    }
    said = []
    for name, body in bodies.items():
        for path in ("queue/join", "run/predict"):
            async with asyncio.timeout(LIMIT_S):
                answer = await stage.visitor().post(path, body)
            said.append(Outcome(f"{name} to {path}", f"HTTP {answer.status_code}", stage.harmless(answer.text)))
    return said


async def odd_events(stage: Stage) -> list[Outcome]:
    """What a click on a gallery tells may be anything."""
    gallery = stage.layout.named("photos")
    [listener] = stage.layout.on("select", gallery)
    page, said = stage.visitor(), []
    inputs = [page.values[k] for k in listener["inputs"]]
    for index in (None, "x", -1, 10**9, 1.5, True, [0, 1], {"a": 1}, MARKUP):
        event = {"index": index, "value": MARKUP}
        said.append(stage.ended(f"select {index!r}", await page.ask(listener, inputs, event_data=event)))
    said.append(stage.ended("select without an index", await page.ask(listener, inputs, event_data="no object")))
    return said


async def odd_counts(stage: Stage) -> list[Outcome]:
    """Too few values and too many."""
    said = []
    for name in ("check", "scan", "rectify", "publish"):
        page, (_, work) = stage.visitor(), stage.steps(name)
        for label, data in (("no values", []), ("one value", [None]), ("too many", [None] * 200)):
            async with asyncio.timeout(LIMIT_S):
                said.append(stage.ended(f"{name}: {label}", await page.ask(work, data)))
    return said


async def addresses(stage: Stage) -> list[Outcome]:
    """Addresses that lead out of the upload folder, or to parts of Gradio that nobody switched on."""
    secret, uploads = stage.scene.hidden / "secret.txt", stage.scene.uploads
    outside = [
        f"{API}/file={secret}",
        f"{API}/file={uploads}/../{stage.scene.hidden.name}/secret.txt",
        f"{API}/file={uploads}/%2e%2e/{stage.scene.hidden.name}/secret.txt",
        f"{API}/file={uploads}/..%2f{stage.scene.hidden.name}%2fsecret.txt",
        f"{API}/file=file://{secret}",
        f"{API}/file={uploads}",
        f"{API}/file={uploads}/",
        f"{API}/file=/etc/passwd",
        f"{API}/file=/proc/self/environ",
        f"{API}/file=app.py",
        f"{API}/file=eftclip/ui/page.py",
        f"{API}/file={stage.scene.canary.url}",
        f"{API}/proxy={stage.scene.canary.url}",
        f"{API}/file/{secret}",
        "/assets/../../../../../../etc/passwd",
        "/assets/%2e%2e/%2e%2e/%2e%2e/routes.py",
        "/static/..%2f..%2fapp.py",
        "/svelte/..%2f..%2froutes.py",
        f"{API}/custom_component/x/client/component/..%2f..%2froutes.py",
        "/monitoring",
        "/monitoring/summary",
        f"{API}/dev/reload",
        f"{API}/vibe-code",
        f"{API}/run-history/buckets",
        f"{API}/stream/{'x' * 10}/1/2/playlist.m3u8",
        f"{API}/call/check/{'0' * 32}",
        f"{API}/upload_progress?upload_id=x",
        f"{API}/deep_link?session_hash=x",
        "/config?deep_link=../../etc/passwd",
        "/?deep_link=..%2f..%2fetc%2fpasswd",
    ]
    said = []
    for address in outside:
        status, body = await fetched(stage.http, address)
        shown = address.replace(str(stage.scene.uploads), "UPLOADS").replace(str(stage.scene.hidden), "HIDDEN")
        shown = shown.replace(stage.scene.canary.url, "CANARY").replace(stage.scene.hidden.name, "HIDDEN")
        said.append(Outcome(f"GET {shown}", f"HTTP {status}", stage.harmless(body)))
    said.append(
        Outcome("a server beside it was asked", f"{len(stage.scene.canary.asked)} times", not stage.scene.canary.asked)
    )
    return said


async def fetched(http: httpx2.AsyncClient, address: str) -> tuple[int, str]:
    """Status and body, as far as it comes in a moment: some of Gradio's addresses are streams without end."""
    body = b""
    async with http.stream("GET", address, timeout=LIMIT_S) as answer:
        with suppress(httpx2.RemoteProtocolError, TimeoutError):  # one that the server broke off, and one without end
            async with asyncio.timeout(MOMENT_S):
                async for part in answer.aiter_bytes():
                    body += part
        return answer.status_code, body.decode(errors="replace")


async def uploads(stage: Stage) -> list[Outcome]:
    """Too large, too many, and names that are no names."""
    said = []
    answer = await stage.http.post(f"{API}/upload", files=[("files", ("large.png", b"x" * TOO_LARGE))])
    picture = {"path": answer.json()[0], **FILE}
    asked = json.dumps({"data": [picture, "badnets", "", "auto", 0, ""]})
    event = (await stage.visitor().post("call/check", asked)).json()["event_id"]
    _, text = await fetched(stage.http, f"{API}/call/check/{event}")
    said.append(Outcome("a picture of 21 MB", text.partition("\n")[0], "event: error" in text and stage.harmless(text)))
    before = stage.served.sample().files
    for first in range(0, TINY_UPLOADS, 500):
        many = [("files", (f"{k}.png", f"{k}".encode())) for k in range(first, first + 500)]
        (await stage.http.post(f"{API}/upload", files=many)).raise_for_status()
    kept = stage.served.sample().files - before
    said.append(Outcome(f"{TINY_UPLOADS} tiny files", f"{kept} kept", stage.served.alive))
    answer = await stage.http.post(f"{API}/upload", files=[("files", (f"{k}", b"1")) for k in range(1001)])
    said.append(Outcome("1001 files at once", f"HTTP {answer.status_code}", answer.status_code == 400))
    for name in (
        "../../up.png",
        "/etc/up.png",
        "..",
        ".",
        "",
        "a\x00b.png",
        f"{MARKUP}.png",
        "n" * 300 + ".png",
        "\u202egnp.exe",
    ):
        answer = await stage.http.post(f"{API}/upload", files=[("files", (name, b"name"))])
        path = answer.json()[0] if answer.status_code == 200 else ""
        inside = not path or (path.startswith(str(stage.scene.uploads)) and "/.." not in path)
        said.append(
            Outcome(f"named {name[:40]!r}", f"HTTP {answer.status_code}", inside and stage.harmless(answer.text))
        )
    return said


async def named_end_points(stage: Stage) -> list[Outcome]:
    """What programs may call, and what they may not: listeners of the page by their names."""
    said = []
    picture = {"path": str(stage.scene.hidden / "secret.png"), **FILE}
    for name, data in (
        ("check", [picture, "badnets", "", "auto", 0]),
        ("check", [{"url": stage.scene.canary.url, "path": stage.scene.canary.url, **FILE}, "badnets", "", "auto", 0]),
        ("check", ["x", {}, [], None, "seed"]),
        ("check", []),
        ("judge", [None] * 18),
        ("leave", []),
        ("no_such_name", []),
        ("../check", []),
    ):
        for version in ("call", "call/v2"):
            body = {"data": data} if version == "call" else {"picture": data[0] if data else None, "seed": -1}
            answer = await stage.visitor().post(f"{version}/{name}", json.dumps(body))
            came, text = f"HTTP {answer.status_code}", answer.text
            if answer.status_code == 200:
                _, text = await fetched(stage.http, f"{API}/call/{name}/{answer.json()['event_id']}")
                came = text.partition("\n")[0]
            said.append(Outcome(f"{version}/{name} {str(data)[:30]}", came, stage.harmless(text)))
    return said


async def limits(stage: Stage) -> list[Outcome]:
    """What is too large, too much or past the line is refused, and what nobody asks for any more is forgotten."""
    begin, work = stage.steps("check")
    page, said = stage.visitor(), []
    large = json.dumps({"data": ["x" * LARGE_BODY], "fn_index": begin["id"], "session_hash": page.session})
    for path in ("queue/join", "run/predict"):
        answer = await page.post(path, large)
        said.append(Outcome(f"30 MB to {path}", f"HTTP {answer.status_code}", answer.status_code == 413))
    usual = {"data": [page.values[k] for k in work["inputs"]], "fn_index": work["id"], "session_hash": page.session}
    answer = await page.post("run/predict", json.dumps(usual))
    said.append(Outcome("a check past the queue", f"HTTP {answer.status_code}", 400 <= answer.status_code < 500))
    for _ in range(0, MADE_UP_PAGES, 20):
        await asyncio.gather(*(stage.visitor().ask(begin, []) for _ in range(20)))
    left = stage.served.census()
    said.append(
        Outcome(f"{MADE_UP_PAGES} made-up pages", f"{left['sessions']} kept", left["sessions"] <= MOST_REMEMBERED)
    )
    return said


SCENES: dict[str, Play] = {
    "odd bodies": odd_bodies,
    "odd events": odd_events,
    "odd counts": odd_counts,
    "named end points": named_end_points,
    "addresses": addresses,
    "uploads": uploads,
    "limits": limits,
}
