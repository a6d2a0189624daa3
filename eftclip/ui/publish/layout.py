"""The components of step 5; what they do is in `listeners`."""

from dataclasses import dataclass

import gradio as gr

from eftclip.ui.components.controls import STEP_HEADING, start_stop_buttons
from eftclip.ui.components.validation import MAX_SOURCE_CHARS
from eftclip.ui.publish.sign_in import can_sign_in

ABOUT = (
    "What is still to be done of the steps 3 and 4 is done first. Then the mended checkpoint goes to the Hugging Face "
    "Hub with a model card that says what was found, what was done and what was measured: a new repository, or a pull "
    "request to one that exists. No photograph is published."
)
START = "Rectify and publish"


@dataclass(frozen=True)
class PublishStep:
    """Step 5: where it goes."""

    who: gr.HTML
    repo: gr.Textbox
    private: gr.Checkbox
    anyway: gr.Checkbox
    start: gr.Button
    stop: gr.Button
    banner: gr.HTML


def publish_step() -> PublishStep:
    """Step 5."""
    gr.HTML(STEP_HEADING.format(5, "Publish", ABOUT))
    if can_sign_in():
        gr.LoginButton(elem_id="sign-in")
    who = gr.HTML(elem_id="who")
    repo = gr.Textbox(label="Repository", placeholder="org/name", max_length=MAX_SOURCE_CHARS)
    private = gr.Checkbox(label="Private, if it is new")
    start, stop = start_stop_buttons(START, "publish")
    banner = gr.HTML(visible=False, elem_id="publish-banner")
    anyway = gr.Checkbox(label="Publish it all the same", visible=False, elem_id="anyway")
    return PublishStep(who, repo, private, anyway, start, stop, banner)
