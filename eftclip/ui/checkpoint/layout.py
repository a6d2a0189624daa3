"""The components of step 1; what they do is in `listeners`."""

from dataclasses import dataclass

import gradio as gr

from eftclip.checkpoint import KNOWN_BACKDOORS, WEIGHT_SUFFIXES, KnownBackdoor, architecture_names
from eftclip.config import DetectConfig
from eftclip.ui.checkpoint.request import FIRST_CHECKPOINT, MAX_SEED, REFERENCES, available_oracles
from eftclip.ui.checkpoint.texts import CHOICES, SETTINGS
from eftclip.ui.components import html
from eftclip.ui.components.controls import Components
from eftclip.ui.components.uploads import uploaded_files
from eftclip.ui.serving.uploaded_checkpoints import ARCHIVE, MOST_GB


@dataclass
class ShownKind:
    """Which kind a page shows; Gradio keeps one for each page, and hands all listeners the same."""

    kind: str = FIRST_CHECKPOINT.source


@dataclass(frozen=True)
class CheckpointStep:
    """Step 1: what is under test, and how it is asked."""

    kind: gr.Radio
    shown_kind: gr.State
    hub: gr.Textbox
    found: gr.Radio
    found_group: gr.Group
    folder: gr.Textbox
    files: gr.File
    bring: gr.Group
    upload: gr.State
    alone: gr.Group
    architecture: gr.Dropdown
    pickle: gr.Checkbox
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
        """Everything that a visitor can set in this step, in the order in which `request.read_form` reads it."""
        source: Components = [self.kind, self.hub, self.folder, self.upload, self.architecture, self.pickle]
        return [*source, self.vocabulary, self.labels, self.oracle, self.reference, self.seed, *self.settings]


ABOUT_FILES = (
    "One weight file, the files of a checkpoint's folder (open_clip or transformers), or a zip archive of it; at most "
    f"{MOST_GB:g} GB. Deleted after an hour, or when you close this page."
)
PICKLES = "A pickle (.pt, .bin) only where you allow it."
NO_PICKLES = "Safetensors only: a pickle (.pt, .bin) can carry code."


def _named(one: KnownBackdoor) -> str:
    name = one.repo_id.removeprefix("hanxunh/clip_backdoor_")
    return f"{name}: {one.trigger} → {one.target_label}, {one.within_reach}"


def checkpoint_step(*, folders: bool) -> CheckpointStep:
    """Step 1; folders of this machine can be named only where the page belongs to whoever sits at it."""
    bundled = [("Poisoned on purpose", "badnets"), ("Its clean twin", "clean"), ("Three triggers at once", "multi")]
    gr.HTML('<h2 class="eft-step"><span>1</span> Checkpoint</h2>')
    others = [("From the Hub", "hub"), ("Upload", "upload"), *([("A folder", "folder")] if folders else [])]
    kind = gr.Radio([*bundled, *others], value=FIRST_CHECKPOINT.source, show_label=False)
    hub, found, found_group, known = _from_the_hub()
    folder = gr.Textbox(label="Folder (open_clip or transformers)", placeholder="/path/to/folder", visible=False)
    bring, files = _files(pickles=folders)
    alone, architecture, pickle = _weights_alone(folders=folders)
    with gr.Row():
        look = gr.Button("Look first", visible=False, size="sm", min_width=100)
        load = gr.Button("Load", visible=False, size="sm", min_width=100)
    facts = gr.HTML(html.note("Loading the checkpoint …"), elem_id="facts")
    with gr.Accordion("Labels, oracle and settings", open=False):
        vocabulary, labels = _labels()
        oracle, reference = _supervision()
        settings, seed = _settings()
    return CheckpointStep(
        kind=kind,
        shown_kind=gr.State(ShownKind()),
        hub=hub,
        found=found,
        found_group=found_group,
        folder=folder,
        files=files,
        bring=bring,
        upload=gr.State(None),
        alone=alone,
        architecture=architecture,
        pickle=pickle,
        known=known,
        look=look,
        load=load,
        facts=facts,
        vocabulary=vocabulary,
        labels=labels,
        oracle=oracle,
        reference=reference,
        seed=seed,
        settings=settings,
    )


