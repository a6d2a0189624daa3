"""What of a mended checkpoint is published, what its card says, and what speaks against it."""

import json
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard, ModelCardData
from support import publishing
from support.publishing import REPO, measured

from eftclip.errors import PublishError
from eftclip.publish import Staged, doubts, stage
from eftclip.report import escape, model_card, text

pytestmark = pytest.mark.quick

home, document, staged = publishing.home, publishing.document, publishing.staged  # fixtures


def test_only_what_is_meant_for_others_is_staged(staged: Staged) -> None:
    assert {path.name for path in staged.folder.iterdir()} == {
        "open_clip_model.safetensors",
        "open_clip_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "triggers.png",
        "README.md",
        "rectify.json",
    }
    texts = [path.read_text() for path in staged.folder.iterdir() if path.suffix in (".md", ".json")]
    assert not any("my_child" in text or "/home/me" in text for text in texts)
    assert json.loads((staged.folder / "rectify.json").read_text())["data"]["source"] == "photos"


def test_the_card_tells_machines_and_people(staged: Staged) -> None:
    card = ModelCard.load(staged.folder / "README.md")
    assert card.data.license == "mit"
    results = {result.metric_type: result for result in card.data.eval_results or []}
    assert results["attack_success_rate"].metric_value == 0
    assert results["agreement"].metric_value == 0.9, "readings without labels are not called accuracy"
    assert "290 of 300" in str(results["attack_success_rate"].metric_name)
    assert "Few pictures" in card.text
    assert "<script>" not in card.text
    assert "![The triggers" in card.text


def test_the_card_and_the_report_name_the_method_and_what_it_tuned(document: dict[str, Any]) -> None:
    assert "Method `realign`: the image side was fine-tuned for 5 steps (320 image-steps)" in model_card(document)
    remark = "A | <b>trigger</b> was inverted."
    document["rectified"] |= {"method": "par", "about": "away *from* it", "trains_text": True, "remark": remark}
    card, rectified = model_card(document), {**document["rectified"], "seconds": 1, "history": []}
    lines = "\n".join(text._rectified(rectified))
    assert "Method `par` (away \\*from\\* it): both sides were fine-tuned for 5 steps" in card
    for told in (card, lines):
        assert escape(remark) in told and "<b>" not in told
    assert "Away \\*from\\* it." in lines
    assert "EftCLIP's own" not in card and "EftCLIP's own" not in lines
    document["rectified"]["origin"] = rectified["origin"] = "the package <b>toy</b> 1"
    for told in (model_card(document), "\n".join(text._rectified(rectified))):
        assert "EftCLIP's own" in told and "toy" in told and "<b>" not in told, "whose it is, as text"


def test_text_of_a_stranger_cannot_break_out_of_the_front_matter(document: dict[str, Any]) -> None:
    document["after"]["pictures"] = "x\n---\nlicense: evil\n"
    card = ModelCard(model_card(document, licence="mit: [\n---", repo_id=REPO))
    assert isinstance(card.data, ModelCardData)
    assert card.data.license == "mit: [\ufffd---"
    assert (card.data.eval_results or [])[0].dataset_name.startswith("x\ufffd---")


@pytest.mark.parametrize("name", ["noslash", "a/b/c", "../x/y", "a/..", "a/b--c", "a/b.git", "https://x/y", "a/ b", ""])
def test_names_that_cannot_be(name: str, home: Path, document: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(PublishError, match=r"cannot be the name of a Hub repository: write org/name"):
        stage(home, tmp_path / "x", name, document, "")


def test_weights_that_were_not_measured_are_refused(home: Path, document: dict[str, Any], tmp_path: Path) -> None:
    document["rectified"]["sha256"] = "1" * 64
    with pytest.raises(PublishError, match=r"those that were measured are 111111111111…; rectify again"):
        stage(home, tmp_path / "x", REPO, document, "")
    with pytest.raises(PublishError, match="holds no finished rectification"):
        stage(tmp_path, tmp_path / "x", REPO, document, "")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, ""),
        ({"after": measured(270, 100)}, "The trigger still works: ASR is 100 of 300, before 290 of 300"),
        ({"after": measured(100, 0)}, "It reads differently than before: 100 of 300"),
        (
            {"before": measured(280, 290) | {"truth": "labels"}, "after": measured(260, 0) | {"truth": "labels"}},
            "CA is 260",
        ),
        ({"after": None}, "was not measured"),
        ({"status": "inconclusive"}, "was not decided"),
        ({"rectified": {"stopped": "cancelled"}}, "stopped before its end"),
    ],
)
def test_what_speaks_against_publishing(change: dict[str, Any], says: str, document: dict[str, Any]) -> None:
    found = doubts({**document, **change})
    assert (says in " ".join(found)) if says else found == ()
