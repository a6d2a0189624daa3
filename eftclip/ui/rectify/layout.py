"""The components of step 4; what they do is in `listeners`."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from eftclip.pipeline import Plan
from eftclip.ui.components.controls import STEP_HEADING, gallery, start_stop_buttons
from eftclip.ui.components.settings import settings_form
from eftclip.ui.rectify.texts import LINES, MEASURE_SETTINGS, SETTINGS, choices

START = "Rectify this checkpoint"
ABOUT = (
    "A copy of the checkpoint is fine-tuned until the trigger means nothing to it and everything else reads as before. "
    "Then the copy is measured, and you can take it home."
)


@dataclass(frozen=True)
class RectifyStep:
    """Step 4: how the checkpoint is mended."""

    basis: gr.HTML
    settings: dict[str, gr.components.Component]
    start: gr.Button
    stop: gr.Button


@dataclass(frozen=True)
class RectifyResults:
    """What a rectification ends with."""

    banner: gr.HTML
    curve: gr.HTML
    results: gr.Column
    families: gr.HTML
    measures: gr.HTML
    seen: gr.Column
    reread_victims: gr.Gallery
    weights: gr.HTML
    details: gr.HTML
    checkpoint: gr.DownloadButton
    document: gr.DownloadButton

    @property
    def outputs(self) -> list[Any]:
        """In the order of `listeners.updates`."""
        shown = [self.families, self.measures, self.seen, self.reread_victims, self.weights, self.details]
        return [self.banner, self.curve, self.results, *shown, self.checkpoint, self.document]


def rectify_step() -> RectifyStep:
    """Step 4."""
    gr.HTML(STEP_HEADING.format(4, "Rectify", ABOUT))
    basis = gr.HTML(elem_id="basis")
    with gr.Accordion("Method and settings", open=False):
        plan = Plan()
        settings = settings_form((plan.rectify, plan.measure), SETTINGS | MEASURE_SETTINGS, choices(), LINES)
        gr.HTML('<p class="eft-note">How large the fine-tuning set is, is set in step 3.</p>')
    start, stop = start_stop_buttons(START, "rectify")
    return RectifyStep(basis, settings, start, stop)


def rectify_results() -> RectifyResults:
    """Empty until something was rectified."""
    banner = gr.HTML(visible=False, elem_id="rectify-banner")
    curve = gr.HTML(visible=False, elem_id="curve")
    with gr.Column(visible=False, elem_id="rectify-results", elem_classes="eft-results") as results:
        families = gr.HTML(elem_id="own-families")
        measures = gr.HTML(elem_id="measures")
        with gr.Column(visible=False) as seen:
            gr.HTML('<h4 class="eft-title">The same poisoned pictures <span>label before → label after</span></h4>')
            reread_victims = gallery("Poisoned pictures before and after", "witnesses", "png", 8)
        weights = gr.HTML(elem_id="weights")
        with gr.Row(elem_classes="eft-take"):
            checkpoint = gr.DownloadButton(
                "Download the mended checkpoint (zip)", size="sm", variant="primary", elem_classes="eft-download"
            )
            document = gr.DownloadButton("Download this run as JSON", size="sm", elem_classes="eft-download")
        details = gr.HTML(elem_id="details")
    return RectifyResults(
        banner, curve, results, families, measures, seen, reread_victims, weights, details, checkpoint, document
    )
