import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from support.tiny import CLASSES
from support.verdicts import noise_picture, write_picture

from eftclip import data, pipeline
from eftclip.config import DetectConfig
from eftclip.errors import CheckpointError, ConfigError, DataError, OracleError
from eftclip.pipeline import (
    CheckSetup,
    check_each,
    check_files,
    check_picture,
    prepare_check,
    read_labels,
    with_settings,
)
from eftclip.runtime import Progress
from eftclip.types import Rate, Sanity, Status

pytestmark = pytest.mark.quick

FAST = DetectConfig(transplants=8, top_labels=3)


@pytest.fixture(scope="module")
def setup(tiny_folder: Path) -> CheckSetup:
    """The tiny CLIP as it is: random weights, so it fails the sanity check."""
    return prepare_check(
        str(tiny_folder), labels=CLASSES, oracle="superpixel", reference="none", config=FAST, device="cpu"
    )


@pytest.fixture(scope="module")
def trusted_setup(setup: CheckSetup) -> CheckSetup:
    """The same, taken for a working one, so that the search runs."""
    return replace(setup, sanity=Sanity(Rate(14, 14), True, "Taken for granted.", "none"))


def test_a_setup_holds_what_was_asked_for(setup: CheckSetup, tiny_folder: Path) -> None:
    assert setup.clip.ref.source == str(tiny_folder)
    assert setup.classes.labels == CLASSES
    assert setup.labels_source == "own list"
    assert setup.oracle.name == "superpixel"
    assert setup.hosts.images.shape == (12, 3, 64, 64), "half as many again as transplants"
    assert setup.hosts.probabilities.shape == (12, len(CLASSES))
    assert setup.reference is None
    assert setup.config is FAST


def test_the_seed_draws_the_strangers(setup: CheckSetup) -> None:
    def drawn(seed: int) -> torch.Tensor:
        return prepare_check(
            setup.clip.ref.source, labels=CLASSES, reference="none", config=FAST, device="cpu", seed=seed
        ).hosts.images

    assert torch.equal(drawn(0), setup.hosts.images)
    assert not torch.equal(drawn(1), setup.hosts.images)
    other = with_settings(setup, DetectConfig(transplants=10), seed=1)
    assert other.hosts.images.shape[0] == 15
    assert (other.config.transplants, other.clip) == (10, setup.clip)
    assert with_settings(setup, replace(FAST, top_labels=4)).hosts is setup.hosts, "read once is enough"


def test_a_checkpoint_that_reads_at_chance_is_shown_but_not_judged(setup: CheckSetup) -> None:
    assert not setup.sanity.ok
    checked = check_picture(setup, noise_picture(90, 70), "noise")
    assert checked.detection.status is Status.INCONCLUSIVE
    assert checked.detection.reason == setup.sanity.reason
    assert len(checked.detection.predictions) == 3
    assert checked.picture is not None
    assert checked.picture.shape == (3, 70, 90)
    assert checked.square is not None
    assert checked.square.shape == (3, 64, 64)


def test_a_working_checkpoint_is_judged(trusted_setup: CheckSetup) -> None:
    checked = check_picture(trusted_setup, noise_picture(90, 70), "noise")
    assert checked.detection.status in (Status.NOT_FOUND, Status.INCONCLUSIVE)
    assert checked.detection.predictions
    assert checked.detection.image_forwards > 0


def test_a_verdict_does_not_depend_on_pictures_before_it(trusted_setup: CheckSetup, tmp_path: Path) -> None:
    first, second = (write_picture(tmp_path / f"{n}.png", seed=n) for n in (1, 2))
    together = check_files(trusted_setup, [first, second], seed=3).results[1]
    alone = check_files(trusted_setup, [second], seed=3).results[0]
    assert alone.detection.status == together.detection.status
    assert alone.detection.predictions == together.detection.predictions
    assert alone.detection.reason == together.detection.reason
    assert alone.detection.image_forwards == together.detection.image_forwards


class BrokenOracle:
    """Fails as code under load does."""

    name = "broken"

    def __init__(self, error: Exception) -> None:
        self.error = error

    def regions(self, image: torch.Tensor) -> Any:
        raise self.error


