"""What arrives for a scan or a rectification: every setting can be set, and nothing is taken on trust."""

import io
import zipfile
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from support.verdicts import write_picture

from eftclip import data
from eftclip.config import CurateConfig, MeasureConfig, RectifyConfig, ScanConfig
from eftclip.data import Entry, ImageSet
from eftclip.errors import ConfigError, DataError, EftclipError, LeftOutError
from eftclip.pipeline import METHODS, Plan
from eftclip.triggers import TRIGGERS, WholePictureSpec
from eftclip.ui.api import arguments
from eftclip.ui.check.photographs import SQUARE, Planting, bundled_choice, picture_of
from eftclip.ui.checkpoint.request import checkpoint_request
from eftclip.ui.components.triggers import TRIGGER_NAMES
from eftclip.ui.components.uploads import read_upload
from eftclip.ui.rectify import layout as rectify_layout
from eftclip.ui.rectify import request as rectify_request
from eftclip.ui.rectify import texts as rectify_texts
from eftclip.ui.scan import data_set
from eftclip.ui.scan import layout as scan_layout
from eftclip.ui.scan import request as scan_request
from eftclip.ui.scan import texts as scan_texts
from eftclip.ui.scan.request import NamedDataSet, PracticeSet, Upload

PX = 64
SOURCE: dict[str, Any] = {
    "kind": "practice",
    "count": 16,
    "percent": 25,
    "trigger": "badnets",
    "files": None,
    "hub": "",
    "split": "train",
    "folder": "",
    "most": 500,
}


def _source(uploads: Path, /, **values: Any) -> scan_request.DataSource:
    return scan_request.data_source(SOURCE | values, uploads=uploads)


def _names(config: type) -> set[str]:
    return {field.name for field in fields(config)}


# --- settings ---


def test_every_setting_of_a_scan_and_a_rectification_can_be_set_on_the_page() -> None:
    with gr.Blocks():
        scan, rectify = scan_layout.scan_step(folders=False), rectify_layout.rectify_step()
    assert set(scan.settings) == _names(ScanConfig) | _names(CurateConfig)
    assert set(rectify.settings) == _names(RectifyConfig) | _names(MeasureConfig)
    values = {name: component.value for name, component in (scan.settings | rectify.settings).items()}
    assert rectify_request.plan(values) == Plan(), "the page begins with the defaults"


@pytest.mark.parametrize("name", METHODS)
def test_another_method_brings_its_own_settings_along(name: str) -> None:
    brought = dict(zip(rectify_texts.BROUGHT_ALONG, rectify_texts.brought_along(name), strict=True))
    assert rectify_request.plan({"method": name, **brought}) == rectify_request.plan({"method": name})
    assert name in rectify_texts.choices()["method"][1]
    with gr.Blocks():
        settings = rectify_layout.rectify_step().settings
    assert set(rectify_texts.BROUGHT_ALONG) <= set(settings)


