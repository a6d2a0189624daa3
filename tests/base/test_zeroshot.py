import importlib
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from eftclip.checkpoint import load_clip
from eftclip.errors import DataError
from eftclip.runtime import Progress, seeded
from eftclip.types import ClassMatrix, ClipModel
from eftclip.zeroshot import (
    IMAGENET_LABELS,
    MAX_LABEL_CHARS,
    MAX_LABELS,
    TEMPLATES,
    class_matrix,
    kept_matrices,
    parse_labels,
    probabilities,
    reading,
    top,
)

read_labels = importlib.import_module("eftclip.zeroshot.class_matrix")  # the package has a function of that name

LABELS = ("banana", "cat", "traffic light")


def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was read before, and nothing is found on the disk."""
    monkeypatch.setenv("EFTCLIP_CACHE", "off")
    monkeypatch.setattr(kept_matrices, "_MATRICES", OrderedDict())


def _images(clip: ClipModel, count: int) -> torch.Tensor:
    return torch.rand(count, 3, clip.image_px, clip.image_px, generator=seeded(count))


def test_imagenet_labels_and_templates_are_complete() -> None:
    assert len(set(IMAGENET_LABELS)) >= 998  # open_clip's list names two things twice
    assert len(IMAGENET_LABELS) == 1000
    assert len(TEMPLATES) == 7
    assert all("banana" in template("banana") for template in TEMPLATES)


def test_class_matrix_equals_the_slow_way(tiny_clip: ClipModel) -> None:
    columns = []
    for label in LABELS:
        with torch.inference_mode():
            rows = [tiny_clip.encode_text([template(label)])[0] for template in TEMPLATES]
        columns.append(F.normalize(torch.stack(rows).mean(0), dim=0))
    classes = class_matrix(tiny_clip, LABELS)
    assert classes.labels == LABELS
    torch.testing.assert_close(classes.matrix, torch.stack(columns, 1).cpu(), atol=1e-5, rtol=0)


def test_class_matrix_has_the_shape_it_promises(tiny_clip: ClipModel) -> None:
    matrix = class_matrix(tiny_clip, LABELS).matrix
    assert matrix.shape == (tiny_clip.embed_dim, len(LABELS))
    assert matrix.dtype == torch.float32
    assert matrix.is_contiguous()
    assert not matrix.requires_grad
    torch.testing.assert_close(matrix.norm(dim=0), torch.ones(len(LABELS)))


def test_text_batches_do_not_change_the_matrix(tiny_clip: ClipModel, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = class_matrix(tiny_clip, LABELS).matrix
    _forget(monkeypatch)
    monkeypatch.setattr(read_labels, "TEXTS_PER_BATCH", 4)  # no multiple of the number of templates
    torch.testing.assert_close(class_matrix(tiny_clip, LABELS).matrix, whole, atol=1e-5, rtol=0)


def test_reading_labels_reports_and_stops(tiny_clip: ClipModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_labels, "TEXTS_PER_BATCH", 10)
    _forget(monkeypatch)
    seen: list[Progress] = []
    class_matrix(tiny_clip, LABELS, on_progress=seen.append)
    assert [(p.done, p.total) for p in seen] == [(0, 21), (10, 21), (20, 21), (21, 21)], "from the first second on"
    seen.clear()
    _forget(monkeypatch)
    with pytest.raises(DataError, match=r"^Stopped .* nothing was judged"):
        class_matrix(tiny_clip, LABELS, on_progress=seen.append, cancelled=lambda: len(seen) > 1)
    assert len(seen) == 2


def _first(clip: ClipModel, side: str) -> torch.nn.Parameter:
    return next(parameter for name, parameter in clip.model.named_parameters() if name.startswith(side))


def test_a_text_side_that_was_read_once_is_not_read_again(
    tiny_clip: ClipModel, tiny_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checkpoint under test, its reference and its mended copy often have the same one; another is read anew."""
    _forget(monkeypatch)
    read: list[int] = []
    original = read_labels.encode_tokens

    def counted(model: torch.nn.Module, tokens: torch.Tensor) -> torch.Tensor:
        read.append(len(tokens))
        encoded: torch.Tensor = original(model, tokens)
        return encoded

    monkeypatch.setattr(read_labels, "encode_tokens", counted)
    first = class_matrix(tiny_clip, LABELS)
    twin = load_clip(str(tiny_copy), device=torch.device("cpu"))
    with torch.no_grad():
        _first(twin, "visual.").mul_(2)
    read.clear()
    assert torch.equal(class_matrix(twin, LABELS).matrix, first.matrix)
    assert read == []
    assert class_matrix(twin, (*LABELS[:2], "another")).labels[-1] == "another"
    assert read
    read.clear()
    with torch.no_grad():
        _first(twin, "text.").mul_(2)
    assert not torch.equal(class_matrix(twin, LABELS).matrix, first.matrix)
    assert read
    for k in range(2 * kept_matrices.IN_MEMORY):
        class_matrix(tiny_clip, ("a", f"b{k}"))
    assert len(kept_matrices._MATRICES) == kept_matrices.IN_MEMORY