@pytest.mark.parametrize(
    "error", [RuntimeError("boom\nat line 3"), MemoryError(), torch.OutOfMemoryError("CUDA out of memory")]
)
def test_a_crash_is_an_error_never_clean(trusted_setup: CheckSetup, error: Exception) -> None:
    read = check_picture(trusted_setup, noise_picture(90, 70), "noise").detection.predictions[0].label
    elsewhere = torch.zeros_like(trusted_setup.hosts.probabilities)  # strangers that do not read as the noise
    elsewhere[:, (trusted_setup.classes.labels.index(read) + 1) % elsewhere.shape[1]] = 1
    setup = replace(trusted_setup, oracle=BrokenOracle(error))
    setup = replace(setup, hosts=replace(setup.hosts, probabilities=elsewhere))
    checked = check_picture(setup, noise_picture(90, 70), "noise")
    assert checked.detection.status is Status.ERROR
    assert type(error).__name__ in checked.detection.reason
    assert checked.detection.reason.startswith("The search broke off: ")
    assert "\n" not in checked.detection.reason


def test_a_cancelled_search_is_inconclusive(trusted_setup: CheckSetup) -> None:
    checked = check_picture(trusted_setup, noise_picture(90, 70), "noise", cancelled=lambda: True)
    assert checked.detection.status is Status.INCONCLUSIVE


def test_a_bad_file_is_an_error_and_the_others_go_on(trusted_setup: CheckSetup, tmp_path: Path) -> None:
    good = write_picture(tmp_path / "good.png")
    (tmp_path / "text.jpg").write_text("this is not a picture")
    paths = [tmp_path / "text.jpg", tmp_path / "gone.png", good]
    record = check_files(trusted_setup, paths, seed=4)
    assert [checked.name for checked in record.results] == [str(path) for path in paths]
    bad, gone, fine = record.results
    assert (bad.detection.status, gone.detection.status) == (Status.ERROR, Status.ERROR)
    assert "not a picture" in bad.detection.reason
    assert (bad.picture, bad.square, bad.geometry) == (None, None, None)
    assert fine.detection.status is not Status.ERROR
    assert record.ref == trusted_setup.clip.ref
    assert record.config == FAST.to_dict()
    assert record.labels == (len(CLASSES), "own list")
    assert (record.oracle, record.reference, record.seed) == ("superpixel", None, 4)
    assert record.versions["torch"].startswith(torch.__version__.split("+")[0])


def test_after_a_cancel_the_rest_is_inconclusive_and_unread(trusted_setup: CheckSetup, tmp_path: Path) -> None:
    paths = [write_picture(tmp_path / f"{n}.png", seed=n) for n in range(3)]
    done: list[Status] = []
    for checked in check_each(trusted_setup, paths, cancelled=lambda: len(done) >= 1):
        done.append(checked.detection.status)
        if len(done) > 1:
            assert checked.picture is None
            assert "Stopped" in checked.detection.reason
    assert done[1:] == [Status.INCONCLUSIVE] * 2


def test_progress_says_which_picture(trusted_setup: CheckSetup, tmp_path: Path) -> None:
    paths = [write_picture(tmp_path / f"{n}.png", seed=n) for n in range(2)]
    told: list[Progress] = []
    check_files(trusted_setup, paths, on_progress=told.append)
    assert {progress.stage.split()[0] for progress in told} == {"1/2", "2/2"}


def test_a_picture_that_cannot_be_used_is_refused(setup: CheckSetup) -> None:
    with pytest.raises(DataError, match="at least"):
        check_picture(setup, Image.new("RGB", (1, 1)), "dot")


def _other_weights(folder: Path, copy: Path) -> Path:
    """The same architecture with slightly different weights."""
    shutil.copytree(folder, copy)
    weights = copy / "open_clip_model.safetensors"
    state = load_file(weights)
    save_file({name: tensor * 1.01 for name, tensor in state.items()}, weights, metadata={"format": "pt"})
    return copy


def test_a_reference_that_does_not_work_is_refused(tiny_folder: Path, tmp_path: Path) -> None:
    other = _other_weights(tiny_folder, tmp_path / "other")
    with pytest.raises(CheckpointError, match="cannot serve as the reference"):
        prepare_check(str(tiny_folder), labels=CLASSES, reference=str(other), config=FAST, device="cpu")


