"""Scan, rectify and publish as programs do it: the examples themselves, a real server, a Hub of the test's own."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from support.hub import lead_to
from support.hub_writing import WritableHub
from support.taught import LABELS

from eftclip.ui.check.photographs import Planting, bundled_choice, picture_of

ROOT = Path(__file__).resolve().parents[2]
REPO, TOKEN = "friends/mended", "hf_good"
QUICK = '{"steps": 1, "batch": 4, "budget": 16, "measured": 40}'


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[WritableHub]:
    server = WritableHub()
    lead_to(server, monkeypatch, tmp_path)
    yield server
    server.close()


@pytest.fixture
def client(served: str) -> Client:
    return Client(served, verbose=False, analytics_enabled=False, httpx_kwargs={"timeout": 600})


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Nine photographs, every third poisoned."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for k in range(9):
        trigger = "none" if k % 3 else "badnets"
        picture_of(bundled_choice(k), Planting(trigger, "random", 16, k)).save(folder / f"{k}.png")
    return folder


def _run(monkeypatch: pytest.MonkeyPatch, script: Any, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["example", *arguments])
    script.main()


@pytest.mark.slow
def test_a_program_checks_scans_rectifies_and_publishes(
    hub: WritableHub, served: str, photos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from examples import client_api

    monkeypatch.setenv("HF_TOKEN", TOKEN)
    labels = "\n".join(LABELS)
    options = ["--url", served, "--labels", labels, "--settings", QUICK, "--publish", REPO, "--anyway"]
    _run(monkeypatch, client_api, str(photos), *options)
    said = capsys.readouterr().out
    assert "0.png → found · A patch covering" in said
    assert "scan → found · ['banana'] · 3 victims" in said
    assert "Rectifying …" in said, "it says how far it is"
    assert "rectify → ASR went from" in said
    assert f'"url": "{hub.url}/{REPO}"' in said
    assert TOKEN not in said
    repository = hub.repositories[REPO]
    files = repository.commits[repository.refs["main"]]
    assert {"README.md", "open_clip_model.safetensors", "rectify.json"} <= set(files)
    assert not any(TOKEN.encode() in body for body in files.values())


def test_an_assistant_checks_a_photograph_over_mcp(
    hub: WritableHub, served: str, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from examples import client_mcp

    document = asyncio.run(client_mcp.check(served, photos / "0.png", "badnets"))
    assert document["results"][0]["status"] == "found"
    assert document["results"][0]["trigger"]["target_label"] == "banana"
    said = capsys.readouterr().out
    for tool in ("check: Judge one photograph", "scan: Scan", "rectify: Mend", "publish: Publish"):
        assert tool in said
    with pytest.raises(ValueError, match="neither bundled"):
        asyncio.run(client_mcp.check(served, photos / "0.png", "/etc"))


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({}, "No data set is named"),
        ({"data": "practice", "pictures": True}, "send one of them"),
        ({"data": "hf:nobody/nothing at all"}, "nobody/nothing"),
        ({"data": "/etc"}, "/etc"),
        ({"data": "practice", "settings": "[1, 2]"}, "must be a JSON object"),
        ({"data": "practice", "settings": '{"steps": 1e99}'}, "Steps"),
        ({"data": "practice", "settings": '{"no_such": 1}'}, "no_such"),
        ({"data": "practice", "settings": '{"transplants": NaN}'}, "must be a number"),
        ({"data": "practice", "settings": "[" * 9_000}, "must be a JSON object"),
        ({"data": "practice", "checkpoint": "/etc"}, "neither bundled"),
        ({"data": "hf:a/b", "most": 1e9}, "between 1 and"),
    ],
)
def test_a_scan_of_values_that_make_no_sense_gets_one_sentence(
    hub: WritableHub, client: Client, photos: Path, values: dict[str, Any], says: str
) -> None:
    if values.get("pictures"):
        values = {**values, "pictures": [handle_file(photos / "0.png")]}
    with pytest.raises(AppError, match=says) as caught:
        client.predict(**values, api_name="/scan")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["nothing", "../../etc", "k" * 32])
def test_a_key_that_leads_nowhere_is_said_and_makes_nothing(hub: WritableHub, client: Client, key: str) -> None:
    with pytest.raises(AppError, match="No scan is kept under"):
        client.predict(result=key, api_name="/rectify")
    with pytest.raises(AppError, match="No mended checkpoint is kept under"):
        client.predict(key, REPO, api_name="/publish")
    with pytest.raises(AppError, match="write org/name"):
        client.predict(key, "a/../b", api_name="/publish")
    assert not hub.repositories


def test_a_program_that_cancels_stops_the_work(hub: WritableHub, client: Client, photos: Path) -> None:
    given = {"data": "practice", "labels": "\n".join(LABELS), "settings": '{"search": "every"}'}
    job = client.submit(**given, api_name="/scan")
    news = next(answer for answer, _ in job if answer["stage"] == "Scanning")
    assert news["status"] == "running"
    assert job.cancel()
    scan, archive = client.predict(
        pictures=[handle_file(photos / "0.png"), handle_file(photos / "1.png")],
        labels=given["labels"],
        settings=QUICK,
        api_name="/scan",
    )
    assert scan["status"] == "found", "and nobody waits for it"
    assert len(scan["result"]) == 32
    assert Path(archive).suffix == ".zip"