def test_every_source_that_the_page_offers_is_understood() -> None:
    with gr.Blocks():
        public, private = scan_layout.scan_step(folders=False), scan_layout.scan_step(folders=True)
    assert set(public.sources) == set(SOURCE)
    assert [value for _, value in public.kind.choices] == ["practice", "upload", "hub"]
    assert [value for _, value in private.kind.choices] == list(scan_texts.SOURCES)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"budget": 7}, "Pictures to tune on.*between 8 and 512"),
        ({"budget": 64.5}, "whole number"),
        ({"budget": True}, "must be a number"),
        ({"budget": None}, "must be a number"),
        ({"budget": "64"}, "must be a number"),
        ({"steps": 100_000}, "between 1 and 500"),
        ({"batch": float("nan")}, "between 2 and 128"),
        ({"learning_rate": float("inf")}, "between"),
        ({"victim_share": 0.9, "affected_share": 0.9}, "control set"),
        ({"method": "magic"}, "Unknown method"),
        ({"own": "tau=1"}, "realign has no setting 'tau'"),
        ({"method": "par", "own": "tau=9"}, "tau of par must lie between 0 and 4"),
        ({"own": "what?"}, "name=number"),
        ({"own": 3}, "must be a line of at most"),
        ({"own": "x" * 10_000}, "must be a line of at most"),
        ({"method": ["realign"]}, "Unknown method"),
        ({"search": "nothing"}, "Unknown search"),
        ({"precision": None}, "Unknown precision"),
        ({"measured": 39}, "Pictures to measure on.*between 40 and 2000"),
        ({"speed": 11}, "Unknown settings speed"),
    ],
)
def test_settings_that_no_page_would_send_get_one_sentence(values: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        rectify_request.plan(values)
    assert "\n" not in str(caught.value)


def test_the_algorithm_of_a_check_is_one_of_those_that_are_known() -> None:
    assert checkpoint_request("badnets").config.algorithm == "eftclip"
    assert checkpoint_request("badnets", settings={"algorithm": "paper"}).config.algorithm == "paper"
    for wrong in ("magic", 1, None):
        with pytest.raises(ConfigError, match="Unknown algorithm"):
            checkpoint_request("badnets", settings={"algorithm": wrong})


# --- where the pictures come from ---


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"kind": "folder", "folder": "/etc"}, "Unknown source"),
        ({"kind": None}, "Unknown source"),
        ({"count": 3}, "number of views must lie between 4 and 200"),
        ({"count": 10**9}, "number of views"),
        ({"percent": -1}, "poisoned share"),
        ({"percent": 101}, "poisoned share"),
        ({"percent": "all"}, "whole number"),
        ({"trigger": "../badnets"}, "Unknown trigger"),
        ({"kind": "upload"}, "No file is chosen"),
        ({"kind": "upload", "files": "/etc/passwd"}, "No file is chosen"),
        ({"kind": "upload", "files": [("/etc/passwd", "holiday.png")]}, "holiday.png is no longer on the server"),
        ({"kind": "upload", "files": [("x.png", "x.png")] * 501}, "at most 500"),
        ({"kind": "upload", "most": 0}, "number of samples"),
        ({"kind": "upload", "most": 2_001}, "between 1 and 2000"),
        ({"kind": "hub"}, "No data set is named"),
        ({"kind": "hub", "hub": "x" * 400}, "No data set is named"),
        ({"kind": "hub", "hub": "a/b", "split": ""}, "name of a split"),
        ({"kind": "hub", "hub": "a/b", "split": "train\n"}, None),
        ({"kind": "hub", "hub": "a/b", "split": "a\x00b"}, "name of a split"),
    ],
)
def test_sources_that_no_page_would_send_get_one_sentence(
    tmp_path: Path, values: dict[str, Any], says: str | None
) -> None:
    if says is None:
        assert _source(tmp_path, **values) == NamedDataSet("hf:a/b", "train", 500)
        return
    with pytest.raises(EftclipError, match=says) as caught:
        _source(tmp_path, **values)
    assert "\n" not in str(caught.value)
    assert "/etc/passwd" not in str(caught.value)


def test_a_hub_id_never_opens_a_path_of_this_machine(tmp_path: Path) -> None:
    asked = _source(tmp_path, kind="hub", hub=str(tmp_path))
    assert asked == NamedDataSet(f"hf:{tmp_path}", "train", 500)
    with pytest.raises(DataError):
        data_set.open_data_set(NamedDataSet(f"hf:{tmp_path}", "train", 500))


def test_triggers_are_planted_alone_in_turns_or_not_at_all(tmp_path: Path) -> None:
    assert _source(tmp_path) == PracticeSet(16, 0.25, ("badnets",))
    assert _source(tmp_path, trigger="none") == PracticeSet(16, 0.25, ())
    assert _source(tmp_path, trigger=scan_texts.IN_TURNS) == PracticeSet(16, 0.25, scan_texts.TURNS)
    assert set(scan_texts.TURNS) <= set(TRIGGERS)


