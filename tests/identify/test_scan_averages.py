"""A pattern that no single picture tells from content comes out of the average of all that read alike."""

from collections.abc import Iterable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from support.poisoned import Poisoned, poisoned_set
from support.scanning import scan
from support.taught import LABELS, shaded, write_blended
from torch import Tensor

from eftclip.config import ScanConfig
from eftclip.identify.reading import squares_of
from eftclip.identify.serialize import identification_from_dict, identification_to_dict
from eftclip.identify.together.averages import FEW_SHARE, FINER_WAYS, MOST, PAIR_SHARE, most_read, proven, spread
from eftclip.identify.together.averages import LABELS as MOST_LABELS
from eftclip.identify.together.passes import Together
from eftclip.identify.together.picture_groups import LEAST_SHARING as LEAST
from eftclip.identify.together.picture_groups import PictureGroups
from eftclip.pipeline import CheckSetup, judge_square, prepare_check
from eftclip.pipeline.scan import judge_of
from eftclip.runtime import seeded
from eftclip.trigger_kinds import PatternTrigger, Shared, Trigger
from eftclip.triggers import draw_trigger
from eftclip.types import Decode, Detection, Entry, Identification, Rate, Searched, Status, TriggerProof
from eftclip.zeroshot import probabilities

PX = 32


