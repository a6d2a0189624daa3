"""What the page says of a scan and a rectification: no claim beyond the numbers, and no text that is markup."""

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import pytest
import torch
from support.verdicts import MASK_BOX, REF, box_mask, check_record, found, not_found, undecided

from eftclip.runtime import Progress, seeded
from eftclip.trigger_kinds import TRIGGER_KINDS, JitterTrigger, PatchTrigger
from eftclip.triggers import TRIGGERS, draw_trigger
from eftclip.types import (
    Coverage,
    Evaluation,
    Identification,
    NamedPart,
    Rate,
    Rectified,
    RunRecord,
    Sanity,
    Status,
    TriggerFamily,
    TuningStep,
    Victim,
)
from eftclip.ui.check import texts as check_texts
from eftclip.ui.check import view as check_view
from eftclip.ui.components import html
from eftclip.ui.components.banner import running_banner
from eftclip.ui.components.texts import Message
from eftclip.ui.rectify import html as rectify_html
from eftclip.ui.rectify import texts as rectify_texts
from eftclip.ui.rectify import view as rectify_view
from eftclip.ui.rectify.html import Measure
from eftclip.ui.scan import html as scan_html
from eftclip.ui.scan import texts as scan_texts
from eftclip.ui.scan import view as scan_view
from eftclip.ui.scan.html import FamilyCard
from eftclip.ui.serving import files

pytestmark = pytest.mark.quick

HOSTILE = "<img src=x onerror=alert(1)>"
ALL, NONE = Rate(300, 300), Rate(0, 300)
PATCH = PatchTrigger(torch.rand(3, 4, 4), torch.ones(4, 4, dtype=torch.bool))


def _found(label: str = "banana", *, complete: bool = True, indices: tuple[int, ...] = (1, 4)) -> Identification:
    family = TriggerFamily(label, (PATCH,), Rate(23, 24), Rate(0, 24))
    victims = tuple(Victim(k, f"{k}.png", label, "cat", 0, (0, 0, 4, 4), "search") for k in indices)
    status = Status.FOUND if complete else Status.INCONCLUSIVE
    return Identification(status, "1 trigger found.", (family,), victims, Coverage(searched=9, complete=complete))


def _nothing(*, complete: bool = True) -> Identification:
    status = Status.NOT_FOUND if complete else Status.INCONCLUSIVE
    return Identification(status, "All 9 pictures were searched.", (), (), Coverage(searched=9, complete=complete))


def _evaluation(clean: Rate, attack: Rate) -> Evaluation:
    return Evaluation(clean, attack, Rate(150, 300), (("banana", attack, Rate(150, 300)),), None, "readings", "views")


def _record(found: Identification, stopped: str = "steps", **measured: Evaluation) -> RunRecord:
    look = TuningStep(10, 0.1, Rate(1, 9), Rate(9, 9))
    done = Rectified("realign", 20, 640, (look,), stopped, 1.0, "digest", "/somewhere/on/the/server", "ab" * 32)
    done = replace(done, about=f"does {HOSTILE}", remark=f"It did {HOSTILE}.", origin=f"of {HOSTILE}")
    return RunRecord(
        kind="rectify",
        ref=REF,
        configs={"rectify": {"steps": 20}},
        labels=(1000, "imagenet"),
        oracle="superpixel",
        reference=None,
        sanity=Sanity(Rate(9, 9), True, "It works.", "none"),
        seed=0,
        versions={},
        identification=found,
        rectified=done if measured or stopped == "cancelled" else None,
        conclusion="There is nothing to rectify; the checkpoint was not changed.",
        **measured,  # type: ignore[arg-type]
    )


# --- scan ---


def test_a_trigger_is_called_what_it_is_whatever_its_kind() -> None:
    said, checked = {}, found()
    hit = checked.detection.trigger
    assert hit is not None
    for trigger in (*(draw_trigger(name, generator=seeded(0)) for name in TRIGGERS), JitterTrigger(1.0)):
        detection = replace(checked.detection, trigger=replace(hit, triggers=(trigger,)))
        said[trigger.kind] = check_texts.verdict(replace(checked, detection=detection)).text
    assert set(said) == set(TRIGGER_KINDS) and len(set(said.values())) == len(said)
    assert [kind for kind, text in said.items() if "patch" in text.lower()] == ["patch"]
    assert "Done to other photographs, it took over 23 of 24" in said["warp"]


