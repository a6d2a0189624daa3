"""The components of the steps 3 and 4; what they do is wired in `run_wiring`."""

from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.data_classes import FileData, ListFiles

from eftclip.config import CurateConfig, RectifyConfig, ScanConfig, Settings
from eftclip.triggers import TRIGGERS
from eftclip.ui.check.photographs import NO_TRIGGER
from eftclip.ui.check.texts import TRIGGER_NAMES
from eftclip.ui.scan import request as run_asks
from eftclip.ui.scan import texts as run_words
from eftclip.ui.scan.texts import (
    CURATE_SETTINGS,
    RECTIFY_CHOICES,
    RECTIFY_SETTINGS,
    SCAN_CHOICES,
    SCAN_SETTINGS,
    SOURCES,
    Choices,
    Rows,
)

STEP = '<h2 class="eft-step"><span>{}</span> {}</h2><p class="eft-note">{}</p>'
SCAN_ABOUT = (
    "One photograph tells little. A scan goes through many: which of them carry a trigger, what the trigger is, and "
    "which labels it forces."
)
RECTIFY_ABOUT = (
    "A copy of the checkpoint is fine-tuned until the trigger means nothing to it and everything else reads as before. "
    "Then the copy is measured, and you can take it home."
)
PRACTICE_ABOUT = (
    "Views of the bundled photographs, as the model sees them, a trigger planted in some: a set whose answer is known. "
    "Three in turns are {}."
)
UPLOAD_ABOUT = "One zip archive of pictures, or several pictures; at most 20 MB for each file."
HUB_ABOUT = "Its pictures are read one by one and not kept; no code of the data set is run."


@dataclass(frozen=True)
class ScanStep:
    """Step 3: which pictures are scanned, and how."""

    kind: gr.Radio
    sources: dict[str, gr.components.Component]
    groups: dict[str, gr.Group]
    settings: dict[str, gr.components.Component]
    start: gr.Button
    stop: gr.Button


@dataclass(frozen=True)
class ScanResults:
    """What a scan ends with."""

    banner: gr.HTML
    results: gr.Column
    families: gr.HTML
    victims: gr.HTML
    pictures: gr.Gallery
    coverage: gr.HTML
    curated: gr.Accordion
    about: gr.HTML
    items: gr.Gallery
    archive: gr.DownloadButton
    document: gr.DownloadButton

    @property
    def outputs(self) -> list[Any]:
        """In the order of `run_wiring.scan_on_page`."""
        shown = [self.families, self.victims, self.pictures, self.coverage]
        return [self.banner, self.results, *shown, self.curated, self.about, self.items, self.archive, self.document]


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
    witnesses: gr.Gallery
    weights: gr.HTML
    details: gr.HTML
    checkpoint: gr.DownloadButton
    document: gr.DownloadButton

    @property
    def outputs(self) -> list[Any]:
        """In the order of `run_wiring.rectify_on_page`."""
        shown = [self.families, self.measures, self.seen, self.witnesses, self.weights, self.details]
        return [self.banner, self.curve, self.results, *shown, self.checkpoint, self.document]


def scan_step(*, folders: bool) -> ScanStep:
    """Step 3; folders of this machine can be named only where the page belongs to whoever sits at it."""
    gr.HTML(STEP.format(3, "Scan a data set", SCAN_ABOUT))
    kinds = [(name, kind) for kind, name in SOURCES.items() if folders or kind != "folder"]
    kind = gr.Radio(kinds, value="practice", show_label=False, elem_id="source")
    sources: dict[str, gr.components.Component] = {"kind": kind}
    groups = {}
    with gr.Group(elem_classes="eft-source") as groups["practice"]:
        sources |= _practice()
    with gr.Group(visible=False, elem_classes="eft-source") as groups["upload"]:
        sources["files"] = _files()
        gr.HTML(f'<p class="eft-note">{UPLOAD_ABOUT}</p>')
    with gr.Group(visible=False, elem_classes="eft-source") as groups["hub"]:
        with gr.Row():
            sources["hub"] = gr.Textbox(
                label="Data set", placeholder="org/name or org/name@revision", max_length=200, scale=3, min_width=200
            )
            sources["split"] = gr.Textbox("train", label="Split", max_length=run_asks.MAX_SPLIT_CHARS, min_width=120)
        gr.HTML(f'<p class="eft-note">{HUB_ABOUT}</p>')
    with gr.Group(visible=False, elem_classes="eft-source") as groups["folder"]:
        sources["folder"] = gr.Textbox(
            label="Folder or data file", placeholder="/path/to/folder, to a .parquet, .tar or .zip file"
        )
    with gr.Accordion("Settings of the scan", open=False):
        most = run_asks.MOST_SAMPLES_ALONE if folders else run_asks.MOST_SAMPLES
        sources["most"] = gr.Number(
            500,
            precision=0,
            minimum=1,
            maximum=most,
            label="Samples at most",
            info=f"the first ones of your pictures or of the data set; up to {most:,}",
            elem_classes="eft-narrow",
        )
        settings = settings_form(ScanConfig(), SCAN_SETTINGS, SCAN_CHOICES)
        settings |= settings_form(CurateConfig(), CURATE_SETTINGS, {})
    start, stop = buttons("Scan", "scan")
    return ScanStep(kind, sources, groups, settings, start, stop)