def _from_the_hub() -> tuple[gr.Textbox, gr.Radio, gr.Group, gr.Dropdown]:
    """Where a repository is named, what the Hub suggests meanwhile, and those that are known to be poisoned."""
    hub = gr.Textbox(
        label="Hub id", placeholder="org/name or org/name@revision", visible=False, max_length=200, elem_id="hub"
    )
    # In a group, as suggestions may come when the visitor has turned to something else.
    with gr.Group(visible=False, elem_classes="eft-source") as group:
        found = gr.Radio([], label="Found on the Hub", visible=False, elem_id="hub-found")
    known = gr.Dropdown(
        [("choose one", ""), *((_named(one), one.repo_id) for one in KNOWN_BACKDOORS)],
        value="",
        label="Known backdoored checkpoints",
        visible=False,
        elem_id="known",
    )
    return hub, found, group, known


def _files(*, pickles: bool) -> tuple[gr.Group, gr.File]:
    """Where a checkpoint is dropped, and what may be.

    The field itself is never hidden or shown: Gradio makes a field that is updated anew, without our `preprocess`.
    """
    with gr.Group(visible=False, elem_classes="eft-source") as group:
        files = gr.File(
            file_count="multiple",
            file_types=[*WEIGHT_SUFFIXES, ARCHIVE, ".json", ".txt", ".model", ".md"],
            label="Checkpoint",
            show_label=False,
            height=140,
            elem_id="checkpoint-files",
        )
        gr.HTML(f'<p class="eft-note">{ABOUT_FILES} {PICKLES if pickles else NO_PICKLES}</p>')
    files.preprocess = uploaded_files  # type: ignore[method-assign, assignment]  # read by the visitor's names
    return group, files


def _weights_alone(*, folders: bool) -> tuple[gr.Group, gr.Dropdown, gr.Checkbox]:
    """What weights do not say themselves."""
    with gr.Group(visible=False, elem_classes="eft-source") as group:
        architecture = gr.Dropdown(
            [("stated by the checkpoint", ""), *((name, name) for name in architecture_names())],
            value="",
            label="Architecture",
            info="only for weights that come alone: what they were trained as",
            allow_custom_value=folders,
            elem_id="architecture",
        )
        pickle = gr.Checkbox(
            label="Read a pickle", info="tensors only; nothing in it is run", visible=folders, elem_id="pickle"
        )
    return group, architecture, pickle


def _labels() -> tuple[gr.Radio, gr.Textbox]:
    """What the checkpoint may answer."""
    vocabulary = gr.Radio([("ImageNet's 1,000", "imagenet"), ("My own list", "own")], value="imagenet", label="Labels")
    labels = gr.Textbox(label="One label a line", lines=5, max_lines=10, placeholder="cat\ndog\nbanana", visible=False)
    return vocabulary, labels


def _supervision() -> tuple[gr.Radio, gr.Radio]:
    """Who else looks at the photograph."""
    oracles = available_oracles()
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
    return oracle, reference


def _settings() -> tuple[Components, gr.Number]:
    defaults = DetectConfig().to_dict()
    with gr.Accordion("Settings of the search", open=False):
        settings: Components = [
            gr.Radio([(shown, value) for value, shown in known.items()], value=defaults[name], label=label, info=info)
            for name, (label, known, info) in CHOICES.items()
        ]
        settings += [
            gr.Slider(low, high, value=defaults[name], step=step, label=label, info=info)
            for name, (label, low, high, step, info) in SETTINGS.items()
        ]
        seed = gr.Number(0, label="Seed", precision=0, minimum=0, maximum=MAX_SEED)
    return settings, seed
