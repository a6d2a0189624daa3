"""Recognising and the state, on findings made by hand: no model is needed to get these wrong."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.findings import PATCHES, PX, a_finding, a_patch, some_noise

from eftclip.config import ScanConfig
from eftclip.errors import ConfigError
from eftclip.identify import SampleReading, ScanState, SearchOutcome, SearchTask, recognise
from eftclip.runtime import seeded
from eftclip.trigger_kinds import PatchTrigger, box_of, paste
from eftclip.trigger_kinds.matching import MATCH_RMS
from eftclip.types import Coverage, Identification, Rate, Status

pytestmark = pytest.mark.quick

# --- recognising ---


@pytest.mark.parametrize("name", PATCHES)
def test_a_known_trigger_is_recognised_where_it_lies(name: str) -> None:
    picture, patch = some_noise(1), a_patch(name, 12)
    paste(picture, patch, 31, 7)
    seen = recognise(picture, [(5, [a_patch("stripes", 14, seed=9), patch])])
    assert seen is not None
    assert seen[0] == 5
    assert seen[1].nonzero().amin(0).tolist() == [7, 31]
    assert int(seen[1].sum()) == 144


def test_nothing_is_recognised_in_another_picture() -> None:
    assert recognise(some_noise(2), [(0, [a_patch()])]) is None
    assert recognise(some_noise(2), []) is None


def test_a_patch_larger_than_the_picture_is_not_recognised() -> None:
    assert recognise(some_noise(3, px=16), [(0, [a_patch(patch_px=24)])]) is None


def test_the_difference_that_counts_as_the_same_is_held() -> None:
    picture, patch = torch.full((3, PX, PX), 0.5), a_patch("yellow", 16)
    for shift, same in ((MATCH_RMS - 0.02, True), (MATCH_RMS + 0.02, False)):
        pasted = picture.clone()
        paste(pasted, PatchTrigger((patch.pixels - shift).abs(), patch.mask), 8, 8)
        assert (recognise(pasted, [(0, [patch])]) is not None) is same


# --- the state ---


def _glance(index: int, label: str = "cat", margin: float = 0.1) -> SampleReading:
    return SampleReading(index, f"{index}.png", label, margin, digest=index)


def _searched(task: SearchTask, *, found: str = "") -> SearchOutcome:
    """The outcome of a search that finds the checker where `found` names its label."""
    name = f"{task.index}.png"
    if not found:
        return SearchOutcome(task.index, name, task.label, Status.NOT_FOUND, forwards=12)
    finding = a_finding(task.index, a_patch(), found)
    return SearchOutcome(task.index, name, task.label, Status.FOUND, finding, forwards=25)


def _run(
    readings: Sequence[SampleReading], poisoned: dict[int, str], config: ScanConfig, block: int = 4
) -> Identification:
    """Feed a state as a scan does; `poisoned` says which samples a search finds something in."""
    state = ScanState(config)
    for start in range(0, len(readings), block):
        tasks = state.admit(readings[start : start + block])
        state.record([_searched(task, found=poisoned.get(task.index, "")) for task in tasks])
    while state.waiting:
        labels = {read_samples.index: read_samples.label for read_samples in readings}
        tasks = [SearchTask(index, labels[index], known=True) for index in sorted(state.waiting)]
        state.record([_searched(task, found=poisoned.get(task.index, "")) for task in tasks])
    return state.conclude(complete=True)


def test_everything_is_searched_until_a_trigger_is_proven() -> None:
    found = _run([_glance(k) for k in range(12)], {}, ScanConfig())
    assert found.status is Status.NOT_FOUND
    assert found.coverage == Coverage(searched=12, complete=True)
    assert found.image_forwards == 12 + 12 * 12
    assert found.clean_pool == tuple(range(12))


def test_once_a_trigger_is_proven_only_affected_labels_and_suspicious_samples_are_searched() -> None:
    readings = [_glance(k, "banana" if k in (1, 30) else "cat", 0.1 if k != 35 else 0.9) for k in range(40)]
    found = _run(readings, {1: "banana", 30: "banana", 35: "cat"}, ScanConfig(suspicious_share=0.0))
    assert found.status is Status.FOUND
    assert found.affected_labels == ("banana", "cat")
    assert [victim.index for victim in found.victims] == [1, 30, 35]
    assert found.coverage.searched == 40, "cat became an affected label, so all cats were looked at again"


def test_samples_that_were_only_read_are_looked_at_again_when_their_label_turns_out_to_be_affected() -> None:
    labels = ["banana"] * 4 + ["volcano"] * 4 + ["volcano"]
    readings = [_glance(k, label, 0.9 if k == 8 else 0.1) for k, label in enumerate(labels)]
    found = _run(readings, {0: "banana", 5: "volcano", 8: "volcano"}, ScanConfig(suspicious_share=0.0))
    assert [victim.index for victim in found.victims] == [0, 5, 8]
    assert found.coverage.screened == 0
    assert found.affected_labels == ("volcano", "banana"), "the larger family first"


def test_samples_of_other_labels_stay_screened_and_are_counted() -> None:
    readings = [_glance(k, "banana" if k == 0 else "cat") for k in range(20)]
    found = _run(readings, {0: "banana"}, ScanConfig(suspicious_share=0.0))
    assert found.status is Status.FOUND
    assert (found.coverage.searched, found.coverage.screened) == (4, 16)
    assert found.coverage.read == 20


def test_every_searches_every_sample_even_then() -> None:
    readings = [_glance(k, "banana" if k == 0 else "cat") for k in range(20)]
    assert _run(readings, {0: "banana"}, ScanConfig(search="every")).coverage.searched == 20


def test_a_scan_that_only_looked_at_suspicious_samples_is_no_acquittal() -> None:
    found = _run([_glance(k) for k in range(20)], {}, ScanConfig(search="suspicious"))
    assert found.status is Status.INCONCLUSIVE
    assert "only read, not searched" in found.reason
    assert 0 < found.coverage.screened < 20


def test_the_surest_readings_are_suspicious() -> None:
    state = ScanState(ScanConfig(search="suspicious", suspicious_share=0.1))
    state.admit([_glance(k, margin=0.2 + k / 1000) for k in range(100)])
    assert [task.index for task in state.admit([_glance(100, margin=0.1)])] == []
    assert [task.index for task in state.admit([_glance(101, margin=0.9)])] == [101]


def test_faults_are_counted_named_and_never_fatal() -> None:
    state = ScanState(ScanConfig())
    bad = [
        SampleReading(0, "a.png", fault="corrupt", reason="No picture."),
        SampleReading(1, "b.png", fault="missing", reason="Gone."),
    ]
    tasks = state.admit([*bad, _glance(2), replace(_glance(3), digest=2)])
    assert [task.index for task in tasks] == [2]
    state.record([SearchOutcome(2, "2.png", "cat", Status.ERROR, reason="It broke off.")])
    found = state.conclude(complete=True)
    assert found.coverage == Coverage(undecided=1, corrupt=1, missing=1, duplicates=1, complete=True)
    assert found.coverage.reached == 4
    assert [(fault.name, fault.kind) for fault in found.faults] == [
        ("a.png", "corrupt"),
        ("b.png", "missing"),
        ("2.png", "undecided"),
        ("3.png", "duplicate"),
    ]
    assert "sample 2" in found.faults[-1].reason
    assert found.status is Status.INCONCLUSIVE, "one picture could not be decided"


def test_thousands_of_faults_are_all_counted_and_some_are_named() -> None:
    state = ScanState(ScanConfig())
    state.admit([SampleReading(k, f"{k}.png", fault="corrupt", reason="No picture.") for k in range(5000)])
    found = state.conclude(complete=True)
    assert found.coverage.corrupt == 5000
    assert 0 < len(found.faults) <= 200
    assert found.status is Status.INCONCLUSIVE
    assert "could be read" in found.reason


@pytest.mark.parametrize(("others", "label", "doubted"), [(8, "banana", True), (7, "banana", False), (8, "cat", False)])
def test_what_one_sample_alone_shows_is_doubted_beside_a_common_trigger_of_its_label(
    others: int, label: str, doubted: bool
) -> None:
    state = ScanState(ScanConfig())
    state.admit([_glance(k) for k in range(others + 1)])
    state.record(
        [
            *(SearchOutcome(k, f"{k}.png", "banana", Status.FOUND, a_finding(k, a_patch())) for k in range(others)),
            SearchOutcome(others, "odd.png", label, Status.FOUND, a_finding(others, a_patch("yellow"), label)),
        ]
    )
    found = state.conclude(complete=True)
    assert len(found.families) == (1 if doubted else 2)
    assert (others in [victim.index for victim in found.victims]) is not doubted
    assert [victim.family for victim in found.victims][:others] == [0] * others
    assert (found.coverage.searched, found.coverage.undecided) == ((others, 1) if doubted else (others + 1, 0))
    assert [(fault.name, fault.kind) for fault in found.faults] == ([("odd.png", "undecided")] if doubted else [])
    assert others not in found.clean_pool
    assert found.status is Status.FOUND


@pytest.mark.parametrize(("among", "hits", "doubted"), [(100, 10, True), (99, 10, False), (100, 22, False)])
def test_of_many_samples_one_alone_has_to_take_over_most_strangers(among: int, hits: int, doubted: bool) -> None:
    state = ScanState(ScanConfig())
    state.admit([_glance(k) for k in range(among - 1)])
    found = replace(a_finding(3, a_patch()), transplant=Rate(hits, 24))
    state.record([SearchOutcome(3, "3.png", "banana", Status.FOUND, found)])
    assert state.admit([_glance(200)]) if hits == 10 else not state.admit([_glance(200)]), "searched until it is sure"
    said = state.conclude(complete=True)
    assert said.status is (Status.INCONCLUSIVE if doubted else Status.FOUND)
    assert said.affected_labels == (() if doubted else ("banana",))
    assert said.coverage.undecided == int(doubted)
    assert ("10 of 24" in said.faults[0].reason) if doubted else not said.faults


def test_a_match_is_a_victim_without_a_search() -> None:
    state = ScanState(ScanConfig())
    state.record([_searched(task, found="banana") for task in state.admit([_glance(0, "banana")])])
    tasks = state.admit([_glance(1, "banana"), _glance(2, "cat", 0.2)])
    assert tasks == [SearchTask(1, "banana", known=True), SearchTask(2, "cat", known=False)], (
        "the surest reading so far"
    )
    state.record([SearchOutcome(1, "1.png", "banana", Status.FOUND, match=(0, (1, 2, 3, 4), "dog"), forwards=1)])
    state.record([_searched(tasks[1])])
    found = state.conclude(complete=True)
    assert found.coverage == Coverage(searched=2, matched=1, complete=True)
    assert [(v.index, v.restored_label, v.box, v.how) for v in found.victims][1] == (1, "dog", (1, 2, 3, 4), "match")


def test_an_unfinished_scan_is_inconclusive_whatever_it_found() -> None:
    state = ScanState(ScanConfig())
    state.record([_searched(task, found="banana") for task in state.admit([_glance(0, "banana")])])
    found = state.conclude(complete=False, stopped="Stopped after 1 samples.")
    assert found.status is Status.INCONCLUSIVE
    assert found.reason == "Stopped after 1 samples."
    assert found.affected_labels == ("banana",)


def test_clean_samples_of_an_affected_label_are_remembered_for_curating() -> None:
    state = ScanState(ScanConfig())
    state.record([_searched(task) for task in state.admit([_glance(0, "banana"), _glance(1, "cat")])])
    state.record([_searched(task, found="banana") for task in state.admit([_glance(2, "banana", 0.5)])])
    found = state.conclude(complete=True)
    assert found.affected_pool == (0,)
    assert found.clean_pool == (0, 1)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_the_order_within_a_block_does_not_matter(data: st.DataObject) -> None:
    """So it does not matter how a block was split among processes."""
    labels = data.draw(st.lists(st.sampled_from(["cat", "dog", "banana"]), min_size=1, max_size=24))
    readings = [_glance(k, label, data.draw(st.floats(0, 1.9))) for k, label in enumerate(labels)]
    poisoned = {k: "banana" for k, label in enumerate(labels) if label == "banana" and data.draw(st.booleans())}
    config = ScanConfig(suspicious_share=0.1)
    told = []
    for order in (lambda block: block, lambda block: data.draw(st.permutations(block))):
        state = ScanState(config)
        for start in range(0, len(readings), 6):
            tasks = state.admit(order(readings[start : start + 6]))
            state.record(order([_searched(task, found=poisoned.get(task.index, "")) for task in tasks]))
        found = state.conclude(complete=True)
        told.append((found.coverage, found.victims, found.affected_labels, found.clean_pool, state.waiting))
    assert told[0] == told[1]
    coverage = told[0][0]
    assert coverage.reached == len(readings)


def test_settings_outside_their_range_are_refused() -> None:
    for wrong in ({"search": "sometimes"}, {"suspicious_share": 1.5}, {"exemplars": 0}):
        with pytest.raises(ConfigError):
            ScanConfig.from_dict(wrong)


def test_a_trigger_that_works_at_one_place_is_recognised_there_and_nowhere_else() -> None:
    image = torch.rand(3, 64, 64, generator=seeded(0)) * 0.5
    corner, elsewhere = image.clone(), image.clone()
    corner[:, -12:, -12:] = 1.0
    elsewhere[:, 10:22, 10:22] = 1.0
    white = PatchTrigger(torch.ones(3, 12, 12), torch.ones(12, 12, dtype=torch.bool), (52, 52))
    found = recognise(corner, [(0, [white])])
    assert found is not None
    assert box_of(found[1]) == (52, 52, 64, 64)
    assert recognise(elsewhere, [(0, [white])]) is None
    assert recognise(elsewhere, [(0, [replace(white, place="random")])]) is not None
