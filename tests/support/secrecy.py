"""Everything that a page shows and offers to anybody, and what of it holds a secret."""

import io
import re
import zipfile
from collections.abc import Iterable

from playwright.sync_api import Page


def offered(page: Page) -> dict[str, bytes]:
    """All that a page holds and offers, by name: itself, what it stores, the app's descriptions, files to download."""
    found = {"the page": page.content().encode()}
    found["its storage"] = str(page.evaluate("JSON.stringify([localStorage, sessionStorage])")).encode()
    for name in ("config", "gradio_api/info"):
        found[name] = page.request.get(f"{page.url.rstrip('/')}/{name}", fail_on_status_code=True).body()
    for button in page.get_by_role("button", name=re.compile("^Download th")).all():
        with page.expect_download() as waiting:
            button.click()
        found[waiting.value.suggested_filename] = waiting.value.path().read_bytes()
    return found


def holding(secrets: Iterable[str], texts: dict[str, bytes]) -> list[str]:
    """The names of those texts that hold one of the secrets; archives are looked into."""
    words, found = [secret.encode() for secret in secrets], []
    for name, body in texts.items():
        parts = [body]
        if body.startswith(b"PK"):
            with zipfile.ZipFile(io.BytesIO(body)) as archive:
                parts += [archive.read(member) for member in archive.namelist()]
        found += [name for part in parts if any(word in part for word in words)]
    return found
