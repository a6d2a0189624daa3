"""A finished check as the page shows it: pictures, HTML and the document for download."""

from dataclasses import dataclass
from typing import Any

from PIL import Image

from eftclip import figures, report
from eftclip.config import OURS
from eftclip.types import Box, Checked, CheckRecord, Detection, FoundTrigger, NamedPart
from eftclip.ui.check import html as check_html
from eftclip.ui.check import texts
from eftclip.ui.components import html
from eftclip.ui.components.banner import banner
from eftclip.ui.components.pictures import png_uri, preview, to_image
from eftclip.ui.components.texts import UNFINISHED, Message, percentage

STRANGERS = 12


@dataclass(frozen=True)
class CheckView:
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


def refused(reason: str) -> CheckView:
    """The check could not be done."""
    return CheckView("error", banner("error", texts.failed(reason)))


def stopped() -> CheckView:
    """The visitor stopped before there was anything to show."""
    message = Message("Stopped", "The check was stopped before the search was complete.", UNFINISHED)
    return CheckView("inconclusive", banner("inconclusive", message))


def finished(record: CheckRecord, seconds: float) -> CheckView:
    """The first picture of a record, ready for the page."""
    checked = record.results[0]
    detection, trigger = checked.detection, checked.detection.trigger
    return CheckView(
        status=str(detection.status),
        banner=banner(str(detection.status), texts.verdict(checked)),
        picture=_picture(checked),
        pair=_pair(checked),
        readings=check_html.readings(detection),
        strangers=_strangers(trigger),
        numbers=html.facts(_numbers(detection, seconds), "The numbers behind it"),
        difference=check_html.difference(detection.difference, trigger.target_label if trigger else None),
        document=document(record),
    )


def document(record: CheckRecord) -> dict[str, Any]:
    """The same document as the command line's `--json`, with each mask inside it as a data URI."""
    masks = {k: uri for k, checked in enumerate(record.results) if (uri := _mask_uri(checked))}
    return report.check_document(record, masks)


def _picture(checked: Checked) -> Image.Image | None:
    outlined = figures.overlay(checked)
    return None if outlined is None else preview(Image.fromarray(outlined))


def _pair(checked: Checked) -> tuple[Image.Image, Image.Image] | None:
    """Before and after, of the same size as the slider needs them."""
    purified = figures.purified_picture(checked)
    if checked.picture is None or purified is None:
        return None
    return preview(to_image(checked.picture)), preview(Image.fromarray(purified))


def _strangers(trigger: FoundTrigger | None) -> tuple[tuple[Image.Image, str], ...]:
    """Photographs that the trigger took over, with what was read before and after."""
    taken = [stranger for stranger in (trigger.examples if trigger else ()) if stranger.taken_over]
    return tuple((to_image(s.image), f"{s.label_before} → {s.label_after}") for s in taken[:STRANGERS])


def _numbers(detection: Detection, seconds: float) -> list[tuple[str, str]]:
    early = detection.trigger is not None and detection.examined < detection.regions
    rows = [("regions", f"{detection.regions}, search ended at the find" if early else _coverage(detection))]
    if (trigger := detection.trigger) is not None:
        low, high = trigger.transplant.interval()
        rows += [
            ("label forced", trigger.target_label),
            ("strangers taken over", f"{trigger.transplant} (95 %: {percentage(low)} to {percentage(high)})"),
            ("same trigger, reference", str(trigger.control) if trigger.control else "not checked, no reference"),
            ("kind", trigger.kind),
            ("where", f"{percentage(trigger.area_fraction)} of the square, {_place(trigger.box)}"),
        ]
    rows += [("algorithm", detection.algorithm)] if detection.algorithm != OURS else []
    if trigger is None and detection.named is not None:
        rows += _named(detection.named)
    return [*rows, ("CLIP image forwards", f"{detection.image_forwards}"), ("time", f"{seconds:.1f} s")]


def _named(named: NamedPart) -> list[tuple[str, str]]:
    """What the paper's algorithm accuses without a proof."""
    taken = str(named.transplant) if named.transplant else "not tried"
    return [("label named", named.label), ("where", _place(named.box)), ("strangers taken over", taken)]


def _coverage(detection: Detection) -> str:
    return f"{detection.examined} of {detection.regions} examined"


def _place(box: Box) -> str:
    x0, y0, x1, y1 = box
    return f"{x1 - x0} × {y1 - y0} pixels at ({x0}, {y0})"


def _mask_uri(checked: Checked) -> str | None:
    """The mask in the pixels of the file, as a PNG inside the document."""
    trigger, geometry = checked.detection.trigger, checked.geometry
    if trigger is None or geometry is None:
        return None
    mask = geometry.mask_to_picture(trigger.mask)
    return png_uri(Image.fromarray((mask.numpy() * 255).astype("uint8")))
