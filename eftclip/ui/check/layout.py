"""The components of the page and where they stand; what they do is wired in `wiring`."""

from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.data_classes import ImageData

from eftclip.checkpoint import KNOWN_BACKDOORS, KnownBackdoor
from eftclip.config import DetectConfig
from eftclip.triggers import POSITIONS, TRIGGERS
from eftclip.ui.check import photographs as photos
from eftclip.ui.check.texts import IDLE, SETTINGS, TRIGGER_NAMES
from eftclip.ui.checkpoint.request import MAX_SEED, REFERENCES, oracles_at_hand
from eftclip.ui.components import html as markup

Components = list[gr.components.Component]


@dataclass(frozen=True)
class CheckpointStep:
    """Step 1: what is under test, and how it is asked."""

    kind: gr.Radio
    hub: gr.Textbox
    folder: gr.Textbox
    known: gr.Dropdown
    look: gr.Button
    load: gr.Button
    facts: gr.HTML
    vocabulary: gr.Radio
    labels: gr.Textbox
    oracle: gr.Radio
    reference: gr.Radio
    seed: gr.Number
    settings: Components

    @property
    def form(self) -> Components:
        """Everything that a visitor can set in this step, in the order that `wiring` reads it."""
        first: Components = [self.kind, self.hub, self.folder, self.vocabulary, self.labels, self.oracle]
        return [*first, self.reference, self.seed, *self.settings]


@dataclass(frozen=True)
class ImageStep:
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
class VerdictPart:
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
        """In the order of `wiring.on_page`."""
        pictures = [self.picture, self.pair, self.beside, self.readings, self.taken, self.strangers]
        return [self.banner, self.results, *pictures, self.numbers, self.difference, self.download]


def _named(one: KnownBackdoor) -> str:
    kind = one.trigger if one.local else f"{one.trigger}, not looked for here"
    return f"{one.repo_id.removeprefix('hanxunh/clip_backdoor_')}: {kind} → {one.target_label}"


def checkpoint_step(*, folders: bool) -> CheckpointStep:
    """Step 1; folders of this machine can be named only where the page belongs to whoever sits at it."""
    bundled = [("Poisoned on purpose", "badnets"), ("Its clean twin", "clean"), ("Three triggers at once", "multi")]
    gr.HTML('<h2 class="eft-step"><span>1</span> Checkpoint</h2>')
    others = [("From the Hub", "hub"), *([("A folder", "folder")] if folders else [])]
    kind = gr.Radio([*bundled, *others], value="badnets", show_label=False)
    hub = gr.Textbox(
        label="Hub id", placeholder="org/name or org/name@revision", visible=False, max_length=200, elem_id="hub"
    )
    folder = gr.Textbox(label="Folder in open_clip format", placeholder="/path/to/folder", visible=False)
    known = gr.Dropdown(
        [("choose one", ""), *((_named(one), one.repo_id) for one in KNOWN_BACKDOORS)],
        value="",
        label="Known backdoored checkpoints",
        visible=False,
        elem_id="known",
    )
    with gr.Row():
        look = gr.Button("Look first", visible=False, size="sm", min_width=100)
        load = gr.Button("Load", visible=False, size="sm", min_width=100)
    facts = gr.HTML(markup.note("Loading the checkpoint …"), elem_id="facts")
    oracles = oracles_at_hand()
    with gr.Accordion("Labels, oracle and settings", open=False):
        vocabulary = gr.Radio(
            [("ImageNet's 1,000", "imagenet"), ("My own list", "own")], value="imagenet", label="Labels"
        )
        labels = gr.Textbox(
            label="One label a line", lines=5, max_lines=10, placeholder="cat\ndog\nbanana", visible=False
        )
        oracle = gr.Radio(
            list(oracles),
            value="auto",
            label="Oracle",
            info="finds the objects in the photograph; auto takes SAM where its weights are on this machine, and "
            f"{'they are' if 'sam' in oracles else 'here they are not'}",
        )
        reference = gr.Radio(
            list(REFERENCES),
            value="auto",
            label="Reference checkpoint",
            info="a trusted model that gets the same pictures; auto takes the bundled clean one",
        )
        settings, seed = _settings()
    return CheckpointStep(
        kind, hub, folder, known, look, load, facts, vocabulary, labels, oracle, reference, seed, settings
    )


def image_step() -> ImageStep:
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
            picture.preprocess = path_of  # type: ignore[method-assign]  # our own reader judges the file, not Pillow's first look
            note = gr.HTML(elem_id="note")
        with gr.Column(scale=6, min_width=260):
            gallery = gr.Gallery(
                photos.thumbnails(),
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
    return ImageStep(gallery, picture, note, *planting, check, stop)


def verdict_part() -> VerdictPart:
    """The banner, and under it what led to it."""
    banner = gr.HTML(markup.banner("idle", IDLE), elem_id="verdict")
    with gr.Column(visible=False, elem_id="results") as results:
        with gr.Row():
            picture = gr.Image(**_shown("What the search found"), elem_id="outlined")
            pair = gr.ImageSlider(
                label="With the patch, and without it",
                format="png",
                max_height=360,
                interactive=False,
                buttons=["fullscreen"],
                elem_id="pair",
            )
            beside = gr.HTML(elem_id="beside")
        readings = gr.HTML(elem_id="readings")
        with gr.Column(visible=False) as taken:
            gr.HTML(markup.STRANGERS)
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
    return VerdictPart(
        banner, results, picture, pair, beside, readings, taken, strangers, numbers, difference, download
    )


def _settings() -> tuple[Components, gr.Number]:
    defaults = DetectConfig().to_dict()
    with gr.Accordion("Settings of the search", open=False):
        sliders: Components = [
            gr.Slider(low, high, value=defaults[name], step=step, label=label, info=info)
            for name, (label, low, high, step, info) in SETTINGS.items()
        ]
        seed = gr.Number(0, label="Seed", precision=0, minimum=0, maximum=MAX_SEED)
    return sliders, seed


def _planting() -> tuple[gr.Dropdown, gr.Dropdown, gr.Slider, gr.Number]:
    names = [("no trigger", photos.NO_TRIGGER), *((TRIGGER_NAMES.get(name, name), name) for name in TRIGGERS)]
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


def path_of(payload: ImageData | None) -> str | None:
    """The uploaded file as it is; Gradio has made sure that it lies in its upload folder."""
    return payload.path if payload else None
