"""Controls that several steps have: headings, buttons, galleries."""

import gradio as gr

Components = list[gr.components.Component]
STEP_HEADING = '<h2 class="eft-step"><span>{}</span> {}</h2><p class="eft-note">{}</p>'


def start_stop_buttons(text: str, name: str) -> tuple[gr.Button, gr.Button]:
    """The button of a step, and the one that stops its work."""
    with gr.Row(elem_classes="eft-go"):
        start = gr.Button(text, variant="primary", size="lg", scale=5, elem_id=name)
        stop = gr.Button(
            "Stop", variant="stop", size="lg", scale=1, min_width=90, visible=False, elem_id=f"stop-{name}"
        )
    return start, stop


def gallery(label: str, name: str, kind: str, columns: int) -> gr.Gallery:
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
