import json
from dataclasses import replace

import pytest
import torch
from support.verdicts import (
    MASK_BOX,
    PREPROCESS,
    REF,
    check_record,
    found,
    noise_picture,
    not_found,
    trigger,
    undecided,
    unread,
)

from eftclip.report import check_document, counts_sentence, escape, kinds_line, markdown, picture_box
from eftclip.types import KINDS, NamedPart, Prediction, Rate
from eftclip.untrusted_text import plain
from eftclip.zeroshot import parse_labels

pytestmark = pytest.mark.quick

RESULT_KEYS = {
    *("image", "status", "prediction", "trigger", "purified", "reason"),  # promised to users
    *("predictions", "purified_predictions", "difference", "coverage", "image_forwards", "kinds"),
    *("algorithm", "named"),
}


def test_every_field_of_a_found_trigger() -> None:
    checked = found(width=200, height=100, control=Rate(0, 24))  # the square is the middle 100 × 100, at 0.64
    document = check_document(check_record(checked, reference="f" * 64), {0: "masks/0000_cat.png"})

    assert (document["schema_version"], document["kind"], document["seed"]) == (1, "check", 5)
    assert document["checkpoint"] == {
        "source": "hf:org/name@main",
        "repo_id": "org/name",
        "revision": "a" * 40,
        "file": "open_clip_model.safetensors",
        "sha256": REF.sha256,
        "format": "safetensors",
        "layout": "open_clip",
        "architecture": None,
        "remark": "",
    }
    assert document["config"]["top_labels"] == 7
    assert document["labels"] == {"count": 1000, "source": "imagenet"}
    assert document["oracle"] == "superpixel"
    assert document["reference"] == {"sha256": "f" * 64}
    assert document["sanity"]["ok"] is True
    assert document["sanity"]["clean"]["hits"] == 12
    assert document["versions"] == {"torch": "2.8"}
    assert document["counts"] == {"found": 1, "not_found": 0, "inconclusive": 0, "error": 0}

    [result] = document["results"]
    assert set(result) == RESULT_KEYS
    assert (result["image"], result["status"]) == ("photos/cat.jpg", "found")
    assert result["prediction"] == {"label": "banana", "probability": 0.98}
    assert result["purified"] == {"label": "tabby", "probability": 0.8}
    assert result["reason"] == "A patch makes the model read banana."
    assert result["coverage"] == {"examined": 30, "regions": 120}
    assert result["image_forwards"] == 44
    assert [p["label"] for p in result["predictions"]] == ["banana", "tabby"]
    assert [p["label"] for p in result["purified_predictions"]] == ["tabby", "lynx"]
    assert result["difference"][0] == {"label": "banana", "probability": 0.98, "support": 0.1, "explained": False}

    patch = result["trigger"]
    assert set(patch) == {
        *("target_label", "trigger_kind", "box_xyxy", "mask_png", "area_fraction", "transplant", "control")
    }
    assert patch["target_label"] == "banana"
    assert patch["mask_png"] == "masks/0000_cat.png"
    assert patch["area_fraction"] == 256 / 64**2  # of the square that the model sees
    assert (patch["transplant"]["hits"], patch["transplant"]["total"]) == (23, 24)
    assert patch["transplant"]["low"] == pytest.approx(0.7976, abs=1e-4)
    assert (patch["control"]["hits"], patch["control"]["total"]) == (0, 24)
    expected = [50 + 8 / 0.64, 16 / 0.64, 50 + 24 / 0.64, 32 / 0.64]
    assert patch["box_xyxy"] == pytest.approx(expected, abs=1)


def test_what_the_papers_rule_names_is_told_proven_or_not() -> None:
    part = NamedPart("banana", trigger().mask, MASK_BOX, 0.91, ("lemon",), Rate(3, 24))
    seen = replace(undecided(), geometry=found().geometry)
    open_one = replace(seen, detection=replace(seen.detection, algorithm="paper", named=part))
    record = check_record(open_one)
    document = check_document(replace(record, config={**record.config, "algorithm": "paper"}), {})
    [result] = document["results"]
    assert result["algorithm"] == "paper"
    named = result["named"]
    assert (named["label"], named["confidence"], named["others"]) == ("banana", 0.91, ["lemon"])
    assert (named["transplant"]["hits"], named["transplant"]["total"]) == (3, 24)
    assert len(named["box_xyxy"]) == 4
    text = markdown(document)
    assert "the paper's Algorithm 1 as published" in text
    assert "**Named, not proven:** banana" in text
    assert "3 of 24" in text
    assert "EftCLIP's own" in markdown(check_document(check_record(not_found()), {}))


