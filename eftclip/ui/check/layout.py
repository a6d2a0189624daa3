"""The components of step 2 and of its verdict; what they do is in `listeners`."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from eftclip.triggers import POSITIONS, TRIGGERS
from eftclip.ui.check import html as check_html
from eftclip.ui.check import photographs
from eftclip.ui.check.texts import IDLE
from eftclip.ui.checkpoint.request import MAX_SEED
from eftclip.ui.components.banner import banner
from eftclip.ui.components.controls import Components
from eftclip.ui.components.triggers import NO_TRIGGER, TRIGGER_NAMES
from eftclip.ui.components.uploads import uploaded_path


@dataclass(frozen=True)
class CheckStep:
    """Step 2: the photograph."""

    gallery: gr.Gallery
    picture: gr.Image
    note: gr.HTML
    trigger: gr.Dropdown
    position: gr.Dropdown
    patch_px: gr.Slider
    seed: gr.Number
    check: gr.Button
    stop: gr.Button

    @property
    def planting(self) -> Components:
        """What is planted, in the order of `photos.Planting`."""
        return [self.trigger, self.position, self.patch_px, self.seed]


@dataclass(frozen=True)
class CheckResults:
    """What a check ends with."""

    banner: gr.HTML
    results: gr.Column
    picture: gr.Image
    pair: gr.ImageSlider
    beside: gr.HTML
    readings: gr.HTML
    taken: gr.Column
    strangers: gr.Gallery
    numbers: gr.HTML
    difference: gr.HTML
    download: gr.DownloadButton

    @property
    def outputs(self) -> list[Any]:
        """In the order of `listeners.updates`."""
        pictures = [self.picture, self.pair, self.beside, self.readings, self.taken, self.strangers]
        return [self.banner, self.results, *pictures, self.numbers, self.difference, self.download]


def check_step() -> CheckStep:
    """Step 2: a photograph is chosen already, and a trigger is planted in it."""
    gr.HTML('<h2 class="eft-step"><span>2</span> Check an image</h2>')
    with gr.Row(elem_classes="eft-choose"):
        with gr.Column(scale=5, min_width=260):
            picture = gr.Image(
                type="filepath",
                format="png",
                image_mode=None,
                sources=["upload", "webcam", "clipboard"],
                show_label=False,
                label="Photograph",
                height=350,
                buttons=["fullscreen"],
                elem_id="picture",
            )
            picture.preprocess = uploaded_path  # type: ignore[method-assign]  # our own reader judges the file, not Pillow's first look
            note = gr.HTML(elem_id="note")
        with gr.Column(scale=6, min_width=260):
            gallery = gr.Gallery(
                photographs.thumbnails(),
                label="Photographs",
                show_label=False,
                columns=7,
                height="auto",
                object_fit="cover",
                allow_preview=False,
                interactive=False,
                buttons=[],
                selected_index=0,
                elem_id="photos",
            )
            planting = _planting()
    with gr.Row(elem_classes="eft-go"):
        check = gr.Button("Check this photograph", variant="primary", size="lg", scale=5, elem_id="check")
        stop = gr.Button("Stop", variant="stop", size="lg", scale=1, min_width=90, visible=False, elem_id="stop")
    return CheckStep(gallery, picture, note, *planting, check, stop)


def check_results() -> CheckResults:
    """The banner, and under it what led to it."""
    verdict = gr.HTML(banner("idle", IDLE), elem_id="verdict")
    with gr.Column(visible=False, elem_id="results") as results:
        with gr.Row():
            picture = gr.Image(**_shown("What the search found"), elem_id="outlined")
            pair = gr.ImageSlider(
                label="With the trigger, and without it",
                format="png",
                max_height=360,
                interactive=False,
                buttons=["fullscreen"],
                elem_id="pair",
            )
            beside = gr.HTML(elem_id="beside")
        readings = gr.HTML(elem_id="readings")
        with gr.Column(visible=False) as taken:
            gr.HTML(check_html.STRANGERS_TITLE)
            strangers = gr.Gallery(
                label="Strangers",
                show_label=False,
                format="png",
                columns=6,
                height="auto",
                object_fit="cover",
                interactive=False,
                buttons=["fullscreen"],
                elem_id="strangers",
                elem_classes="eft-sheet",
            )
        with gr.Row(elem_classes="eft-tables"):
            numbers = gr.HTML(elem_id="numbers")
            difference = gr.HTML(elem_id="difference")
        download = gr.DownloadButton("Download this verdict as JSON", size="sm", elem_id="download")
    return CheckResults(
        verdict, results, picture, pair, beside, readings, taken, strangers, numbers, difference, download
    )


def _planting() -> tuple[gr.Dropdown, gr.Dropdown, gr.Slider, gr.Number]:
    names = [("no trigger", NO_TRIGGER), *((TRIGGER_NAMES.get(name, name), name) for name in TRIGGERS)]
    with gr.Column(elem_classes="eft-plant"):
        with gr.Row():
            trigger = gr.Dropdown(names, value="badnets", label="Plant a trigger", min_width=130, elem_id="trigger")
            position = gr.Dropdown(list(POSITIONS), value="random", label="Where", min_width=130)
        with gr.Row():
            patch_px = gr.Slider(4, 64, value=16, step=1, label="Size (px)", min_width=130)
            seed = gr.Number(0, label="Seed", precision=0, minimum=0, maximum=MAX_SEED, min_width=90)
    return trigger, position, patch_px, seed


def _shown(label: str) -> dict[str, Any]:
    """A picture that is only looked at; PNG, because WebP would blur what matters."""
    return {"label": label, "format": "png", "height": 360, "interactive": False, "buttons": ["download", "fullscreen"]}
