"""The app as a Space runs it: who signs in, what is done in his name, and that nobody ever sees anybody's token.

The Hub is one of the tests' own, which signs people in as the real one does; the app is a process of its own, started
with the environment of a Space. What only the Hub itself can show is what its scopes allow.
"""

import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from support import browsing
from support.browsing import LONG_MS, needs_a_browser, open_page, press_publish, published, slide
from support.hub_faults import Fault
from support.openid import CLIENT, SCOPES, SECRET, SignInHub
from support.secrecy import holding, offered
from support.started import Started, free_port, started

pytestmark = [*needs_a_browser, pytest.mark.slow]  # an app takes a while to start

browser = browsing.browser  # a fixture
REPO = "friends/mended"
OWNER = "hf_other"  # the token of whoever runs the app, who is no visitor of it
PRIVATE = "stranger/secret"  # which that token may read
NOBODY = "Sign in with Hugging Face to publish."


@pytest.fixture(scope="module")
def hub(tiny_folder: Path) -> Iterator[SignInHub]:
    server = SignInHub()
    for name in (PRIVATE, f"{PRIVATE}-too", f"datasets/{PRIVATE}"):
        server.push(name, tiny_folder)
        server.repositories[name].private = True
    yield server
    server.close()


@pytest.fixture(scope="module")
def space(hub: SignInHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """The app on a Space; afterwards it has told nobody's secrets, not even to its own log."""
    port = free_port()
    names = {
        "SYSTEM": "spaces",
        "SPACE_ID": "somebody/eftclip",
        "SPACE_HOST": f"127.0.0.1:{port}",
        "OAUTH_CLIENT_ID": CLIENT,
        "OAUTH_CLIENT_SECRET": SECRET,
        "OAUTH_SCOPES": SCOPES,
        "OPENID_PROVIDER_URL": hub.url,
        "HF_ENDPOINT": hub.url,
        "HF_TOKEN": OWNER,
    }
    with started(tmp_path_factory.mktemp("space"), port, **names) as app:
        yield app
    assert "DEBUG" in app.output
    assert not holding(_secrets(hub), {"the log": app.output.encode()})


@pytest.fixture(scope="module")
def public(hub: SignInHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """The app on a machine whose owner has a token, open to everybody."""
    names = {"GRADIO_SERVER_NAME": "0.0.0.0", "HF_ENDPOINT": hub.url, "HF_TOKEN": OWNER}
    with started(tmp_path_factory.mktemp("public"), free_port(), **names) as app:
        yield app


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[[Started], Page]]:
    """Somebody comes, with a browser of his own."""
    contexts = []

    def come(app: Started) -> Page:
        context = browser.new_context(viewport={"width": 1280, "height": 860})
        contexts.append(context)
        # On a Space, Gradio's page asks huggingface.co for the header around it; nothing here goes out.
        context.route(lambda url: urlsplit(url).hostname not in ("127.0.0.1", "localhost"), lambda route: route.abort())
        page = context.new_page()
        open_page(page, app.url)
        return page

    yield come
    for context in contexts:
        context.close()


def test_who_is_not_signed_in_is_told_so_and_publishes_nothing(
    hub: SignInHub, space: Started, visit: Callable[[Started], Page]
) -> None:
    page = visit(space)
    expect(page.locator("#who")).to_contain_text(NOBODY)
    assert _publish(page) == "error"
    expect(page.locator("#publish-banner")).to_contain_text(NOBODY)
    assert REPO not in hub.repositories
    assert OWNER not in hub.seen


def test_a_visitor_signs_in_and_out_and_another_sees_nothing_of_it(
    space: Started, visit: Callable[[Started], Page]
) -> None:
    page, other = visit(space), visit(space)
    _sign_in(page)
    expect(page.locator("#who")).to_contain_text("Signed in as friends")
    expect(page.locator("#who")).to_contain_text("friends, lab")
    open_page(other, space.url)
    expect(other.locator("#who")).to_contain_text(NOBODY)
    expect(other.locator("#sign-in")).to_have_text("Sign in with Hugging Face")
    assert "friends" not in other.content()

    page.locator("#sign-in").click()
    expect(page.locator("#who")).to_contain_text(NOBODY)
    assert _publish(page) == "error"
    expect(page.locator("#publish-banner")).to_contain_text(NOBODY)


def test_a_sign_in_that_was_withdrawn_is_told_where_it_says_who_is_signed_in(
    hub: SignInHub, space: Started, visit: Callable[[Started], Page]
) -> None:
    page = visit(space)
    _sign_in(page)
    hub.withdrawn |= set(hub.issued)
    assert _publish(page) == "error"
    expect(page.locator("#publish-banner")).to_contain_text("log out and sign in again")
    expect(page.locator("#who")).to_contain_text("log out and sign in again")


def test_a_page_of_somebody_else_does_nothing_in_the_name_of_who_is_signed_in(
    space: Started, visit: Callable[[Started], Page]
) -> None:
    """The cookie of the session is sent along with what any page asks for, unless the browser keeps it back."""
    page = visit(space)
    _sign_in(page)
    cookie = next(f"session={found['value']}" for found in page.context.cookies() if found["name"] == "session")
    assert "Signed in as friends" in _answer(space.url, "who", {"Cookie": cookie, "Origin": space.url})
    for asked in ("who", "publish-banner"):
        for origin in ("https://elsewhere.example", "null", f"{space.url}.example"):
            assert NOBODY in _answer(space.url, asked, {"Cookie": cookie, "Origin": origin})


@pytest.mark.parametrize("kind", ["space", "public"])
def test_an_open_page_never_uses_the_token_of_its_owner(
    hub: SignInHub, visit: Callable[[Started], Page], kind: str, request: pytest.FixtureRequest
) -> None:
    with_it = httpx.get(f"{hub.url}/api/models/{PRIVATE}", headers={"Authorization": f"Bearer {OWNER}"})
    assert with_it.json()["private"], "or this test could not fail"
    hub.seen.clear()
    page = visit(request.getfixturevalue(kind))
    page.get_by_role("radio", name="From the Hub").first.check()
    for name, button in ((PRIVATE, "Look first"), (f"{PRIVATE}-too", "Load")):
        page.get_by_role("textbox", name="Hub id", exact=True).fill(name)
        page.get_by_role("button", name=button, exact=True).click()
        expect(page.locator("#facts")).to_contain_text(f"no model repository {name}:", timeout=LONG_MS)
    page.get_by_role("radio", name="Poisoned on purpose", exact=True).check()
    page.get_by_role("radio", name="A Hub data set", exact=True).check()
    page.get_by_role("textbox", name="Data set", exact=True).fill(PRIVATE)
    page.locator("#scan").click()
    expect(page.locator("#scan-banner [data-status=error]")).to_be_visible(timeout=LONG_MS)
    assert _publish(page) == "error"
    assert f"GET /api/models/{PRIVATE}" in " ".join(hub.requests)
    assert f"GET /api/datasets/{PRIVATE}" in " ".join(hub.requests)
    assert not hub.seen
    assert OWNER not in page.content()


def test_what_is_published_in_the_name_of_a_visitor_tells_nobody_his_token(
    hub: SignInHub, space: Started, visit: Callable[[Started], Page]
) -> None:
    page, seen = visit(space), {}
    _sign_in(page)
    page.get_by_role("button", name="Settings of the scan").click()
    slide(page, "Pictures to tune on", 16)
    slide(page, "Views", 8)
    slide(page, "With a trigger (%)", 50)
    page.get_by_role("button", name="Method and settings").click()
    slide(page, "Steps", 1)  # far too few: the trigger still works
    slide(page, "Pictures to measure on", 40)
    slide(page, "Batch", 4)
    page.locator("#scan").click()
    expect(page.locator("#scan-banner [data-status=found]")).to_be_visible(timeout=LONG_MS)
    assert _publish_signed_in(hub, page) == "inconclusive"

    for what, status, says in (
        ("GET /api/whoami-v2", 401, "log out and sign in again"),
        ("GET /api/whoami-v2", 403, "does not say whose token this is"),
        ("GET /api/whoami-v2", 500, "answered 500"),
        ("POST /api/repos/create", 401, "log out and sign in again"),
        ("POST /api/repos/create", 403, "may not write to friends"),
        ("POST /api/models/.*/commit", 500, "Nothing is left on the Hub"),
    ):
        if "whoami" not in what:
            assert _publish_signed_in(hub, page) == "inconclusive"
            page.get_by_label("Publish it all the same").check()
        hub.faults.append(Fault(what, status=status))
        assert _publish_signed_in(hub, page) == "error", what
        expect(page.locator("#publish-banner")).to_contain_text(says)
        seen[f"{what} {status}"] = page.content().encode()
        assert REPO not in hub.repositories

    assert _publish_signed_in(hub, page) == "inconclusive"
    page.get_by_label("Publish it all the same").check()
    assert _publish_signed_in(hub, page) == "mended"
    expect(page.locator("#publish-banner a")).to_have_attribute("href", f"{hub.url}/{REPO}")
    repository = hub.repositories[REPO]
    files = repository.commits[repository.refs["main"]]
    assert {"README.md", "open_clip_model.safetensors", "rectify.json"} <= set(files)

    seen |= offered(page) | {f"published {name}": body for name, body in files.items()}
    seen |= {f"another's {name}": body for name, body in offered(visit(space)).items()}
    assert {"config", "another's config", "eftclip-scan.json", "eftclip-rectify.json"} <= set(seen)
    assert set(hub.issued) & hub.seen, "a token was used"
    assert not holding(_secrets(hub), seen)


def _sign_in(page: Page) -> None:
    page.locator("#sign-in").click()
    expect(page.locator("#sign-in")).to_have_text("Logout (friends)", timeout=LONG_MS)
    expect(page.locator("#who")).to_contain_text("Signed in as friends")


def _publish(page: Page) -> str:
    """Press the button; how it ended."""
    press_publish(page, REPO)
    return published(page)


def _publish_signed_in(hub: SignInHub, page: Page) -> str:
    """The same with a token.

    The Hub is asked who this is before the work, and again at its end for the line beside the button. That second
    question is waited for, or it would meet the fault that is meant for the next attempt.
    """
    asked = _asked_who(hub)
    ended = _publish(page)
    before = time.monotonic() + LONG_MS / 1000
    while _asked_who(hub) < asked + 2 and time.monotonic() < before:
        page.wait_for_timeout(50)  # ms
    assert _asked_who(hub) >= asked + 2
    return ended


def _asked_who(hub: SignInHub) -> int:
    return sum("GET /api/whoami-v2" in line for line in hub.requests)


def _answer(url: str, asked: str, headers: dict[str, str]) -> str:
    """What the listener that fills a part of the page answers first, with all else as on the untouched page."""
    config = httpx.get(f"{url}/config").json()
    parts = {part["id"]: part["props"] for part in config["components"]}
    named = {props.get("elem_id"): part for part, props in parts.items()}
    listener = next(one for one in config["dependencies"] if named[asked] in one["outputs"] and one["queue"])
    values = [REPO if parts[k].get("label") == "Repository" else parts[k].get("value") for k in listener["inputs"]]
    session = secrets.token_hex(8)
    body = {"fn_index": listener["id"], "data": values, "session_hash": session}
    with httpx.Client(base_url=url, headers=headers, timeout=60) as client:
        client.post("/gradio_api/queue/join", json=body).raise_for_status()
        with client.stream("GET", "/gradio_api/queue/data", params={"session_hash": session}) as lines:
            return next(line for line in lines.iter_lines() if "process_generating" in line or "_completed" in line)


def _secrets(hub: SignInHub) -> list[str]:
    return [*hub.issued, SECRET, OWNER]