def test_absent_parts_are_null() -> None:
    document = check_document(check_record(not_found(), unread(), undecided()), {})
    assert document["reference"] is None
    assert [r["trigger"] for r in document["results"]] == [None] * 3
    assert [r["purified"] for r in document["results"]] == [None] * 3
    assert [r["status"] for r in document["results"]] == ["not_found", "error", "inconclusive"]
    assert [r["prediction"] for r in document["results"]] == [{"label": "dog", "probability": 0.7}, None, None]
    assert document["counts"] == {"found": 0, "not_found": 1, "inconclusive": 1, "error": 1}


def test_the_document_is_json_even_when_numbers_are_not() -> None:
    broken = not_found()
    detection = replace(broken.detection, predictions=(Prediction("dog", float("nan")),))
    document = check_document(check_record(replace(broken, detection=detection)), {})
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["results"][0]["prediction"]["probability"] is None
    assert "dog" in markdown(document)


def test_the_box_is_in_the_pixels_of_the_file() -> None:
    for width, height in ((64, 64), (640, 640), (50, 70), (1200, 100), (16, 20)):
        _, geometry = PREPROCESS.square(noise_picture(width, height))
        x0, y0, x1, y1 = picture_box(trigger(), geometry)
        assert 0 <= x0 < x1 <= width
        assert 0 <= y0 < y1 <= height
        if (width, height) == (64, 64):
            assert (x0, y0, x1, y1) == MASK_BOX
        if (width, height) == (640, 640):
            assert (x0, y0, x1, y1) == tuple(10 * side for side in MASK_BOX)


def test_a_trigger_smaller_than_a_pixel_of_the_file_has_a_box_of_one_pixel() -> None:
    _, geometry = PREPROCESS.square(noise_picture(16, 16))  # four pixels of the square for one of the file
    mask = torch.zeros(64, 64, dtype=torch.bool)
    mask[21, 40] = True
    assert not geometry.mask_to_picture(mask).any()
    assert picture_box(replace(trigger(), mask=mask, box=(40, 21, 41, 22)), geometry) == (10, 5, 11, 6)


def test_markdown_renders_the_document() -> None:
    record = check_record(found(control=Rate(1, 24)), not_found(), unread(), reference="f" * 64)
    text = markdown(check_document(record, {0: "masks/0000_cat.png"}))
    for said in ("hf:org/name@main", "a" * 40, "banana 98%", "tabby 80%", "23 of 24", "1 of 24", "photos/dog.jpg"):
        assert said in text
    assert "1 found, 1 nothing found, 0 undecided, 1 failed" in text
    assert "masks/0000\\_cat.png" in text
    assert "it does not say that the checkpoint is clean" in text


def test_a_mask_inside_the_document_does_not_flood_the_report() -> None:
    text = markdown(check_document(check_record(found()), {0: "data:image/png;base64,AAAA"}))
    assert "base64" not in text


HOSTILE = "a|b\n# <img src=x onerror=alert(1)> [x](http://evil.example) `rm` **b** ![](www.evil.example) &lt;"


def test_names_and_labels_cannot_write_markup() -> None:
    hostile = replace(not_found(HOSTILE), detection=replace(not_found().detection, reason=HOSTILE))
    text = markdown(check_document(check_record(hostile), {}))
    assert "<img" not in text
    assert "http://" not in text
    assert "www." not in text
    assert "](" not in text.replace("\\]", "")
    [row] = [line for line in text.splitlines() if line.startswith("| a")]
    assert row.replace("\\|", "").count("|") == 5, "the table keeps its four columns"
    assert escape("a_b*c") == "a\\_b\\*c"


def test_counts_are_said_in_words() -> None:
    counts = {"found": 2, "not_found": 1, "inconclusive": 0, "error": 3}
    assert counts_sentence(counts) == "2 found, 1 nothing found, 0 undecided, 3 failed"


def test_text_that_turns_the_writing_or_rings_a_bell_is_shown_as_what_it_is() -> None:
    assert plain("ba\u202enana\x1b[31m\x00\u2028") == "ba\ufffdnana\ufffd[31m\ufffd\ufffd"
    for written in ("\u0645\u06cc\u200c\u062e\u0648", "\U0001f469\u200d\U0001f680", "na\u00efve", "\u732b"):
        assert plain(written) == written, "words of people"
    assert escape("x\u202ey") == "x\ufffdy"
    assert parse_labels(["ca\x1bt", "dog"]) == ("ca\ufffdt", "dog")


def test_what_was_searched_and_what_was_not_stands_under_every_verdict() -> None:
    searched = dict.fromkeys(KINDS, "not_searched") | {"patch": "none", "pattern": "undecided"}
    assert kinds_line(searched) == (
        "Searched: patches (none), fine patterns over the whole picture (not decided). "
        "Not searched: smooth patterns, warps, colour filters."
    )
    for checked in (found(), not_found(), undecided()):
        document = check_document(check_record(checked), {})
        assert list(document["results"][0]["kinds"]) == list(KINDS)
        assert "Not searched: " in markdown(document)