def test_a_checkpoint_is_never_its_own_reference(tiny_folder: Path) -> None:
    made = prepare_check(str(tiny_folder), labels=CLASSES, reference=str(tiny_folder), config=FAST, device="cpu")
    assert made.reference is None


def test_labels_come_from_anywhere(tmp_path: Path) -> None:
    file = tmp_path / "my labels.txt"
    file.write_text("\ufeffdog\n\n  traffic   light \ndog\n", encoding="utf-8")
    assert read_labels(file) == (("dog", "traffic light"), "my labels.txt")
    assert read_labels(["a", "b"]) == (("a", "b"), "own list")
    labels, source = read_labels("imagenet")
    assert (len(labels), source) == (1000, "imagenet")


def test_label_files_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\xff\xfe\x00")
    (tmp_path / "huge.txt").write_text("dog\n" * 300_000)
    for name, said in (("picture.png", "UTF-8"), ("huge.txt", "shorten"), ("gone.txt", "cannot be read")):
        with pytest.raises(DataError, match=said):
            read_labels(tmp_path / name)
    with pytest.raises(DataError, match="cannot be read"):
        read_labels(tmp_path)


def test_what_cannot_be_prepared_is_said(tiny_folder: Path) -> None:
    with pytest.raises(OracleError):
        prepare_check(str(tiny_folder), labels=CLASSES, oracle="tarot", device="cpu")
    with pytest.raises(ConfigError):
        prepare_check(str(tiny_folder), labels=CLASSES, device="abacus")
    with pytest.raises(CheckpointError):
        prepare_check("nowhere/at/all", labels=CLASSES, device="cpu")
    with pytest.raises(CheckpointError, match="No bundled checkpoint 'missing'"):
        pipeline.bundled_checkpoint("missing")
    with pytest.raises(DataError, match="Stopped"):
        prepare_check(str(tiny_folder), labels=CLASSES, reference="none", device="cpu", cancelled=lambda: True)


def test_the_bundled_clean_checkpoint_is_the_reference_of_badnets(
    bundled: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a bundled checkpoint works from anywhere
    poisoned = prepare_check("examples/checkpoints/badnets", labels=CLASSES, config=FAST, device="cpu")
    assert poisoned.clip.ref.source == "examples/checkpoints/badnets"
    assert poisoned.sanity.ok
    assert poisoned.reference is not None
    clean = prepare_check(str(bundled("clean")), labels=CLASSES, config=FAST, device="cpu")
    assert clean.clip.ref.sha256 == poisoned.reference[0].ref.sha256
    assert clean.reference is None
    assert pipeline.bundled_checkpoint("clean") == bundled("clean").resolve()


def test_the_wrong_normalisation_is_noticed_and_replaced(bundled: Callable[[str], Path], tmp_path: Path) -> None:
    folder = tmp_path / "wrong"
    shutil.copytree(bundled("clean"), folder)
    config = folder / "open_clip_config.json"
    _, right = pipeline.load_checkpoint(str(bundled("clean")), device=torch.device("cpu"))
    text = config.read_text()
    settings = json.loads(text)
    settings["preprocess_cfg"] |= {"mean": [-10.0] * 3, "std": [0.01] * 3}
    config.write_text(json.dumps(settings))
    clip, found = pipeline.load_checkpoint(str(folder), device=torch.device("cpu"))
    assert found.ok
    assert min(clip.preprocess.mean) >= 0  # one of those that CLIPs are trained with; two of them work here
    assert found.clean.hits >= right.clean.hits - 1
    assert "was used instead" in found.reason


def test_photographs_read_straight_from_disk_are_the_same_as_pictures(setup: CheckSetup) -> None:
    path = data.bundled_photographs()[0].path
    [from_file] = check_files(setup, [path]).results
    from_picture = check_picture(setup, Image.open(path), str(path))
    assert from_file.square is not None
    assert from_picture.square is not None
    assert torch.equal(from_file.square, from_picture.square)


def test_a_checkpoint_that_fails_the_sanity_check_is_not_read_a_thousand_labels(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EFTCLIP_CACHE", "off")
    seen: list[Progress] = []
    made = prepare_check(str(tiny_folder), device="cpu", oracle="superpixel", on_progress=seen.append)
    assert not made.sanity.ok
    assert max(progress.total for progress in seen) < 100
    assert (len(made.classes.labels), made.labels_source, made.reference) == (13, "the sanity check", None)
