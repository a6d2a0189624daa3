"""The fine-tuning on a tiny CLIP: what it must do, what it must not touch, and that a kill costs nothing."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import open_clip
import pytest
import torch
import torch.nn.functional as F
from support import rectify_once
from support.curated import curated_of, family, fewest
from support.forked import Program, run
from torch import Tensor

from eftclip.checkpoint import load_clip
from eftclip.config import RectifyConfig
from eftclip.data import host_photographs
from eftclip.errors import ConfigError, DataError
from eftclip.rectify import METHODS, finetune, rectify, training_loop
from eftclip.rectify.activations import last_map, read_watched
from eftclip.rectify.augmentation import free_view, random_view
from eftclip.rectify.batches import Batches
from eftclip.rectify.finetune import interleaved
from eftclip.rectify.methods import Student, Teacher
from eftclip.rectify.validation import SURE, ValidationSet, split_validation
from eftclip.runtime import Progress, seeded
from eftclip.trigger_kinds import PatchTrigger
from eftclip.types import ClassMatrix, ClipModel, CuratedItem, CuratedSet, Rate, TuningStep
from eftclip.zeroshot import class_matrix, probabilities

FAST = RectifyConfig(steps=6, batch=4, check_every=2, learning_rate=1e-4)
SCRIPT = Path(rectify_once.__file__)


def weights_of(clip: ClipModel) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in clip.model.state_dict().items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def curated(tiny_clip: ClipModel) -> CuratedSet:
    return curated_of(tiny_clip)


# --- every method keeps the contract ---


@pytest.mark.quick
@pytest.mark.parametrize("name", METHODS)
def test_a_method_learns_and_leaves_the_input_as_it_is(
    name: str, tiny_clip: ClipModel, tiny_classes: ClassMatrix, curated: CuratedSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_loop, "CALM", 99)  # random weights take no notice of a trigger: it would end early
    before = weights_of(tiny_clip)
    told: list[TuningStep] = []
    progress: list[Progress] = []
    mended, done = rectify(
        tiny_clip,
        curated,
        [family()],
        tiny_classes,
        replace(FAST, method=name, own=fewest(name), steps=12, batch=12),
        on_step=told.append,
        on_progress=progress.append,
    )
    assert same(before, weights_of(tiny_clip))
    assert not any(p.requires_grad for p in tiny_clip.model.parameters())
    assert not any(p.requires_grad for p in mended.model.parameters())
    assert not mended.model.training
    assert not same(before, weights_of(mended))
    assert (done.method, done.steps, done.stopped) == (name, 12, "steps")
    assert done.image_steps >= 12 * 12 * METHODS[name].images_per_view
    assert done.history == tuple(told)
    assert [look.step for look in told] == [2, 4, 6, 8, 10, 12]
    assert told[-1].loss < told[0].loss or name in ("cleanclip", "invertune"), "what these are shown changes"
    steps = [(p.done, p.total) for p in progress if p.stage == "Rectifying"]
    assert steps == [(k, 12) for k in range(1, 13)]
    assert done.folder is None
    text = [key for key in before if not key.startswith("visual.")]
    assert text
    kept = same({key: before[key] for key in text}, weights_of(mended))
    assert kept != METHODS[name].trains_text, "every label keeps its place, or both sides learn"


@pytest.mark.quick
@pytest.mark.parametrize("unsure", [False, True])
def test_of_a_checkpoint_that_is_unsure_fewer_layers_learn_and_it_is_said(
    unsure: bool, tiny_clip: ClipModel, tiny_classes: ClassMatrix, curated: CuratedSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eftclip.rectify.validation.SURE", 1.0 if unsure else 0.0)
    mended, done = rectify(tiny_clip, curated, [family()], tiny_classes, replace(FAST, check_every=100))
    before, after = (dict(clip.model.named_parameters()) for clip in (tiny_clip, mended))
    visual = [name for name in before if name.startswith("visual.")]
    changed = sum(before[name].numel() for name in visual if not torch.equal(before[name], after[name]))
    share = changed / sum(before[name].numel() for name in visual)
    assert 0 < share <= 0.6 if unsure else share > 0.6
    assert ("more of its first layers stay as they are" in done.remark) is unsure


def test_the_loss_of_realign_is_the_formula(tiny_clip: ClipModel, curated: CuratedSet) -> None:
    batch = Batches(curated.items, [family().exemplars[0]], 4, 0).at(0, range(4))
    teacher = Teacher(tiny_clip, ("a",) * len(curated.items))
    loss = METHODS["realign"].loss(Student(tiny_clip), batch, teacher, RectifyConfig(keep_weight=3.0))
    total = 0.0
    for clean, triggered in zip(batch.clean, batch.triggered, strict=True):
        old = tiny_clip.encode_images(clean[None])[0]
        total += 1 - float(F.cosine_similarity(tiny_clip.encode_images(triggered[None])[0], old, dim=0))
        total += 3.0 * (1 - float(F.cosine_similarity(tiny_clip.encode_images(clean[None])[0], old, dim=0)))
    assert float(loss) == pytest.approx(total / 4, abs=1e-5)


def test_the_places_of_the_last_map_count_where_there_is_one(tiny_clip: ClipModel, curated: CuratedSet) -> None:
    sizes = {"layers": [1, 1, 1, 1], "width": 16, "image_size": 64}
    text = {"context_length": 8, "vocab_size": 64, "width": 32, "heads": 2, "layers": 1}
    clip = replace(tiny_clip, model=open_clip.model.CLIP(32, sizes, text).eval().requires_grad_(False))
    batch = Batches(curated.items, [family().exemplars[0]], 4, 0).at(0, range(4))
    assert last_map(tiny_clip, batch.clean[:1]) is None, "tokens are no map"
    assert last_map(clip, batch.clean[:1]) == "layer4"

    def loss(*layers: str) -> float:
        teacher = Teacher(clip, ("a",) * len(curated.items), found_out=layers)
        return float(METHODS["realign"].loss(Student(clip), batch, teacher, RectifyConfig()))

    stages = list[Tensor]()
    for pictures in (batch.clean, batch.triggered):
        read_watched(clip, pictures, lambda _, output: stages.append(output.flatten(1)), ["layer4"])
    moved = (stages[1] - stages[0]).square().sum(1) / stages[0].square().sum(1)
    assert moved.mean() > 1e-3
    assert loss("layer4") - loss() == pytest.approx(float(moved.mean()), rel=1e-3)


def test_a_step_in_pieces_is_the_same_step(
    tiny_clip: ClipModel, tiny_classes: ClassMatrix, curated: CuratedSet
) -> None:
    whole, pieces = (
        rectify(tiny_clip, curated, [family()], tiny_classes, replace(FAST, steps=1, at_once=size))[0]
        for size in (4, 3)
    )
    before, one, other = weights_of(tiny_clip), weights_of(whole), weights_of(pieces)
    assert not same(one, before)
    assert _apart(one, other) <= 0.05 * _apart(one, before)


def test_the_contrastive_loss_is_the_formula(tiny_clip: ClipModel, curated: CuratedSet) -> None:
    batch = Batches(curated.items, [family().exemplars[0]], 6, 0).at(0, range(6))
    captions = tuple(f"a photo of a {item.label}." for item in curated.items)
    loss = METHODS["contrastive"].loss(Student(tiny_clip), batch, Teacher(tiny_clip, captions), RectifyConfig())
    images = tiny_clip.encode_images(torch.cat([batch.clean, batch.found]))
    told = [captions[row] for row in batch.rows.tolist()] * 2
    logits = tiny_clip.logit_scale * images @ tiny_clip.encode_text(told).T
    total = 0.0
    for rows in (logits, logits.T):
        for k, row in enumerate(rows.log_softmax(-1)):
            alike = [j for j, caption in enumerate(told) if caption == told[k]]
            total -= sum(float(row[j]) for j in alike) / len(alike) / len(told)
    assert float(loss) == pytest.approx(total / 2, rel=1e-4)


def test_pictures_of_one_caption_are_no_negatives_of_each_other(tiny_clip: ClipModel) -> None:
    groups = Teacher(tiny_clip, ("a cat", "a dog", "a cat")).groups(torch.tensor([0, 1, 2, 0]))
    assert groups.tolist() == [0, 1, 0, 0]


# --- batches ---


def test_what_a_step_is_shown_depends_on_the_seed_and_the_step_alone(curated: CuratedSet) -> None:
    batches = Batches(curated.items, family().exemplars, 6, 7)
    whole = batches.at(3, range(6))
    parts = [batches.at(3, range(rank, 6, 2)) for rank in (0, 1)]
    assert torch.equal(whole.clean[0::2], parts[0].clean)
    assert torch.equal(whole.triggered[1::2], parts[1].triggered)
    assert not torch.equal(whole.clean, batches.at(4, range(6)).clean)
    assert not torch.equal(whole.clean, replace(batches, seed=8).at(3, range(6)).clean)


def test_every_picture_is_shown_once_before_one_is_shown_again(curated: CuratedSet) -> None:
    batches = Batches(curated.items, family().exemplars, 4, 0)
    shown = [int(row) for step in range(6) for row in batches.at(step, range(4)).rows]
    assert sorted(shown[:12]) == sorted(shown[12:24]) == list(range(12))
    assert shown[:12] != shown[12:24]


def test_half_of_the_triggers_are_shown_exactly_as_they_were_cut_out(tiny_clip: ClipModel) -> None:
    white = PatchTrigger(torch.ones(3, 8, 8), torch.ones(8, 8, dtype=torch.bool))
    black = [CuratedItem("a", 0, "control", "Why not.", "cat", torch.zeros(3, 64, 64))]
    shown = Batches(black, [white], 16, 0).at(0, range(16)).triggered
    exact = [int((picture == 1).all(0).sum()) == 64 and int((picture > 0).sum()) == 3 * 64 for picture in shown]
    assert exact[0::2] == [True] * 8
    assert not all(exact[1::2])


def test_victims_come_as_they_were_found_through_the_same_window(curated: CuratedSet) -> None:
    batch = Batches(curated.items, family().exemplars, 12, 0).at(0, range(12))
    for clean, found, row in zip(batch.clean, batch.found, batch.rows.tolist(), strict=True):
        assert torch.equal(clean, found) == (curated.items[row].role != "victim" or torch.equal(clean, found))
    victims = [k for k, row in enumerate(batch.rows.tolist()) if row < 3]
    assert any(not torch.equal(batch.clean[k], batch.found[k]) for k in victims)


def test_a_view_is_a_view_of_all_pictures_given() -> None:
    picture = torch.rand(3, 32, 32, generator=seeded(0))
    views = random_view(torch.stack([picture, picture]), seeded(1))
    assert views.shape == (2, 3, 32, 32)
    assert torch.equal(views[0], views[1])
    assert float(views.min()) >= 0
    assert float(views.max()) <= 1


def test_a_free_view_is_made_of_all_three_and_drawn_from_its_generator() -> None:
    one, two, three = (torch.rand(3, 32, 32, generator=seeded(k)) for k in range(3))
    views = [free_view(one, two, three, seeded(seed)) for seed in range(12)]
    assert torch.equal(views[3], free_view(one, two, three, seeded(3)))
    assert not torch.equal(views[3], free_view(one, two, torch.zeros(3, 32, 32), seeded(3)))
    assert (
        sum(not torch.equal(v, free_view(one, torch.zeros(3, 32, 32), three, seeded(k))) for k, v in enumerate(views))
        > 3
    )
    assert all(float(view.min()) >= 0 and float(view.max()) <= 1 for view in views)


def test_only_a_method_that_asks_the_original_is_shown_free_views(curated: CuratedSet) -> None:
    plain = Batches(curated.items, family().exemplars, 6, 7).at(0, range(6))
    free = Batches(curated.items, family().exemplars, 6, 7, free=True).at(0, range(6))
    assert torch.equal(plain.rows, free.rows)
    assert not torch.equal(plain.clean, free.clean)
    assert torch.equal(free.clean, free.found)
    assert all(int((a != b).any(0).sum()) <= 120 for a, b in zip(free.clean, free.triggered, strict=True))


def test_families_come_up_equally_often_whatever_their_number_of_exemplars() -> None:
    assert interleaved([[1, 2, 3], [9]]) == [1, 9, 2, 9, 3, 9]


# --- held out ---


def test_held_out_pictures_are_not_tuned_on(curated: CuratedSet) -> None:
    tuned, held = split_validation(curated.items, 0)
    assert {item.index for item in tuned}.isdisjoint({item.index for item in held})
    assert len(tuned) + len(held) == 12
    assert len(held) == 6, "half of a small set"
    many = [replace(curated.items[5], index=k) for k in range(64)]
    assert len(split_validation(many, 0)[1]) == 13
    assert [item.index for item in split_validation(curated.items[:1], 0)[0]] == [curated.items[0].index]


def test_an_original_is_as_sure_as_its_best_labels_are_probable(
    tiny_clip: ClipModel, tiny_classes: ClassMatrix, curated: CuratedSet
) -> None:
    views = ValidationSet.of(curated.items[:3], [], tiny_clip, tiny_classes, 0)
    expected = probabilities(tiny_clip, views.clean, tiny_classes).amax(-1).mean()
    assert views.sureness == pytest.approx(float(expected))
    assert replace(views, sureness=SURE / 2).unsure
    assert not replace(views, sureness=SURE).unsure


def test_looking_counts_what_is_taken_over_and_what_reads_as_before(
    tiny_clip: ClipModel, tiny_classes: ClassMatrix, curated: CuratedSet
) -> None:
    view = ValidationSet.of(curated.items[:4], [family(), family("pizza", "yellow")], tiny_clip, tiny_classes, 0)
    attack, agreement = view.measure(tiny_clip, tiny_classes)
    assert agreement == Rate(12, 12), "nothing has changed yet"
    assert attack.total == sum(len(views) for views, _ in view.attacked)
    for views, target in view.attacked:
        assert len(views) == int((view.before != target).sum())


def test_the_run_ends_early_when_there_is_nothing_to_win(
    tiny_clip: ClipModel, tiny_classes: ClassMatrix, curated: CuratedSet
) -> None:
    """A tiny CLIP with random weights takes no notice of a trigger, and at this rate nothing else changes."""
    still = replace(FAST, steps=100, learning_rate=1e-7, agreement=0.9)
    _, done = rectify(tiny_clip, curated, [family()], tiny_classes, still)
    assert done.stopped == "early"
    assert done.steps == 4, "two looks in a row"


def test_a_cancel_ends_the_run_and_says_so(
    tiny_clip: ClipModel, tiny_classes: ClassMatrix, curated: CuratedSet
) -> None:
    asked: list[int] = []

    def cancelled() -> bool:
        asked.append(1)
        return len(asked) > 3

    mended, done = rectify(tiny_clip, curated, [family()], tiny_classes, FAST, cancelled=cancelled)
    assert (done.stopped, done.steps) == ("cancelled", 3)
    assert not mended.model.training


# --- taken up again ---


def test_a_run_that_was_broken_off_ends_bit_for_bit_as_if_it_had_not(
    tiny_clip: ClipModel,
    tiny_classes: ClassMatrix,
    curated: CuratedSet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(training_loop, "CALM", 99)
    config = replace(FAST, learning_rate=1e-3)
    whole, told = rectify(tiny_clip, curated, [family()], tiny_classes, config)
    left = iter([False] * 5 + [True])
    _, first = rectify(
        tiny_clip, curated, [family()], tiny_classes, config, folder=tmp_path, cancelled=lambda: next(left)
    )
    assert first.steps == 5
    again, second = rectify(tiny_clip, curated, [family()], tiny_classes, config, folder=tmp_path)
    assert same(weights_of(whole), weights_of(again))
    assert second.history == told.history
    assert second.steps == told.steps


@pytest.mark.parametrize("change", ["config", "seed", "pictures"])
def test_the_state_of_another_run_is_refused(
    change: str, tiny_clip: ClipModel, tiny_classes: ClassMatrix, curated: CuratedSet, tmp_path: Path
) -> None:
    rectify(tiny_clip, curated, [family()], tiny_classes, replace(FAST, steps=2), folder=tmp_path)
    config = replace(FAST, steps=4) if change == "config" else replace(FAST, steps=2)
    pictures = replace(curated, items=curated.items[1:]) if change == "pictures" else curated
    with pytest.raises(DataError, match="another fine-tuning"):
        rectify(tiny_clip, pictures, [family()], tiny_classes, config, folder=tmp_path, seed=int(change == "seed"))


def test_a_damaged_state_is_refused(
    tiny_clip: ClipModel, tiny_classes: ClassMatrix, curated: CuratedSet, tmp_path: Path
) -> None:
    (tmp_path / "rectify.state").write_bytes(b"not a state")
    with pytest.raises(DataError, match="damaged"):
        rectify(tiny_clip, curated, [family()], tiny_classes, FAST, folder=tmp_path)


def _once(folder: Path, out: Path, *, launcher: Sequence[str] = (), steps: int = 6) -> list[object]:
    return [*launcher, SCRIPT, folder, out, steps]


def _weights(path: Path) -> dict[str, Tensor]:
    loaded: dict[str, Tensor] = torch.load(path, weights_only=True)
    return loaded


@pytest.mark.slow
def test_after_kill_9_the_run_is_taken_up_and_ends_bit_for_bit_the_same(tiny_folder: Path, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole" / "realign", tmp_path / "killed" / "realign"
    assert run(_once(tiny_folder, whole.parent, steps=60)).returncode == 0
    process = Program(_once(tiny_folder, killed.parent, steps=60))
    state = killed / "rectify.state"
    _wait_until(state.is_file)
    process.kill()
    assert not (killed / "weights.pt").exists(), "it was killed before its end"
    assert run(_once(tiny_folder, killed.parent, steps=60)).returncode == 0
    assert same(_weights(whole / "weights.pt"), _weights(killed / "weights.pt"))


def _apart(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """The length of the difference of all weights."""
    return sum(float((one[name].float() - other[name].float()).square().sum()) for name in one) ** 0.5


def _wait_until(question: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def by_one_and_by_two(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Folders in which one process, and two together, left what came of every method; Python starts once for all."""
    one, two = (tmp_path_factory.mktemp(name) for name in ("one", "two"))
    assert run([*_once(tiny_folder, one), *METHODS]).returncode == 0
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")
    assert run([*_once(tiny_folder, two, launcher=launcher), *METHODS]).returncode == 0
    return one, two


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_two_real_processes_come_to_what_one_comes_to(method: str, by_one_and_by_two: tuple[Path, Path]) -> None:
    one, two = (folder / method for folder in by_one_and_by_two)
    assert (two / "processes.txt").read_text() == "2", "accelerate may silently run one"
    alone, together = _weights(one / "weights.pt"), _weights(two / "weights.pt")
    before = _weights(one / "before.pt")
    assert not same(alone, before)
    # Sums are rounded in another order, and AdamW makes much of gradients that are zero but for rounding.
    assert _apart(alone, together) <= 0.02 * _apart(alone, before)


