"""In front of the page: large bodies, a full disk, other sites' pages; behind it: what visitors leave behind."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from eftclip.ui.serving import request_guard
from eftclip.ui.serving.cleanup import Cleanup
from eftclip.ui.serving.request_guard import RequestGuard

pytestmark = pytest.mark.quick

JOIN, UPLOAD = "/gradio_api/queue/join", "/gradio_api/upload"


async def _length(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


def _client(
    uploads: Path, *, private: bool = False, most_room: int = 1_000_000, trusted: frozenset[str] = frozenset()
) -> TestClient:
    app = Starlette(routes=[Route("/{path:path}", _length, methods=["GET", "POST"])])
    return TestClient(RequestGuard(app, uploads, private, most_room, trusted), base_url="http://127.0.0.1:7860")


def test_what_the_page_sends_comes_through(tmp_path: Path) -> None:
    client = _client(tmp_path)
    assert client.post(JOIN, content=b"x" * 600_000).text == "600000"
    assert client.get(JOIN).status_code == 200
    assert client.post(UPLOAD, content=b"x" * 900_000).text == "900000"


@pytest.mark.parametrize("path", [JOIN, "/gradio_api/run/predict", "/gradio_api/mcp/"])
def test_a_body_that_no_page_would_send_is_refused_before_it_is_read(tmp_path: Path, path: str) -> None:
    headers = {"Content-Length": str(40_000_000)}
    answer = _client(tmp_path).post(path, content=b"", headers=headers)
    assert answer.status_code == 413
    assert "larger than the" in answer.json()["detail"]


@pytest.mark.parametrize("length", ["-1", "many", "1e9"])
def test_a_length_that_is_none_is_refused(tmp_path: Path, length: str) -> None:
    assert _client(tmp_path).post(JOIN, content=b"", headers={"Content-Length": length}).status_code == 413


def test_a_body_that_does_not_say_how_long_it_is_ends_at_the_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_guard, "MOST_BODY", 1000)
    read = []

    def endless() -> Iterator[bytes]:
        for _ in range(100):
            read.append(1)
            yield b"x" * 100

    with pytest.raises(Exception):  # noqa: B017 the server takes it for a client that went away
        _client(tmp_path).post(JOIN, content=endless())
    assert _client(tmp_path).post(JOIN, content=iter([b"x" * 100])).text == "100"


def test_when_uploads_fill_the_room_the_next_one_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "old.png").write_bytes(b"x" * 900_000)
    client = _client(tmp_path)
    answer = client.post(UPLOAD, content=b"x" * 200_000)
    assert answer.status_code == 507
    assert answer.json()["detail"] == request_guard.CROWDED
    assert client.post(JOIN, content=b"x" * 200_000).status_code == 200, "who uploads nothing is not held up"


@pytest.mark.parametrize(
    ("origin", "private", "status"),
    [
        ("https://evil.example", True, 403),
        ("null", True, 403),
        ("http://127.0.0.1:7860", True, 200),
        ("http://localhost:7860", True, 200),
        ("", True, 200),
        ("https://somebody.hf.space", False, 200),
    ],
)
def test_another_sites_page_cannot_use_a_page_at_home(tmp_path: Path, origin: str, private: bool, status: int) -> None:
    headers = {"Origin": origin} if origin else {}
    assert _client(tmp_path, private=private).post(JOIN, content=b"{}", headers=headers).status_code == status


@pytest.mark.parametrize(
    ("origin", "host", "status"),
    [
        ("https://notebook.example", "127.0.0.1:7860", 200),
        ("https://notebook.example:8443", "notebook.example", 200),
        ("https://NOTEBOOK.example", "127.0.0.1:7860", 200),
        ("https://evil.example", "127.0.0.1:7860", 403),
        ("https://notebook.example.evil.example", "127.0.0.1:7860", 403),
        ("https://sub.notebook.example", "127.0.0.1:7860", 403),
        ("https://evil.example/notebook.example", "127.0.0.1:7860", 403),
        ("https://notebook.example@evil.example", "127.0.0.1:7860", 403),
        ("null", "notebook.example", 403),
        ("https://[", "127.0.0.1:7860", 403),
        ("http://127.0.0.2:7860", "127.0.0.2:7860", 200),
        ("http://[::1]:7860", "[::1]:7860", 200),
        ("http://127.0.0.1.evil.example", "127.0.0.1:7860", 403),
    ],
)
def test_only_hosts_that_are_named_are_trusted(tmp_path: Path, origin: str, host: str, status: int) -> None:
    client = _client(tmp_path, private=True, trusted=frozenset({"notebook.example"}))
    assert client.post(JOIN, content=b"{}", headers={"Origin": origin, "Host": host}).status_code == status


def test_a_site_that_leads_its_own_name_to_this_machine_is_another_site(tmp_path: Path) -> None:
    headers = {"Origin": "http://evil.example:7860", "Host": "evil.example:7860"}
    assert _client(tmp_path, private=True).post(JOIN, content=b"{}", headers=headers).status_code == 403


def test_the_refusal_names_the_setting_and_the_log_has_it_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client = _client(tmp_path, private=True)
    for _ in range(3):
        said = client.post(JOIN, content=b"{}", headers={"Origin": "https://notebook.example"}).json()["detail"]
    assert "This page belongs to whoever sits at this machine" in said
    assert "start EftCLIP with EFTCLIP_TRUSTED_HOSTS=notebook.example." in said
    assert [record.getMessage() for record in caplog.records] == [said]


def test_whoever_is_refused_chooses_neither_what_is_logged_nor_how_much(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client = _client(tmp_path, private=True)
    for origin in ("https://a b\x1b[2J", "https://x_y.example", "null", f"https://{'a' * 300}.example"):
        said = client.post(JOIN, content=b"{}", headers={"Origin": origin}).json()["detail"]
        assert said == request_guard.ANOTHER_SITE
    assert not caplog.records
    for number in range(100):
        client.post(JOIN, content=b"{}", headers={"Origin": f"https://{number}.example"})
    assert len(caplog.records) == request_guard.MOST_LOGGED


@pytest.mark.parametrize(("origin", "status"), [("https://evil.example", 403), ("http://127.0.0.1:7860", 200)])
def test_the_page_may_ask_whether_it_would_be_refused(tmp_path: Path, origin: str, status: int) -> None:
    client = _client(tmp_path, private=True)
    assert client.post("/eftclip-may-i", headers={"Origin": origin}).status_code == status


def test_the_running_app_has_its_guard(served: str) -> None:
    body = json.dumps({"data": ["x" * 5_000_000], "fn_index": 0, "session_hash": "guard"})
    answer = httpx2.post(f"{served}{JOIN}", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413


# --- The clean-up ------------------------------------------------------------------------------------------------


def test_old_files_go_with_their_folders_and_nothing_else_does(tmp_path: Path) -> None:
    spared, mine = tmp_path / "page.png", tmp_path / "visits"
    for path in (tmp_path / "a1" / "old.png", tmp_path / "b2" / "c3" / "old.png", spared, mine / "ann" / "x.zip"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    (tmp_path / "outside.txt").symlink_to(Path(__file__))
    done: list[str] = []

    def breaks() -> None:
        done.append("broke")
        raise OSError("no such disk")

    more = [breaks, lambda: done.append("went on")]
    now = time.time()
    Cleanup(tmp_path, kept_s=60, spared=lambda: [spared, mine], more=more, clock=lambda: now).clean()
    assert (tmp_path / "a1" / "old.png").is_file(), "nothing is old yet"
    Cleanup(tmp_path, kept_s=60, spared=lambda: [spared, mine], more=more, clock=lambda: now + 100).clean()
    assert sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*")) == [
        "page.png",
        "visits",
        "visits/ann",
        "visits/ann/x.zip",
    ]
    assert Path(__file__).is_file(), "a link goes, what it leads to stays"
    assert done == ["broke", "went on"] * 2
