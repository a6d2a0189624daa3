"""Checkpoints that visitors upload: what is recognised, what is refused, who may use them, and for how long."""

import json
import shutil
import stat
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from safetensors.torch import save_file
from support.checkpoint_examples import plain_config, write_transformers
from support.taught import LABELS
from support.tiny import CLASSES, random_state, write_tiny

from eftclip.checkpoint import save_clip
from eftclip.errors import CheckpointError, EftclipError
from eftclip.ui.backend import Backend
from eftclip.ui.checkpoint.request import CheckpointRequest, checkpoint_request, read_form
from eftclip.ui.checkpoint.texts import CHOICES, SETTINGS
from eftclip.ui.checkpoint.uploaded import UploadedCheckpoint
from eftclip.ui.rectify.job import RectifyResult
from eftclip.ui.rectify.request import RectifyRequest, plan
from eftclip.ui.rectify.view import RectifyView
from eftclip.ui.restore import serialization
from eftclip.ui.scan.request import PracticeSet, ScanRequest
from eftclip.ui.serving import uploaded_checkpoints
from eftclip.ui.serving.uploaded_checkpoints import MOST_FILES, UploadedCheckpoints

Send = Callable[..., UploadedCheckpoint]


@pytest.fixture
def backend(tmp_path: Path) -> Backend:
    """Of a page that others can reach."""
    (tmp_path / "uploads").mkdir()
    return Backend(tmp_path / "uploads", tmp_path / "results")


@pytest.fixture
def at_home(tmp_path: Path) -> UploadedCheckpoints:
    """What a page of one's own takes."""
    (tmp_path / "uploads").mkdir(exist_ok=True)
    return UploadedCheckpoints(tmp_path / "uploads", pickles=True)


def _send(store: UploadedCheckpoints, tmp_path: Path, *paths: Path, session: str = "ann") -> UploadedCheckpoint:
    """As Gradio hands them over: each in a folder of its own, below the upload folder."""
    given = []
    for number, path in enumerate(paths):
        folder = tmp_path / "uploads" / f"{session}{number}"
        folder.mkdir(exist_ok=True)
        given.append((shutil.copy(path, folder), path.name))
    return store.receive(session, given)


def _zipped(folder: Path, below: str = "") -> Path:
    target = folder.parent / f"{folder.name}.zip"
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, below + str(path.relative_to(folder)))
    return target