def test_probabilities_equal_the_slow_way(tiny_clip: ClipModel, tiny_classes: ClassMatrix) -> None:
    images = _images(tiny_clip, 3)
    rows = []
    for image in images:
        with torch.inference_mode():
            feature = tiny_clip.encode_images(image[None])[0].cpu()
        logits = [tiny_clip.logit_scale * float(feature @ column) for column in tiny_classes.matrix.T]
        rows.append(torch.tensor(logits).softmax(0))
    torch.testing.assert_close(probabilities(tiny_clip, images, tiny_classes), torch.stack(rows), atol=1e-4, rtol=1e-3)


def test_probabilities_sum_to_one(tiny_clip: ClipModel, tiny_classes: ClassMatrix) -> None:
    read = probabilities(tiny_clip, _images(tiny_clip, 5), tiny_classes)
    assert read.shape == (5, len(tiny_classes.labels))
    assert read.dtype == torch.float32
    assert read.min() >= 0
    assert not read.requires_grad
    torch.testing.assert_close(read.sum(1), torch.ones(5))


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_image_batches_do_not_change_what_is_read(
    batch: int, tiny_clip: ClipModel, tiny_classes: ClassMatrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = _images(tiny_clip, 7)
    whole = probabilities(tiny_clip, images, tiny_classes)
    monkeypatch.setattr(reading, "IMAGES_PER_BATCH", batch)
    torch.testing.assert_close(probabilities(tiny_clip, images, tiny_classes), whole, atol=1e-4, rtol=1e-3)


def test_order_of_images_and_labels_does_not_matter(tiny_clip: ClipModel, tiny_classes: ClassMatrix) -> None:
    images, turned = _images(tiny_clip, 4), tiny_classes.labels[::-1]
    read = probabilities(tiny_clip, images, tiny_classes)
    backwards = probabilities(tiny_clip, images.flip(0), ClassMatrix(turned, tiny_classes.matrix.flip(1)))
    torch.testing.assert_close(backwards.flip(0, 1), read, atol=1e-4, rtol=1e-3)


def test_top_is_sorted_and_at_most_all() -> None:
    classes = ClassMatrix(("a", "b", "c"), torch.zeros(2, 3))
    best = top(torch.tensor([0.2, 0.7, 0.1]), classes, 2)
    assert [p.label for p in best] == ["b", "a"]
    assert [p.probability for p in best] == pytest.approx([0.7, 0.2])
    assert len(top(torch.tensor([0.2, 0.7, 0.1]), classes, 10)) == 3


def test_labels_are_trimmed_and_kept_in_order() -> None:
    assert parse_labels(["  traffic \t light ", "", "dog", "\n", "dog ", "cat"]) == ("traffic light", "dog", "cat")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], r"^Found 0 label\(s\); give at least two"),
        (["dog", " dog "], r"^Found 1 label\(s\); give at least two"),
        ([f"thing {i}" for i in range(MAX_LABELS + 1)], rf"^Found {MAX_LABELS + 1} labels; at most {MAX_LABELS}"),
        (["dog", "x" * (MAX_LABEL_CHARS + 1)], r"^The label 'x{40}'… is longer than"),
    ],
    ids=["none", "one twice", "too many", "too long"],
)
def test_label_lists_that_cannot_be_used(lines: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        parse_labels(lines)


def test_longest_lists_and_labels_are_allowed() -> None:
    labels = parse_labels(["x" * MAX_LABEL_CHARS, *(f"thing {i}" for i in range(MAX_LABELS - 1))])
    assert len(labels) == MAX_LABELS
