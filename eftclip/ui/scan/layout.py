"""The components of step 3; what they do is in `listeners`."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from eftclip.config import CurateConfig, ScanConfig
from eftclip.triggers import TRIGGERS
from eftclip.ui.components.controls import STEP_HEADING, gallery, start_stop_buttons
from eftclip.ui.components.settings import settings_form
from eftclip.ui.components.triggers import NO_TRIGGER, TRIGGER_NAMES
from eftclip.ui.components.uploads import MOST_PICTURE_MB, uploaded_files
from eftclip.ui.scan import request, texts
from eftclip.ui.scan.texts import CHOICES, CURATE_SETTINGS, SCAN_SETTINGS, SOURCES

START = "Scan"
ABOUT = (
    "One photograph tells little. A scan goes through many: which of them carry a trigger, what the trigger is, and "
    "which labels it forces."
)
PRACTICE_ABOUT = (
    "Views of the bundled photographs, as the model sees them, a trigger planted in some: a set whose answer is known. "
    "Three in turns are {}."
)
UPLOAD_ABOUT = f"One zip archive of pictures, or several pictures; at most {MOST_PICTURE_MB} MB for each file."
HUB_ABOUT = "Its pictures are read one by one and not kept; no code of the data set is run."


@dataclass(frozen=True)
class ScanStep:
    """Step 3: which pictures are scanned, what they were recognised as, and how they are scanned."""

    kind: gr.Radio
    sources: dict[str, gr.components.Component]
    groups: dict[str, gr.Group]
    settings: dict[str, gr.components.Component]
    recognised: gr.HTML
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
        """In the order of `listeners.updates`."""
        shown = [self.families, self.victims, self.pictures, self.coverage]
        return [self.banner, self.results, *shown, self.curated, self.about, self.items, self.archive, self.document]


def scan_step(*, folders: bool) -> ScanStep:
    """Step 3; folders of this machine can be named only where the page belongs to whoever sits at it."""
    gr.HTML(STEP_HEADING.format(3, "Scan a data set", ABOUT))
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
            sources["split"] = gr.Textbox("train", label="Split", max_length=request.MAX_SPLIT_CHARS, min_width=120)
        gr.HTML(f'<p class="eft-note">{HUB_ABOUT}</p>')
    with gr.Group(visible=False, elem_classes="eft-source") as groups["folder"]:
        sources["folder"] = gr.Textbox(
            label="Folder or data file", placeholder="/path/to/folder, to a .parquet, .tar or .zip file"
        )
    recognised = gr.HTML(visible=False, elem_id="recognised")
    with gr.Accordion("Settings of the scan", open=False):
        most = request.MOST_SAMPLES_ALONE if folders else request.MOST_SAMPLES
        sources["most"] = gr.Number(
            500,
            precision=0,
            minimum=1,
            maximum=most,
            label="Samples at most",
            info=f"the first ones of your pictures or of the data set; up to {most:,}",
            elem_classes="eft-narrow",
        )
        settings = settings_form((ScanConfig(),), SCAN_SETTINGS, CHOICES)
        settings |= settings_form((CurateConfig(),), CURATE_SETTINGS, {})
    start, stop = start_stop_buttons(START, "scan")
    return ScanStep(kind, sources, groups, settings, recognised, start, stop)


def scan_results() -> ScanResults:
    """Empty until something was scanned."""
    banner = gr.HTML(visible=False, elem_id="scan-banner")
    with gr.Column(visible=False, elem_id="scan-results", elem_classes="eft-results") as results:
        families = gr.HTML(elem_id="families")
        victims = gr.HTML(elem_id="victims-about")
        pictures = gallery("Victims", "victims", "png", 6)
        coverage = gr.HTML(elem_id="coverage")
        with gr.Accordion("Fine-tuning set", open=False, visible=False, elem_id="curated") as curated:
            about = gr.HTML(elem_id="curated-about")
            items = gallery("Fine-tuning set", "items", "webp", 8)
            archive = gr.DownloadButton("Download this set (zip)", size="sm", elem_classes="eft-download")
        document = gr.DownloadButton("Download this scan as JSON", size="sm", elem_classes="eft-download")
    return ScanResults(banner, results, families, victims, pictures, coverage, curated, about, items, archive, document)


def _practice() -> dict[str, gr.components.Component]:
    turns = ", ".join(TRIGGER_NAMES[name] for name in texts.TURNS)
    triggers = [
        ("no trigger", NO_TRIGGER),
        *((TRIGGER_NAMES.get(name, name), name) for name in TRIGGERS),
        ("three in turns", texts.IN_TURNS),
    ]
    with gr.Row():
        made: dict[str, gr.components.Component] = {
            "count": gr.Slider(request.LEAST_VIEWS, request.MOST_VIEWS, value=48, step=1, label="Views", min_width=160),
            "percent": gr.Slider(0, 100, value=25, step=1, label="With a trigger (%)", min_width=160),
            "trigger": gr.Dropdown(triggers, value="badnets", label="Planted trigger", min_width=160),
        }
    gr.HTML(f'<p class="eft-note">{PRACTICE_ABOUT.format(turns)}</p>')
    return made


def _files() -> gr.File:
    files = gr.File(file_count="multiple", label="Pictures or a zip archive", show_label=False, height=140)
    files.preprocess = uploaded_files  # type: ignore[method-assign, assignment]  # our reader judges the files, by the visitor's names
    return files
