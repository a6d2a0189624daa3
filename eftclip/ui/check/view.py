"""A finished check as the page shows it: pictures, HTML and the document for download."""

from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image

from eftclip import figures, report
from eftclip.checkpoint import CheckpointReport
from eftclip.pipeline import CheckSetup
from eftclip.types import Checked, CheckRecord, Detection, FoundTrigger
from eftclip.ui.check import texts as words
from eftclip.ui.check.photographs import for_looking, png_uri, to_image
from eftclip.ui.components import html as markup

STRANGERS = 12


@dataclass(frozen=True)
class Shown:
    """Everything that a finished check puts on the page; what is empty is not shown.

    Attributes:
        status: value of `Status`.
        banner: HTML.
        picture: the photograph, with the trigger outlined if there is one.
        pair: the photograph and the same without its trigger.
        readings, numbers, difference: HTML.
        strangers: photographs with captions.
        document: the JSON of the check.
    """

    status: str
    banner: str
    picture: Image.Image | None = None
    pair: tuple[Image.Image, Image.Image] | None = None
    readings: str = ""
    strangers: tuple[tuple[Image.Image, str], ...] = ()
    numbers: str = ""
    difference: str = ""
    document: dict[str, Any] | None = None


def refused(reason: str) -> Shown:
    """The check could not be done."""
    return Shown("error", markup.banner("error", words.failure(reason)))


def stopped() -> Shown:
    """The visitor stopped before there was anything to show."""
    saying = words.Saying("Stopped", "The check was stopped before the search was complete.", words.UNFINISHED)
    return Shown("inconclusive", markup.banner("inconclusive", saying))


def shown(record: CheckRecord, seconds: float) -> Shown:
    """The first picture of a record, ready for the page."""
    checked = record.results[0]
    detection, trigger = checked.detection, checked.detection.trigger
    return Shown(
        status=str(detection.status),
        banner=markup.banner(str(detection.status), words.verdict(checked)),
        picture=_picture(checked),
        pair=_pair(checked),
        readings=markup.readings(detection),
        strangers=_strangers(trigger),
        numbers=markup.facts(_numbers(detection, seconds), "The numbers behind it"),
        difference=markup.difference(detection.difference, trigger.target_label if trigger else None),
        document=document(record),
    )


def document(record: CheckRecord) -> dict[str, Any]:
    """The same document as the command line's `--json`, with each mask inside it as a data URI."""
    masks = {k: uri for k, checked in enumerate(record.results) if (uri := _mask_uri(checked))}
    return report.check_document(record, masks)


def looked_at(seen: CheckpointReport) -> str:
    """HTML: what a checkpoint holds, seen before any of it is loaded."""
    tower = seen.architecture
    rows = [
        ("source", seen.source),
        *([("revision", seen.revision)] if seen.revision else []),
        ("licence", seen.licence or "not stated"),
        ("weights", f"{seen.weight_file} ({seen.format})" if seen.weight_file else "none"),
        *([("architecture", f"{tower.vision} and {tower.text}, {tower.image_px} px")] if tower else []),
        *((name, report.size(count)) for name, count in seen.files.items()),
        *([("and", f"{seen.left_out:,} more files")] if seen.left_out else []),
    ]
    saying = "Nothing speaks against loading it." if not seen.problems else "Something is wrong with it:"
    problems = "".join(markup.note(problem, wrong=True) for problem in seen.problems)
    return markup.note(f"Looked at, not loaded. {saying}") + problems + markup.facts(rows)


def provenance(setup: CheckSetup, about: str) -> str:
    """HTML: exactly which weights are under test, and with what; `about` says what they are for, if we know."""
    ref = setup.clip.ref
    rows = [
        ("source", ref.source),
        *([("revision", ref.revision)] if ref.revision else []),
        ("weights", f"{ref.format}, sha256 {ref.sha256[:16]}…"),
        ("architecture", f"{_architecture(setup.clip.model)}, {setup.clip.image_px} px"),
        ("labels", f"{len(setup.classes.labels):,} ({setup.labels_source})"),
        ("sanity", f"{'passed' if setup.sanity.ok else 'failed'}: {setup.sanity.clean} photographs named right"),
        ("oracle", setup.oracle.name),
        ("reference", setup.reference[0].ref.source if setup.reference else "none"),
    ]
    warning = "" if setup.sanity.ok else markup.note(setup.sanity.reason, wrong=True)
    return (markup.note(about) if about else "") + warning + markup.provenance(rows)


def _architecture(model: torch.nn.Module) -> str:
    """The image tower by name, and how many parameters the whole has."""
    tower = model.visual
    card = getattr(getattr(tower, "trunk", None), "default_cfg", None) or {}
    millions = sum(parameter.numel() for parameter in model.parameters()) / 1e6
    return f"{card.get('architecture') or type(tower).__name__}, {millions:.1f} M parameters"


def _picture(checked: Checked) -> Image.Image | None:
    outlined = figures.overlay(checked)
    return None if outlined is None else for_looking(Image.fromarray(outlined))


def _pair(checked: Checked) -> tuple[Image.Image, Image.Image] | None:
    """Before and after, of the same size as the slider needs them."""
    purified = figures.purified_picture(checked)
    if checked.picture is None or purified is None:
        return None
    return for_looking(to_image(checked.picture)), for_looking(Image.fromarray(purified))


def _strangers(trigger: FoundTrigger | None) -> tuple[tuple[Image.Image, str], ...]:
    """Photographs that the patch took over, with what was read before and after."""
    taken = [stranger for stranger in (trigger.strangers if trigger else ()) if stranger.taken_over]
    return tuple((to_image(s.image), f"{s.label_before} → {s.label_after}") for s in taken[:STRANGERS])


def _numbers(detection: Detection, seconds: float) -> list[tuple[str, str]]:
    early = detection.trigger is not None and detection.examined < detection.regions
    rows = [("regions", f"{detection.regions}, search ended at the find" if early else _coverage(detection))]
    if (trigger := detection.trigger) is not None:
        low, high = trigger.transplant.interval()
        rows += [
            ("label forced", trigger.target_label),
            ("strangers taken over", f"{trigger.transplant} (95 %: {words.share(low)} to {words.share(high)})"),
            ("same patch, reference", str(trigger.control) if trigger.control else "not checked, no reference"),
            ("patch", f"{words.share(trigger.area_fraction)} of the square, {_box(trigger)}"),
        ]
    return [*rows, ("CLIP image forwards", f"{detection.image_forwards}"), ("time", f"{seconds:.1f} s")]


def _coverage(detection: Detection) -> str:
    return f"{detection.examined} of {detection.regions} examined"


def _box(trigger: FoundTrigger) -> str:
    x0, y0, x1, y1 = trigger.box
    return f"{x1 - x0} × {y1 - y0} pixels at ({x0}, {y0})"


def _mask_uri(checked: Checked) -> str | None:
    """The mask in the pixels of the file, as a PNG inside the document."""
    trigger, geometry = checked.detection.trigger, checked.geometry
    if trigger is None or geometry is None:
        return None
    mask = geometry.mask_to_picture(trigger.mask)
    return png_uri(Image.fromarray((mask.numpy() * 255).astype("uint8")))