def _archive(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return path


def _request(upload: UploadedCheckpoint, **more: Any) -> CheckpointRequest:
    return checkpoint_request(upload, labels="\n".join(CLASSES), oracle="superpixel", reference="none", **more)


def _loads(backend: Backend, request: CheckpointRequest) -> str:
    """What the page says of it before and after it was loaded; nobody reads where it lies."""
    seen, loaded = backend.checkpoints.inspect(request), backend.checkpoints.provenance(request)
    assert "Nothing speaks against loading it." in seen
    assert "sha256" in loaded
    for told in (seen, loaded):
        assert f"<td>{request.source}</td>" in told
        assert "eftclip-uploaded" not in told
    return seen


# --- what is recognised ---


@pytest.mark.parametrize("below", ["", "my clip/"])
def test_a_zipped_open_clip_folder(backend: Backend, tmp_path: Path, below: str) -> None:
    folder = write_tiny(tmp_path / "tiny")
    (folder / "notes").mkdir()
    (folder / "notes" / "old.pt").write_bytes(b"of another day")
    upload = _send(backend.uploaded, tmp_path, _zipped(folder, below))
    assert upload.name == "tiny.zip"
    assert "<td>open clip</td>" in _loads(backend, _request(upload))


def test_a_zipped_transformers_folder(backend: Backend, tmp_path: Path) -> None:
    write_transformers(tmp_path / "clip")
    upload = _send(backend.uploaded, tmp_path, _zipped(tmp_path / "clip"))
    assert "<td>transformers</td>" in _loads(backend, _request(upload))


def test_the_files_of_a_folder(backend: Backend, tmp_path: Path) -> None:
    upload = _send(backend.uploaded, tmp_path, *write_tiny(tmp_path / "tiny").iterdir())
    assert upload.name == "open_clip_model.safetensors"
    assert "<td>open clip</td>" in _loads(backend, _request(upload))


@pytest.fixture
def small_architecture(tmp_path: Path) -> Iterator[str]:
    """A name that open_clip knows, of a model that loads at once."""
    folder = tmp_path / "architectures"
    folder.mkdir()
    (folder / "ViT-tiny-64.json").write_text(json.dumps(plain_config()["model_cfg"]), encoding="utf-8")
    open_clip.add_model_config(folder)
    yield "ViT-tiny-64"
    shutil.rmtree(folder)
    open_clip.factory._MODEL_CONFIG_PATHS.remove(folder)
    open_clip.factory._rescan_model_configs()


def test_weights_alone_with_their_architecture(backend: Backend, tmp_path: Path, small_architecture: str) -> None:
    save_file(random_state(plain_config()), tmp_path / "epoch (30).safetensors")
    upload = _send(backend.uploaded, tmp_path, tmp_path / "epoch (30).safetensors")
    asked = backend.checkpoints.inspect(_request(upload))
    assert "name the right one with the field “Architecture” of step 1" in asked
    assert "--architecture" not in asked
    assert "<td>single file</td>" in _loads(backend, _request(upload, architecture=small_architecture))


# --- what is refused ---


def _refusal(store: UploadedCheckpoints, tmp_path: Path, *paths: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        _send(store, tmp_path, *paths)
    said = str(caught.value)
    assert "\n" not in said
    assert str(tmp_path) not in said
    assert not list(Path(store._root.name).iterdir()), "nothing of it stays"
    return said


def test_a_pickle_is_refused_where_others_can_reach_the_page(
    backend: Backend, at_home: UploadedCheckpoints, tmp_path: Path
) -> None:
    torch.save({"state_dict": random_state(plain_config())}, tmp_path / "epoch_3.pt")
    packed = tmp_path / "run"
    packed.mkdir()
    shutil.copy(tmp_path / "epoch_3.pt", packed)
    for path in (tmp_path / "epoch_3.pt", _zipped(packed)):
        said = _refusal(backend.uploaded, tmp_path, path)
        assert said.startswith(f"{path.name}: the weights are a pickle")
        assert "upload safetensors" in said
    upload = _send(at_home, tmp_path, tmp_path / "epoch_3.pt")
    assert "“Read a pickle”" in backend.checkpoints.inspect(_request(upload)), "at home it is still asked"
    assert not _request(upload, allow_pickle=True).allow_pickle, "no client of a public page can ask for it"
    assert _request(upload, allow_pickle=True, folders=True).allow_pickle


def test_too_large_and_too_many(tmp_path: Path) -> None:
    (tmp_path / "uploads").mkdir()
    store = UploadedCheckpoints(tmp_path / "uploads", pickles=False, most_gb=0.001)
    (tmp_path / "big.safetensors").write_bytes(bytes(1_200_000))
    assert "big.safetensors has 0.0012 GB; at most 0.001 GB" in _refusal(store, tmp_path, tmp_path / "big.safetensors")
    few = [tmp_path / "big.safetensors"] * (MOST_FILES + 1)
    assert f"at most {MOST_FILES}" in _refusal(store, tmp_path, *few)
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.safetensors", bytes(5_000_000))
    assert bomb.stat().st_size < 100_000
    assert "bomb.zip holds 0.005 GB; at most 0.001 GB" in _refusal(store, tmp_path, bomb)
    many = _archive(tmp_path / "many.zip", **{f"{k}.safetensors": b"x" for k in range(MOST_FILES + 1)})
    assert "files in one folder" in _refusal(store, tmp_path, many)


def test_an_archive_that_was_made_to_fill_the_disk(at_home: UploadedCheckpoints, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.safetensors", bytes(101_000_000))
    assert "times its own size" in _refusal(at_home, tmp_path, tmp_path / "bomb.zip")


def test_a_member_that_is_larger_than_it_says_is_cut_off(tmp_path: Path, at_home: UploadedCheckpoints) -> None:
    path = _archive(tmp_path / "liar.zip", **{"model.safetensors": bytes(100_000)})
    body = bytearray(path.read_bytes())
    at = body.rindex(b"PK\x01\x02")
    body[at + 24 : at + 28] = struct.pack("<I", 10)  # the size that the directory states
    path.write_bytes(body)
    assert "cannot be unpacked" in _refusal(at_home, tmp_path, path)


@pytest.mark.parametrize("name", ["../../evil.safetensors", "/etc/evil.safetensors", "C:/evil.safetensors"])
def test_an_archive_that_leads_outside_itself(at_home: UploadedCheckpoints, tmp_path: Path, name: str) -> None:
    path = _archive(tmp_path / "evil.zip", **{"model.safetensors": b"x", name: b"x"})
    assert "names a place outside itself" in _refusal(at_home, tmp_path, path)
    assert not list(tmp_path.rglob("evil.safetensors"))


def test_a_link_in_an_archive(at_home: UploadedCheckpoints, tmp_path: Path) -> None:
    link = zipfile.ZipInfo("model.safetensors")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    assert "holds a link (model.safetensors)" in _refusal(at_home, tmp_path, tmp_path / "link.zip")


def test_what_is_no_checkpoint(at_home: UploadedCheckpoints, tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(b"x")
    assert "cat.png is neither a weight file" in _refusal(at_home, tmp_path, tmp_path / "cat.png")
    (tmp_path / "no.zip").write_bytes(b"x")
    assert "no.zip is no zip archive" in _refusal(at_home, tmp_path, tmp_path / "no.zip")
    empty = _archive(tmp_path / "empty.zip", **{"cat.png": b"x"})
    assert "empty.zip has no weight file" in _refusal(at_home, tmp_path, empty)
    two = _archive(tmp_path / "two.zip", **{"a/m.safetensors": b"x", "b/m.safetensors": b"x"})
    assert "weights in 2 folders" in _refusal(at_home, tmp_path, two)
    assert "came with other files" in _refusal(at_home, tmp_path, empty, tmp_path / "cat.png")
    (tmp_path / "model.safetensors").write_bytes(b"x")
    twice = [tmp_path / "model.safetensors"] * 2
    assert "Two of the files are named model.safetensors" in _refusal(at_home, tmp_path, *twice)
    nothings: tuple[object, ...] = (None, [], "x", 3)
    for nothing in nothings:
        with pytest.raises(CheckpointError, match="No checkpoint is uploaded yet"):
            at_home.receive("ann", nothing)


def test_a_text_that_is_named_safetensors(backend: Backend, tmp_path: Path) -> None:
    (tmp_path / "text.safetensors").write_text("I am no checkpoint")
    upload = _send(backend.uploaded, tmp_path, tmp_path / "text.safetensors")
    for told in (backend.checkpoints.inspect(_request(upload)), backend.checkpoints.provenance(_request(upload))):
        assert "eft-wrong" in told
        assert "text.safetensors" in told
        assert "eftclip-uploaded" not in told


# --- who may use it, and for how long ---


def test_nobody_can_name_what_another_page_has_uploaded(backend: Backend, tmp_path: Path) -> None:
    upload = _send(backend.uploaded, tmp_path, *write_tiny(tmp_path / "tiny").iterdir())
    inside = Path(upload.location) / "open_clip_model.safetensors"
    with pytest.raises(CheckpointError, match="no longer on the server"):
        backend.uploaded.receive("bob", [(str(inside), "mine.safetensors")])
    (tmp_path / "uploads" / "mine.safetensors").symlink_to(inside)
    with pytest.raises(CheckpointError, match="no longer on the server"):
        backend.uploaded.receive("bob", [(str(tmp_path / "uploads" / "mine.safetensors"), "mine.safetensors")])
    for named in (upload.location, str(inside), upload.name, upload.digest, f"upload:{upload.digest}", vars(upload)):
        with pytest.raises(EftclipError):
            checkpoint_request(named)
    settings = [*["eftclip"] * len(CHOICES), *[24] * len(SETTINGS)]
    form = ("upload", "", "", vars(upload), "", False, "imagenet", "", "auto", "auto", 0, *settings)
    with pytest.raises(CheckpointError, match="No checkpoint is uploaded yet"):
        read_form(False, form)
    assert Path(upload.location).is_dir(), "and it is still there"


def test_it_is_deleted_after_an_hour_and_the_page_says_so(tmp_path: Path, tiny_folder: Path) -> None:
    (tmp_path / "uploads").mkdir()
    now = [0.0]
    backend = Backend(tmp_path / "uploads", tmp_path / "results")
    backend.uploaded = UploadedCheckpoints(tmp_path / "uploads", pickles=False, clock=lambda: now[0])
    upload = _send(backend.uploaded, tmp_path, *tiny_folder.iterdir())
    request = _request(upload)
    backend.loader.get(request)
    now[0] = 3601.0
    backend.uploaded.remove_old(is_working=lambda session: session == "ann")
    backend.loader.get(request)  # work that goes on may end
    backend.uploaded.remove_old(is_working=lambda session: False)
    gone = "The uploaded checkpoint open_clip_model.safetensors was deleted after an hour; upload it again."
    with pytest.raises(CheckpointError, match=gone):
        backend.loader.get(request)
    assert gone in backend.checkpoints.inspect(request)
    assert not list(Path(backend.uploaded._root.name).iterdir())


def test_what_a_killed_server_left_behind_goes_after_a_day(
    at_home: UploadedCheckpoints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = tmp_path / f"{uploaded_checkpoints.PREFIX}x"
    (left / "home").mkdir(parents=True)
    (left / "home" / "model.safetensors").write_bytes(b"x")
    at_home.remove_old()
    assert (left / "home" / "model.safetensors").is_file(), "another server may be at work with it"
    monkeypatch.setattr(uploaded_checkpoints, "LEFT_BEHIND_S", -1)
    at_home.remove_old()
    assert not left.exists()
    assert Path(at_home._root.name).is_dir()


def test_it_goes_with_its_page_and_with_the_next_one(backend: Backend, tmp_path: Path) -> None:
    files = list(write_tiny(tmp_path / "tiny").iterdir())
    first = _send(backend.uploaded, tmp_path, *files)
    second = _send(backend.uploaded, tmp_path, *files)
    assert not Path(first.location).exists()
    backend.uploaded.drop("ann")
    assert not Path(second.location).exists()


def test_a_mended_one_is_saved_in_kind_also_when_another_page_loaded_it_first(backend: Backend, tmp_path: Path) -> None:
    archive = _zipped(write_tiny(tmp_path / "tiny"))
    first = _send(backend.uploaded, tmp_path, archive, session="ann")
    second = _send(backend.uploaded, tmp_path, archive, session="bob")
    assert first == second
    backend.loader.get(_request(first))
    backend.uploaded.drop("ann")
    clip = backend.loader.get(_request(second)).clip
    assert clip.ref.source == "tiny.zip"
    save_clip(clip, clip.ref.location, tmp_path / "mended")
    assert (tmp_path / "mended" / "open_clip_config.json").is_file()
    backend.uploaded.drop("bob")
    with pytest.raises(CheckpointError) as caught:
        save_clip(clip, clip.ref.location, tmp_path / "again")
    assert "tiny.zip" in str(caught.value)
    assert "eftclip-uploaded" not in str(caught.value)


def test_a_kept_result_still_knows_what_was_uploaded(backend: Backend, tmp_path: Path) -> None:
    upload = _send(backend.uploaded, tmp_path, *write_tiny(tmp_path / "tiny").iterdir())
    (tmp_path / "mended.zip").write_bytes(b"x")
    shown = RectifyView("mended", "<p>", checkpoint=str(tmp_path / "mended.zip"))
    stored = serialization.store_rectification(shown, RectifyResult(_request(upload), tmp_path / "mended.zip", {}))
    (tmp_path / "page").mkdir()
    _, result = serialization.restore_rectification(stored, tmp_path / "page")
    assert result.checkpoint == _request(upload)


def test_from_an_upload_to_a_mended_checkpoint_of_its_name(backend: Backend, taught: Path, tmp_path: Path) -> None:
    home = Path(shutil.copytree(taught / "badnets", tmp_path / "my clip"))
    upload = _send(backend.uploaded, tmp_path, _zipped(home))
    checkpoint = checkpoint_request(upload, labels="\n".join(LABELS), oracle="superpixel", reference="none")
    settings = plan({"steps": 1, "batch": 2, "budget": 8})
    for kind in ("scan", "rectify"):
        backend.sessions.begin("ann", kind)
    scanned = list(backend.scans.run(ScanRequest(checkpoint, PracticeSet(6, 0.5, ("badnets",)), settings), "ann"))[-1]
    assert getattr(scanned, "status", "") == "found", getattr(scanned, "problem", "")
    mended = list(backend.rectifications.run(RectifyRequest(checkpoint, settings), "ann"))[-1]
    archive = Path(str(getattr(mended, "checkpoint", None)))
    assert archive.name == "my-clip-rectified.zip", getattr(mended, "problem", "")
    with zipfile.ZipFile(archive) as packed:
        names = {Path(name).name: name for name in packed.namelist()}
        texts = [packed.read(name).decode() for name in names.values() if name.endswith((".md", ".json"))]
    assert {"open_clip_config.json", "open_clip_model.safetensors"} <= set(names)
    texts += [repr(mended), Path(str(getattr(mended, "document", None))).read_text(encoding="utf-8")]
    assert any("my clip.zip" in text for text in texts)
    assert not any("eftclip-uploaded" in text for text in texts)
    last = backend.publisher.last_rectification(checkpoint, "ann")
    assert last is not None
    backend.uploaded.drop("ann")
    backend.sessions.begin("ann", "rectify")
    gone = list(backend.rectifications.run(RectifyRequest(checkpoint, settings), "ann"))[-1]
    assert "was deleted after an hour; upload it again" in getattr(gone, "problem", "")
