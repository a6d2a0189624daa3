"""The end point `/check` as a program uses it: the real server, the real bundled checkpoints, hostile values."""

import json
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from eftclip.ui.check.photographs import Planting, bundled_choice, picture_of
from eftclip.ui.checkpoint.request import MAX_LABEL_TEXT, available_oracles, checkpoint_request
from eftclip.ui.server import is_private
from eftclip.ui.serving.uploaded_checkpoints import MOST_GB

PLANTED = Planting("badnets", "random", 16, 0)
UNTOUCHED = Planting("none", "centre", 16, 0)


@pytest.fixture(scope="module")
def client(served: str) -> Client:
    return Client(served, verbose=False, analytics_enabled=False, httpx_kwargs={"timeout": 600})


@pytest.fixture
def planted(tmp_path: Path) -> Any:
    return _file(tmp_path, PLANTED)


def _file(folder: Path, planting: Planting) -> Any:
    path = folder / "picture.png"
    picture_of(bundled_choice(0), planting).save(path)
    return handle_file(path)


def _check(client: Client, picture: Any, checkpoint: Any = "badnets", **more: Any) -> Any:
    values = {"labels": "", "oracle": "superpixel", "seed": 0} | more
    return client.predict(picture, checkpoint, values["labels"], values["oracle"], values["seed"], api_name="/check")


def test_a_planted_trigger_is_found_and_told_in_the_same_document_as_everywhere(client: Client, planted: Any) -> None:
    verdict, outlined = _check(client, planted)
    result = verdict["results"][0]
    assert verdict["kind"] == "check"
    assert verdict["schema_version"] == 1
    assert verdict["checkpoint"]["source"] == "examples/checkpoints/badnets"
    assert result["status"] == "found"
    assert result["trigger"]["target_label"] == "banana"
    assert result["trigger"]["mask_png"].startswith("data:image/png;base64,")
    assert Image.open(outlined).size == (224, 224)
    json.dumps(verdict, allow_nan=False)


def test_an_untouched_photograph_is_not_accused(client: Client, tmp_path: Path) -> None:
    verdict, _ = _check(client, _file(tmp_path, UNTOUCHED))
    assert verdict["results"][0]["status"] == "not_found"
    assert verdict["results"][0]["trigger"] is None


def test_own_labels_are_read(client: Client, planted: Any) -> None:
    verdict, _ = _check(client, planted, labels="cat\ndog\nbanana\n")
    assert verdict["labels"] == {"count": 3, "source": "own list"}


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"checkpoint": ""}, "No usable checkpoint"),
        ({"checkpoint": "x" * 400}, "No usable checkpoint"),
        ({"checkpoint": "/etc"}, "neither bundled"),
        ({"checkpoint": "../../examples/checkpoints/badnets"}, "neither bundled"),
        ({"checkpoint": "hf:nobody/nothing at all"}, "hf:"),
        ({"labels": "only one"}, "at least two"),
        ({"labels": "x" * (MAX_LABEL_TEXT + 1)}, "characters"),
        ({"labels": "cat\n" + "y" * 200}, "longer than"),
        ({"oracle": "crystal ball"}, "Unknown oracle"),
        ({"seed": -1}, "between 0 and"),
        ({"seed": 1.5}, "whole number"),
        ({"seed": None}, "whole number"),
    ],
)
def test_values_that_no_page_would_send_get_one_sentence(
    client: Client, planted: Any, values: dict[str, Any], says: str
) -> None:
    with pytest.raises(AppError, match=says) as caught:
        _check(client, planted, **values)
    assert "\n" not in str(caught.value)


def test_a_text_sent_as_a_picture_gets_a_sentence_without_a_path(client: Client, tmp_path: Path) -> None:
    (tmp_path / "fake.png").write_text("I am no picture")
    with pytest.raises(AppError, match="not a picture") as caught:
        _check(client, handle_file(tmp_path / "fake.png"))
    assert "gradio" not in str(caught.value)
    assert "/" not in str(caught.value)


def test_no_picture_at_all_gets_a_sentence(client: Client) -> None:
    with pytest.raises(AppError, match="No picture was sent"):
        _check(client, None)


def test_a_path_outside_the_upload_folder_is_refused(client: Client) -> None:
    secret = {"path": str(Path(__file__).resolve()), "meta": {"_type": "gradio.FileData"}}
    with pytest.raises(AppError):
        _check(client, secret)


def test_an_upload_above_the_limit_is_refused(client: Client, tmp_path: Path) -> None:
    huge = tmp_path / "huge.png"
    with huge.open("wb") as stream:
        stream.truncate(21_000_000)
    with pytest.raises(AppError, match="The picture has 21 MB; at most 20 MB"):
        _check(client, handle_file(huge))
    with huge.open("wb") as stream:
        stream.truncate(int(MOST_GB * 1e9) + 1)
    with pytest.raises(ValueError, match="maximum file size"):
        _check(client, handle_file(huge))


def test_four_end_points_are_public_and_say_what_they_take(client: Client) -> None:
    known = client.view_api(return_format="dict")
    assert list(known["named_endpoints"]) == ["/check", "/scan", "/rectify", "/publish"]
    assert not known["unnamed_endpoints"]
    for name, end_point in known["named_endpoints"].items():
        required = [one["parameter_name"] for one in end_point["parameters"] if not one["parameter_has_default"]]
        assert required == {"/check": ["picture"], "/publish": ["result", "repo_id"]}.get(name, [])


def test_folders_are_named_only_on_ones_own_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert checkpoint_request(str(tmp_path), folders=True).source == str(tmp_path)
    for name in ("SYSTEM", "SPACE_ID", "GRADIO_SERVER_NAME"):
        monkeypatch.delenv(name, raising=False)
    assert is_private(None)
    assert is_private("127.0.0.1")
    assert not is_private("0.0.0.0")
    assert not is_private("192.168.1.7")
    monkeypatch.setenv("SYSTEM", "spaces")
    assert not is_private("127.0.0.1")


def test_sam_is_offered_only_with_its_weights_at_hand(client: Client, planted: Any) -> None:
    if "sam" in available_oracles():
        pytest.skip("SAM's weights are on this machine")
    with pytest.raises(AppError, match="weights are not on this machine"):
        _check(client, planted, oracle="sam")