def test_a_verdict_says_that_the_papers_algorithm_judged() -> None:
    part = NamedPart("banana", box_mask(), MASK_BOX, 0.9, transplant=Rate(0, 24))
    checked = found()
    proven = replace(checked.detection, algorithm="paper", named=part)
    assert "The paper's algorithm named it" in check_texts.verdict(replace(checked, detection=proven)).small
    unproven = replace(undecided().detection, algorithm="paper", named=part)
    said = check_texts.verdict(replace(checked, detection=unproven))
    assert said.headline == "Named by the paper's algorithm, not proven"
    nothing = replace(not_found().detection, algorithm="paper")
    assert "paper's algorithm names nothing" in check_texts.verdict(replace(checked, detection=nothing)).headline
    shown = check_view.finished(check_record(replace(checked, detection=unproven)), 1.0)
    assert "0 of 24" in shown.numbers and "paper" in shown.numbers


def test_a_practice_set_says_how_the_scan_did() -> None:
    right = scan_texts.finished(_found(), frozenset({1, 4}), stopped=False)
    assert "points at 2 of them and at no other." in right.text
    wrong = scan_texts.finished(_found(indices=(1, 2, 3)), frozenset({1, 4}), stopped=False)
    assert "points at 1 of them and at 2 others." in wrong.text
    assert "leaves no victim" in wrong.text
    assert "planted" not in scan_texts.finished(_found(), frozenset(), stopped=False).text


@pytest.mark.parametrize(
    ("found", "stopped", "headline"),
    [
        (_found(), False, "A trigger is steering this model"),
        (_found(complete=False), True, "A trigger was found, but the scan is unfinished"),
        (_nothing(), False, "No trigger found in these pictures"),
        (_nothing(complete=False), True, "Stopped"),
        (_nothing(complete=False), False, "Could not be decided"),
    ],
)
def test_a_scan_claims_what_its_status_bears(found: Identification, stopped: bool, headline: str) -> None:
    saying = scan_texts.finished(found, frozenset(), stopped=stopped)
    assert saying.headline == headline
    assert "clean" not in f"{saying.headline} {saying.text} {saying.small}".lower()


def test_what_a_rectification_would_work_with_is_said_before() -> None:
    assert rectify_texts.basis(None, other=False).startswith("No scan yet: bundled photographs")
    assert rectify_texts.basis(_found(), other=True).startswith("The last scan was of another checkpoint")
    assert rectify_texts.basis(_nothing(), other=False).startswith("The last scan found no trigger")
    assert rectify_texts.basis(_found(), other=False) == "Uses the triggers that the scan found: “banana”."


# --- rectification ---


@pytest.mark.parametrize(
    ("clean", "attack", "status", "headline"),
    [
        (Rate(297, 300), NONE, "mended", "The trigger has lost its power"),
        (Rate(240, 300), NONE, "mended", "The trigger has lost its power, at a price"),
        (ALL, Rate(60, 300), "inconclusive", "The trigger is weaker, but still works"),
        (ALL, Rate(299, 300), "inconclusive", "The trigger still works"),
    ],
)
def test_a_rectification_claims_what_was_measured(clean: Rate, attack: Rate, status: str, headline: str) -> None:
    record = _record(_found(), before=_evaluation(ALL, ALL), after=_evaluation(clean, attack))
    told, saying = rectify_texts.finished(record)
    assert (told, saying.headline) == (status, headline)
    assert f"took over 300 before, and {attack.hits} now" in saying.text
    if status == "mended":
        assert "What was not found is still there" in saying.small


@pytest.mark.parametrize(("origin", "said"), [("found", False), ("inverted", True)])
def test_what_was_measured_with_grown_triggers_says_so(origin: Literal["found", "inverted"], said: bool) -> None:
    found = _found()
    families = tuple(replace(family, origin=origin) for family in found.families)
    assert families
    record = _record(replace(found, families=families), before=_evaluation(ALL, ALL), after=_evaluation(ALL, NONE))
    assert ("what was planted may still work" in rectify_texts.finished(record)[1].small) is said


def test_a_trigger_that_forces_nothing_but_still_disturbs_is_a_price() -> None:
    after = replace(_evaluation(ALL, NONE), poisoned=Rate(9, 300))
    assert after.disturbed
    assert not _evaluation(ALL, NONE).disturbed
    status, saying = rectify_texts.finished(_record(_found(), before=_evaluation(ALL, ALL), after=after))
    assert (status, saying.headline) == ("mended", "The trigger has lost its power, at a price")
    assert "of 300 with the trigger only 9 are read rightly" in saying.text