# --- the pictures themselves ---


def test_a_practice_set_is_poisoned_as_asked_and_knows_where(tmp_path: Path) -> None:
    asked = PracticeSet(12, 0.5, ("badnets", "yellow"))
    given = data_set.make_practice_set(asked, PX, tmp_path / "a")
    again = data_set.make_practice_set(asked, PX, tmp_path / "b")
    untouched = data_set.make_practice_set(PracticeSet(12, 0.5, ()), PX, tmp_path / "c")
    assert given.images.length == 12
    assert len(given.planted) == 6
    assert not untouched.planted
    assert given.planted == again.planted
    assert _bytes(given.images) == _bytes(again.images)
    changed = {k for k, (a, b) in enumerate(zip(_bytes(given.images), _bytes(untouched.images), strict=True)) if a != b}
    assert changed == given.planted
    assert "6 with a planted trigger (checkerboard, yellow square)" in given.images.source


def _bytes_or_reason(images: ImageSet) -> list[str]:
    """What reading each entry gives."""
    told = []
    for entry in images.entries():
        try:
            told.append(entry.read().decode())
        except LeftOutError as error:
            told.append(str(error))
    return told


def test_the_first_samples_of_a_set_say_so(tmp_path: Path) -> None:
    images = data.list_set("holiday", [(f"{k}.png", b"x", None) for k in range(10)])
    some = data_set.first_samples(images, 4)
    assert [entry.index for entry in some.entries()] == list(range(10)), "what is not taken is still there"
    assert [entry.index for entry in some.entries(2)] == list(range(2, 10))
    assert _bytes_or_reason(some)[2:5] == [
        "x",
        "x",
        "4.png was not taken, as only the first 4 samples are asked for; ask for more.",
    ]
    assert some.length == 10
    assert some.source == "the first 4 of 10 samples of holiday"
    assert "Only the first 4 of 10" in some.notes[-1]
    assert data_set.first_samples(images, 10) is images


def test_a_stream_of_unknown_length_is_read_no_further_than_needed_and_closed() -> None:
    seen, closed = list[int](), list[bool]()

    def walk(start: int) -> Iterable[Entry]:
        try:
            for k in range(start, 100):
                seen.append(k)
                yield Entry(k, str(k), None, lambda: b"x")
        finally:
            closed.append(True)

    stream = ImageSet("stream", "webdataset", None, None, None, (), walk)  # type: ignore[arg-type]
    some = data_set.first_samples(stream, 3)
    assert _bytes_or_reason(some)[:3] == ["x", "x", "x"]
    assert "3 and whatever follows it was not taken" in _bytes_or_reason(some)[3]
    assert seen == [0, 1, 2, 3] * 2
    assert closed == [True] * 2
    assert some.length is None
    assert some.source == "at most 3 samples of stream"


def test_pictures_are_known_by_the_visitors_names(tmp_path: Path) -> None:
    paths = [write_picture(tmp_path / f"{k}" / "upload.png", seed=k) for k in range(2)]
    asked = _source(tmp_path, kind="upload", files=[(str(paths[0]), "me\n<b>.png"), (str(paths[1]), "you.png")])
    given = data_set.open_data_set(asked).images  # type: ignore[arg-type]
    assert given.source == "2 pictures"
    assert [entry.name for entry in given.entries()] == ["me\N{REPLACEMENT CHARACTER}<b>.png", "you.png"]


def test_an_archive_is_known_by_the_visitors_name_and_comes_alone(tmp_path: Path) -> None:
    path = tmp_path / "0123" / "upload.zip"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(write_picture(tmp_path / "a.png"), "a.png")
    asked = _source(tmp_path, kind="upload", files=[(str(path), "my holiday.zip")])
    assert data_set.open_data_set(asked).images.source == "my holiday.zip"  # type: ignore[arg-type]
    with pytest.raises(DataError, match="came with other files"):
        _source(tmp_path, kind="upload", files=[(str(path), "a.zip"), (str(tmp_path / "a.png"), "a.png")])