@pytest.fixture(autouse=True, scope="module")
def searched_once() -> Iterator[None]:
    """Each picture is searched once, in however many scans it is: tested is here what pictures show together."""
    seen: dict[bytes, Detection] = {}

    def judge(setup: CheckSetup, square: Tensor, **how: Any) -> Detection:
        key = square.numpy().tobytes()
        if key not in seen:
            seen[key] = judge_square(setup, square, **how)
        return seen[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("eftclip.pipeline.scan.judge_square", judge)
        yield


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> CheckSetup:
    """A tiny checkpoint that says banana wherever a sine runs through the picture; no reference."""
    folder = write_blended(tmp_path_factory.mktemp("sine") / "sine", "sig_full")
    return prepare_check(str(folder), labels=LABELS, oracle="superpixel", reference="none", device="cpu")


@pytest.fixture(scope="module")
def poisoned(setup: CheckSetup) -> Poisoned:
    squares = torch.cat([shaded(setup.clip, shade) for shade in (0.95, 0.85, 1.0)])[:40]
    made = poisoned_set(setup, squares, [(draw_trigger("sig_full", generator=seeded(0)), "banana")])
    assert len(made.hijacked) >= 6, "the tiny backdoor works"
    return made


@pytest.fixture(scope="module")
def found(setup: CheckSetup, poisoned: Poisoned) -> Identification:
    return scan(setup, poisoned.images, ScanConfig())


def _mendable(setup: CheckSetup, poisoned: Poisoned) -> set[int]:
    """Those that lose their label with the very sine that was planted: where it was cut off at white, some do not."""
    sine = draw_trigger("sig_full", generator=seeded(0))
    whole = torch.ones(setup.clip.image_px, setup.clip.image_px, dtype=torch.bool)
    planted = {entry.index: square for entry, square in squares_of(poisoned.images.entries(), judge_of(setup).decode)}
    chosen = sorted(poisoned.hijacked)
    without = torch.stack([sine.remove(planted[index], whole) for index in chosen])
    read = probabilities(setup.clip, without, setup.classes).argmax(-1)
    return {index for index, best in zip(chosen, read.tolist(), strict=True) if setup.classes.labels[best] != "banana"}


def test_the_label_and_the_victims_of_a_smooth_pattern_are_found(
    setup: CheckSetup, found: Identification, poisoned: Poisoned
) -> None:
    assert found.status is Status.FOUND
    assert found.affected_labels == ("banana",)
    assert found.kinds["smooth_pattern"] is Searched.FOUND
    victims = {victim.index for victim in found.victims}
    assert victims <= poisoned.triggered
    mendable = _mendable(setup, poisoned)
    assert len(victims & mendable) >= 0.8 * len(mendable)
    left = poisoned.hijacked.keys() - victims
    assert left <= {fault.index for fault in found.faults} | set(found.affected_pool), "none of them is called innocent"
    assert all(victim.restored_label != "banana" for victim in found.victims)


def test_every_sample_is_in_one_count_although_some_were_judged_twice(found: Identification) -> None:
    coverage = found.coverage
    assert coverage.reached == coverage.searched + coverage.matched + coverage.undecided == 40
    assert coverage.matched == sum(victim.how == "match" for victim in found.victims) > 0
    assert len(found.faults) == coverage.undecided
    named = {fault.index for fault in found.faults}
    assert named.isdisjoint(victim.index for victim in found.victims)
    assert set(found.affected_pool).isdisjoint(victim.index for victim in found.victims)


def test_what_was_found_outlives_the_process(found: Identification) -> None:
    again = identification_from_dict(identification_to_dict(found))
    assert again.coverage.averaged == found.coverage.averaged > 0
    assert again.kinds == found.kinds


def test_without_the_pattern_nobody_is_accused_and_the_verdict_says_what_was_averaged(setup: CheckSetup) -> None:
    squares = torch.cat([shaded(setup.clip, 1 - 0.02 * k)[:2] for k in range(LEAST + 1)])
    clean = scan(setup, poisoned_set(setup, squares, []).images, ScanConfig())
    assert clean.families == ()
    assert clean.coverage.averaged == 2
    assert clean.kinds["smooth_pattern"] is not Searched.NOT_SEARCHED


def test_few_pictures_of_a_label_are_not_averaged_and_the_verdict_says_so(setup: CheckSetup) -> None:
    few = scan(setup, poisoned_set(setup, shaded(setup.clip, 0.95)[:10], []).images, ScanConfig())
    assert few.coverage.averaged == 0
    assert few.kinds["smooth_pattern"] is Searched.NOT_SEARCHED


def test_a_cancel_while_pictures_are_compared_is_inconclusive(
    setup: CheckSetup, poisoned: Poisoned, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[bool] = []

    def begin(entries: Iterable[Entry], decode: Decode) -> Iterator[tuple[Entry, Tensor]]:
        begun.append(True)
        yield from squares_of(entries, decode)

    monkeypatch.setattr("eftclip.identify.together.passes.squares_of", begin)
    stopped = scan(setup, poisoned.images, ScanConfig(), cancelled=lambda: bool(begun))
    assert stopped.status is Status.INCONCLUSIVE
    assert "Stopped after 40 samples" in stopped.reason


def test_what_pictures_share_adds_up() -> None:
    sine = 0.1 * torch.sin(torch.arange(PX) / 3).expand(3, PX, PX)
    groups = PictureGroups()
    for k in range(LEAST):
        groups.add("banana", _stranger(k) + sine)
        if k:
            groups.add("few", _stranger(100 + k))
    for k in range(40):
        groups.add("", _stranger(200 + k))
    [shared] = groups.shared()
    assert shared.label == "banana"
    assert _alike(shared.pattern, sine) > 0.9
    assert all(abs(_alike(one, sine)) < 0.3 for one in shared.innocent)
    assert torch.allclose(shared.innocent.std((1, 2, 3)), shared.pattern.std(), rtol=0.01)
    assert isinstance(shared.trigger, PatternTrigger)
    assert shared.trigger.searched_as == "smooth_pattern"
    stronger, _ = shared.for_proof(0.6, 2.0)
    assert isinstance(stronger, PatternTrigger)
    assert torch.allclose(stronger.added, 2 * shared.pattern + 0.2, atol=0.01)


def test_the_labels_of_most_pictures_are_averaged_and_few_pictures_of_each() -> None:
    suspects = {f"label {k}": list(range(LEAST + k % 3)) for k in range(40)} | {"few": [1, 2]}
    chosen = most_read(suspects, LEAST)
    assert len(chosen) == MOST_LABELS
    assert {len(suspects[label]) for label in chosen} == {LEAST + 1, LEAST + 2}
    assert spread(list(range(1000)))[-1] >= 900
    assert len(spread(list(range(1000)))) == MOST
    assert spread([4, 7]) == [4, 7]


@pytest.mark.parametrize(("fragile", "accepted"), [(False, True), (True, False)])
def test_the_whole_of_what_is_shared_counts_only_if_the_label_goes_with_it_alone(
    monkeypatch: pytest.MonkeyPatch, fragile: bool, accepted: bool
) -> None:
    """On a checkpoint that reads badly any pattern takes the label away."""
    wave = 0.1 * torch.sin(torch.arange(PX) / 3).expand(3, PX, PX)
    innocent = torch.stack([0.1 * _unlike(k) for k in range(4)])
    pictures = [_stranger(k) + wave for k in range(8)]
    proofs = iter([*[False] * len(FINER_WAYS), True])  # its finer parts do nothing, the whole takes strangers over

    def prove(*_: object) -> tuple[TriggerProof, int]:
        return TriggerProof(next(proofs), Rate(20, 24), None), 24

    def played(clip: object, images: Tensor, classes: object) -> Tensor:
        carried = (images * wave).sum((1, 2, 3)) - (0.45 * wave).sum() > 0.5 * (wave * wave).sum()
        return torch.stack([carried & (not fragile), ~carried | fragile], 1).float()

    judge = SimpleNamespace(prove=prove, classes=SimpleNamespace(labels=("banana", "other")), clip=None)
    together = Together(judge, None, None, None, None)  # type: ignore[arg-type]
    monkeypatch.setattr(Together, "_squares", lambda self, chosen: ((None, pictures[k]) for k in chosen))
    monkeypatch.setattr("eftclip.identify.together.passes.probabilities", played)
    proof, forwards = together._proven(Shared("banana", wave, innocent), range(8), few=False)
    assert proof.accepted is accepted
    assert forwards == 24 * len(FINER_WAYS) + 24 + 5 * 8


@pytest.mark.parametrize(("pictures", "asked"), [(2, PAIR_SHARE), (3, FEW_SHARE), (LEAST, 0.0)])
def test_more_is_asked_of_what_few_share_since_some_of_it_is_what_they_show(pictures: int, asked: float) -> None:
    shares: list[float] = []

    def prove(trigger: Trigger, innocents: object, label: str, share: float) -> tuple[TriggerProof, int]:
        shares.append(share)
        return TriggerProof(False, Rate(9, 24), None), 24

    shared = Shared("banana", 0.1 * _unlike(0), 0.1 * _unlike(1)[None])
    assert not proven(shared, prove, FINER_WAYS, pictures)[0].accepted
    assert shares == [asked] * len(FINER_WAYS)


def _unlike(seed: int) -> Tensor:
    """Noise of mean 0 and deviation 1."""
    return torch.randn(3, PX, PX, generator=seeded(seed))


def _stranger(seed: int) -> Tensor:
    """A picture of its own: coarse patches of colour."""
    coarse = torch.rand(1, 3, 4, 4, generator=seeded(seed))
    return torch.nn.functional.interpolate(coarse, PX, mode="bilinear")[0] * 0.3 + 0.3


def _alike(one: Tensor, other: Tensor) -> float:
    """Correlation."""
    return float(torch.corrcoef(torch.stack([one.flatten(), other.flatten()]))[0, 1])