def scan_results() -> ScanResults:
    """Empty until something was scanned."""
    banner = gr.HTML(visible=False, elem_id="scan-banner")
    with gr.Column(visible=False, elem_id="scan-results", elem_classes="eft-results") as results:
        families = gr.HTML(elem_id="families")
        victims = gr.HTML(elem_id="victims-about")
        pictures = _gallery("Victims", "victims", "png", 6)
        coverage = gr.HTML(elem_id="coverage")
        with gr.Accordion("Fine-tuning set", open=False, visible=False, elem_id="curated") as curated:
            about = gr.HTML(elem_id="curated-about")
            items = _gallery("Fine-tuning set", "items", "webp", 8)
            archive = gr.DownloadButton("Download this set (zip)", size="sm", elem_classes="eft-download")
        document = gr.DownloadButton("Download this scan as JSON", size="sm", elem_classes="eft-download")
    return ScanResults(banner, results, families, victims, pictures, coverage, curated, about, items, archive, document)


def rectify_step() -> RectifyStep:
    """Step 4."""
    gr.HTML(STEP.format(4, "Rectify", RECTIFY_ABOUT))
    basis = gr.HTML(elem_id="basis")
    with gr.Accordion("Method and settings", open=False):
        settings = settings_form(RectifyConfig(), RECTIFY_SETTINGS, RECTIFY_CHOICES)
        gr.HTML('<p class="eft-note">How large the fine-tuning set is, is set in step 3.</p>')
    start, stop = buttons("Rectify this checkpoint", "rectify")
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
            witnesses = _gallery("Poisoned pictures before and after", "witnesses", "png", 8)
        weights = gr.HTML(elem_id="weights")
        with gr.Row(elem_classes="eft-take"):
            checkpoint = gr.DownloadButton(
                "Download the mended checkpoint (zip)", size="sm", variant="primary", elem_classes="eft-download"
            )
            document = gr.DownloadButton("Download this run as JSON", size="sm", elem_classes="eft-download")
        details = gr.HTML(elem_id="details")
    return RectifyResults(
        banner, curve, results, families, measures, seen, witnesses, weights, details, checkpoint, document
    )


def names_of(payload: ListFiles | FileData | None) -> list[tuple[str, str]]:
    """Uploaded files with the names that they had on the visitor's machine; Gradio has made sure where they lie."""
    given = payload.root if isinstance(payload, ListFiles) else [payload] if payload else []
    return [(file.path, file.orig_name or file.path.rsplit("/", 1)[-1]) for file in given]


def _practice() -> dict[str, gr.components.Component]:
    turns = ", ".join(TRIGGER_NAMES[name] for name in run_words.TURNS)
    triggers = [
        ("no trigger", NO_TRIGGER),
        *((TRIGGER_NAMES.get(name, name), name) for name in TRIGGERS),
        ("three in turns", run_words.IN_TURNS),
    ]
    with gr.Row():
        made: dict[str, gr.components.Component] = {
            "count": gr.Slider(
                run_asks.LEAST_VIEWS, run_asks.MOST_VIEWS, value=48, step=1, label="Views", min_width=160
            ),
            "percent": gr.Slider(0, 100, value=25, step=1, label="With a trigger (%)", min_width=160),
            "trigger": gr.Dropdown(triggers, value="badnets", label="Planted trigger", min_width=160),
        }
    gr.HTML(f'<p class="eft-note">{PRACTICE_ABOUT.format(turns)}</p>')
    return made


def _files() -> gr.File:
    files = gr.File(file_count="multiple", label="Pictures or a zip archive", show_label=False, height=140)
    files.preprocess = names_of  # type: ignore[method-assign, assignment]  # our reader judges the files, by the visitor's names
    return files


def settings_form(config: Settings, rows: Rows, choices: Choices) -> dict[str, gr.components.Component]:
    """A component for each field of a configuration, choices before numbers."""
    values, made = config.to_dict(), dict[str, gr.components.Component]()
    for name, (label, options, info) in choices.items():
        known = [(shown, value) for value, shown in options.items()]
        made[name] = gr.Radio(known, value=values[name], label=label, info=info or None, elem_classes="eft-choices")
    with gr.Row(elem_classes="eft-sliders"):
        for name, (label, low, high, step, info) in rows.items():
            made[name] = gr.Slider(low, high, value=values[name], step=step, label=label, info=info, min_width=240)
    return made


def buttons(text: str, name: str) -> tuple[gr.Button, gr.Button]:
    """The button of a step, and the one that stops its work."""
    with gr.Row(elem_classes="eft-go"):
        start = gr.Button(text, variant="primary", size="lg", scale=5, elem_id=name)
        stop = gr.Button(
            "Stop", variant="stop", size="lg", scale=1, min_width=90, visible=False, elem_id=f"stop-{name}"
        )
    return start, stop


def _gallery(label: str, name: str, kind: str, columns: int) -> gr.Gallery:
    """Pictures that are only looked at; PNG where small triggers must stay as they are."""
    return gr.Gallery(
        label=label,
        show_label=False,
        format=kind,
        columns=columns,
        height="auto",
        object_fit="cover",
        interactive=False,
        buttons=["fullscreen"],
        elem_id=name,
        elem_classes="eft-sheet",
    )