@pytest.mark.parametrize(
    ("record", "status", "headline"),
    [
        (_record(_nothing()), "not_found", "Nothing to rectify"),
        (_record(_nothing(complete=False)), "inconclusive", "Nothing was rectified"),
        (_record(_found(), "cancelled"), "inconclusive", "Stopped"),
    ],
)
def test_what_was_not_changed_is_said_to_be_unchanged(record: RunRecord, status: str, headline: str) -> None:
    told, saying = rectify_texts.finished(record)
    assert (told, saying.headline) == (status, headline)
    assert "was written" in f"{saying.text} {saying.small}"
    assert not rectify_view.finished(record, files.document_of(record), "x", scanned=True).weights


# --- everything that strangers can write is text ---


@pytest.mark.parametrize(
    "html",
    [
        scan_html.families([FamilyCard(('">' + HOSTILE,), HOSTILE, (HOSTILE,))]),
        html.title(HOSTILE, HOSTILE),
        html.chips(HOSTILE, [HOSTILE]),
        html.sentences([HOSTILE]),
        html.basis_note(HOSTILE),
        html.table([HOSTILE], [(HOSTILE, HOSTILE)], HOSTILE),
        html.folded(HOSTILE, ""),
        html.code([HOSTILE]),
        rectify_html.measures([Measure(HOSTILE, HOSTILE, ALL, NONE)]),
        running_banner(Message(HOSTILE, HOSTILE, HOSTILE), Progress(HOSTILE, 1, 2), HOSTILE),
        running_banner(Message(HOSTILE, HOSTILE, HOSTILE), Progress(HOSTILE, 1, 0), HOSTILE),
    ],
)
def test_no_text_is_markup(html: str) -> None:
    assert "<img src=x" not in html
    assert "&lt;img" in html


def test_labels_and_names_of_a_whole_run_are_text() -> None:
    record = _record(_found(HOSTILE), before=_evaluation(ALL, ALL), after=_evaluation(ALL, NONE))
    document = files.document_of(record)
    scan = scan_view.finished(record, document, frozenset(), stopped=False)
    rectify = rectify_view.finished(record, document, HOSTILE, scanned=False)
    parts = [scan.banner, scan.families, scan.victims, scan.coverage, rectify.banner, rectify.measures]
    for part in [*parts, rectify.families, rectify.weights, rectify.curve, rectify.details]:
        assert "<img src=x" not in part
    assert "Method realign: does &lt;img" in rectify.details
    assert "It did &lt;img" in rectify.details
    assert "/somewhere" not in "".join(parts) + rectify.weights


# --- drawing ---


def test_a_curve_without_a_look_and_without_pictures_is_a_curve_all_the_same() -> None:
    assert "at most 20 steps" in rectify_html.curve((), 20)
    empty = TuningStep(5, 0.1, Rate(0, 0), Rate(3, 4))
    html = rectify_html.curve((empty,), 20)
    assert html.count("eft-dot") == 1, "what was not counted has no point"
    assert "nan" not in html


def test_what_was_not_measured_has_no_bar() -> None:
    html = rectify_html.measures([Measure("ASR", "", Rate(0, 0), NONE)])
    assert "not measured" in html
    assert "nan" not in html


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("badnets", "badnets-rectified"),
        ("hf:org/My.Model@main", "My.Model-rectified"),
        ("/home/me/checkpoints/x/", "x-rectified"),
        ("hf:org/..", "checkpoint-rectified"),
        ("hf:org/a b<c>", "a-b-c-rectified"),
        ("my clip.zip", "my-clip-rectified"),
        ("epoch_30.safetensors", "epoch_30-rectified"),
    ],
)
def test_a_mended_checkpoint_gets_a_name_that_is_a_folder_everywhere(source: str, name: str) -> None:
    assert files.rectified_name(source) == name


def test_news_of_a_rectification_keep_their_curve() -> None:
    step = TuningStep(5, 0.1, Rate(1, 4), Rate(3, 4))
    shown: Callable[..., tuple[str, str]] = rectify_view.running
    assert shown(None, "", 10)[1] == ""
    assert "no look yet" in shown(rectify_view.RectifyProgress(Progress("Rectifying", 1, 10)), "", 10)[1]
    assert "step 5 of 10" in shown(rectify_view.RectifyProgress(Progress("Measuring", 32, 0), (), (step,)), "", 10)[1]


def test_lines_to_copy_stay_lines_and_are_text() -> None:
    assert html.code(("import a", "b = <c>\n")) == '<pre class="eft-code">import a\nb = &lt;c&gt;\ufffd</pre>'
