"""Links and paths in the README, the guides and the page of results lead somewhere."""

import os
import re
from pathlib import Path

import pytest
from support.documents import FENCE, GUIDES, README, RESULTS_PAGE, ROOT

pytestmark = pytest.mark.quick

DOCUMENTS = (README, *GUIDES, RESULTS_PAGE)
MENTIONED = re.compile(r"(?<![\w/.-])(?:examples|tests|eftclip|\.ci)/[\w./-]*[\w/]")


def _links(document: Path) -> set[str]:
    """Targets of links and pictures that lie in the repository."""
    text = document.read_text(encoding="utf-8")
    linked = re.findall(r"\]\(([^)\s]+)[^)]*\)", text) + re.findall(r"(?:src|href)=[\"']([^\"']+)", text)
    return {target for target in linked if not re.match(r"[a-z]+:", target)}


def _anchors(document: Path) -> set[str]:
    """Headings as GitHub names them."""
    text = FENCE.sub("", document.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: os.path.relpath(path, ROOT))
def test_every_link_leads_somewhere(document: Path) -> None:
    broken = []
    for link in _links(document):
        target, _, anchor = link.partition("#")
        place = (document.parent / target).resolve() if target else document
        if not place.exists() or not place.is_relative_to(ROOT) or (anchor and anchor not in _anchors(place)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: os.path.relpath(path, ROOT))
def test_every_path_mentioned_exists(document: Path) -> None:
    mentioned = set(MENTIONED.findall(document.read_text(encoding="utf-8")))
    assert sorted(path for path in mentioned if not (ROOT / path).exists()) == []


def test_there_are_links_to_follow() -> None:
    assert all(_links(document) for document in (README, RESULTS_PAGE))
    index = next(guide for guide in GUIDES if guide.name == "README.md")
    assert {guide.name for guide in GUIDES} - {"README.md"} <= _links(index), "the index names every guide"