def test_what_is_no_archive_is_told_without_a_path(tmp_path: Path) -> None:
    path = tmp_path / "notes.zip"
    path.write_bytes(b"I am no archive")
    with pytest.raises(DataError, match=r"notes\.zip is no zip archive") as caught:
        data_set.open_data_set(Upload(((path, "notes.zip"),), 500))
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("name", ["large.png", "pictures.zip"])
def test_pictures_are_held_to_less_than_a_checkpoint_may_have(tmp_path: Path, name: str) -> None:
    with (tmp_path / name).open("wb") as file:
        file.truncate(21_000_000)
    with pytest.raises(DataError, match=f"{name} has 21 MB; at most 20 MB can be uploaded for each file"):
        _source(tmp_path, kind="upload", files=[(str(tmp_path / name), name)])
    with pytest.raises(DataError, match="The picture has 21 MB"):
        read_upload(str(tmp_path / name))


def test_a_link_out_of_the_upload_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "uploads").mkdir()
    secret = write_picture(tmp_path / "secret.png")
    (tmp_path / "uploads" / "link.png").symlink_to(secret)
    with pytest.raises(DataError, match="no longer on the server"):
        scan_request.upload([(str(tmp_path / "uploads" / "link.png"), "link.png")], 500, tmp_path / "uploads")


def test_a_page_that_others_can_reach_never_uses_the_token_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = []

    def open_set(source: str, *, split: str, token: object) -> ImageSet:
        sent.append(token)
        return data.list_set(source, [("a", b"x", None)])

    monkeypatch.setattr(data, "open_set", open_set)
    data_set.open_data_set(NamedDataSet("hf:org/private", "train", 500))
    assert sent == [False], "what huggingface_hub takes for: not even the one that is saved here"


def _bytes(images: ImageSet) -> list[bytes]:
    return [io.BytesIO(entry.read()).getvalue() for entry in images.entries()]


def test_the_page_says_what_it_recognised_before_a_scan_starts(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "set" / name).mkdir(parents=True)
        write_picture(tmp_path / "set" / name / "1.png")
    (tmp_path / "set" / "notes.txt").write_text("no picture")
    told = data_set.recognised(NamedDataSet(str(tmp_path / "set"), "", 500))
    assert told == (
        "Recognised 2 samples: pictures in 2 class folders.",
        "1 file is no picture and was left out: notes.txt.",
    )
    assert data_set.recognised(scan_request.practice_set(4, 0, "none")) == ()


def test_programs_may_allow_for_unread_pictures_too() -> None:
    assert arguments.plan(arguments.read_settings('{"allow_unread": 3}')).scan.allow_unread == 3
    with pytest.raises(ConfigError, match="Unread pictures allowed"):
        arguments.plan({"allow_unread": -1})


# --- planting ---


def test_every_trigger_has_a_name_on_the_page() -> None:
    assert list(TRIGGER_NAMES) == list(TRIGGERS)


@pytest.mark.parametrize("name", [name for name, spec in TRIGGERS.items() if isinstance(spec, WholePictureSpec)])
def test_what_covers_the_whole_picture_is_planted_without_a_size_or_a_place(name: str) -> None:
    untouched, planted = (
        picture_of(bundled_choice(0), Planting(trigger, "random", 16, 0)) for trigger in ("none", name)
    )
    plain, _ = SQUARE.square(untouched)
    seen, _ = SQUARE.square(planted)
    assert planted.size == (224, 224)
    assert float((seen != plain).any(0).float().mean()) > 0.1
    assert float((seen - plain).abs().mean()) < 0.2