# --- bf16, GPU, the innocent fine-tuning ---


def test_bf16_runs_and_another_precision_after_it(
    tiny_clip: ClipModel, tiny_classes: ClassMatrix, curated: CuratedSet
) -> None:
    half, _ = rectify(tiny_clip, curated, [family()], tiny_classes, replace(FAST, steps=2, precision="bf16"))
    full, _ = rectify(tiny_clip, curated, [family()], tiny_classes, replace(FAST, steps=2, precision="fp32"))
    assert all(tensor.dtype != torch.bfloat16 for tensor in weights_of(half).values()), "only the arithmetic is short"
    assert not same(weights_of(half), weights_of(full))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu(tiny_folder: Path, curated: CuratedSet, tiny_classes: ClassMatrix) -> None:
    clip = load_clip(str(tiny_folder), device=torch.device("cuda"))
    mended, done = rectify(clip, curated, [family()], tiny_classes, FAST)
    assert mended.device.type == "cuda"
    assert done.steps == FAST.steps


def test_innocent_fine_tuning_teaches_both_towers(tiny_clip: ClipModel) -> None:
    before = weights_of(tiny_clip)
    pictures = host_photographs(tiny_clip.image_px, 6, generator=seeded(0))
    tuned, done = finetune(tiny_clip, pictures, ["cat", "dog"] * 3, FAST)
    after = weights_of(tuned)
    assert same(before, weights_of(tiny_clip))
    assert any(not torch.equal(before[k], after[k]) for k in before if k.startswith("visual."))
    assert any(not torch.equal(before[k], after[k]) for k in before if k.startswith("text."))
    assert torch.equal(before["logit_scale"], after["logit_scale"])
    assert (done.method, done.image_steps, done.history) == ("plain", 6 * 4, ())
    assert class_matrix(tuned, ("cat", "dog")).matrix.isfinite().all()


def test_innocent_fine_tuning_takes_what_is_left_out_as_it_is_usual(tiny_clip: ClipModel) -> None:
    pictures = host_photographs(tiny_clip.image_px, 2, generator=seeded(0))
    _, done = finetune(tiny_clip, pictures, ["cat", "dog"], RectifyConfig(steps=1))
    assert done.image_steps == 32


def test_what_cannot_be_rectified_is_said(tiny_clip: ClipModel, tiny_classes: ClassMatrix, curated: CuratedSet) -> None:
    with pytest.raises(ConfigError, match="Unknown method 'magic'; known are realign, contrastive"):
        rectify(tiny_clip, curated, [family()], tiny_classes, replace(FAST, method="magic"))
    with pytest.raises(DataError, match="nothing to rectify"):
        rectify(tiny_clip, curated, [], tiny_classes, FAST)
    for wrong in ({"steps": 0}, {"batch": 1}, {"learning_rate": 1.0}, {"precision": "fp8"}, {"agreement": 0.1}):
        with pytest.raises(ConfigError):
            RectifyConfig.from_dict(wrong)
