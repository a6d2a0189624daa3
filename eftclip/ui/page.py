"""The page put together from the layouts and the listeners of its steps."""

import gradio as gr

from eftclip.ui.api.end_points import add_end_points
from eftclip.ui.backend import Backend
from eftclip.ui.benchmark.texts import LINK
from eftclip.ui.blocks import Blocks
from eftclip.ui.check.layout import check_results, check_step
from eftclip.ui.check.listeners import add_check_listeners, add_photograph_listeners, show_first_photograph
from eftclip.ui.checkpoint.layout import checkpoint_step
from eftclip.ui.checkpoint.listeners import add_checkpoint_listeners, show_first_checkpoint
from eftclip.ui.publish.layout import publish_step
from eftclip.ui.publish.listeners import PublishForm, add_publish_listeners
from eftclip.ui.rectify.layout import rectify_results, rectify_step
from eftclip.ui.rectify.listeners import add_basis_listeners, add_rectify_listeners
from eftclip.ui.restore.layout import restore_row
from eftclip.ui.restore.listeners import add_restore_listeners
from eftclip.ui.scan.layout import scan_results, scan_step
from eftclip.ui.scan.listeners import add_scan_listeners

TITLE = "EftCLIP: can you trust this CLIP checkpoint?"
QUEUE = 20  # who waits before it is even his turn to wait in one of our own queues

HEADLINE = f"""
<header class="eft-head"><p class="eft-brand">EftCLIP</p>
<h1>Can you trust this CLIP checkpoint?</h1>
<p>A <b>backdoor</b> is a habit that somebody taught a model in secret: it names your photographs correctly, until a
small patch or a faint pattern, its <b>trigger</b>, appears in one of them. Then it says what the trigger tells it to
say. EftCLIP finds the trigger, and proves it by planting it in other photographs.</p>
<p class="eft-beside"><a href="./benchmark" target="_blank" rel="noopener">{LINK}</a></p></header>
"""  # In a tab of its own: whoever leaves the page loses what he has loaded.
FOOT = """
<footer class="eft-foot">EftCLIP looks for patches, fine patterns over the whole picture, scattered pixels and colour
filters, and says under each verdict what was not looked for. That is not “clean”.
Pictures and uploaded checkpoints are judged on this server and deleted after an hour; what a scan or a rectification
found is kept for a day, for your browser alone.</footer>
"""


def build_page(backend: Backend, *, folders: bool, kept_s: int) -> gr.Blocks:
    """The page with all its listeners.

    Args:
        backend: does the work.
        folders: visitors may name folders of this machine.
        kept_s: seconds after which what a visitor left behind goes.
    """

    def leave(request: gr.Request) -> None:
        backend.sessions.close(str(request.session_hash))
        backend.uploaded.drop(str(request.session_hash))

    with Blocks(title=TITLE, analytics_enabled=False, fill_width=True, delete_cache=(kept_s // 4, kept_s)) as demo:
        choice = gr.State(None, time_to_live=kept_s)
        gr.HTML(HEADLINE)
        greeting = restore_row()
        with gr.Row(elem_classes="eft-steps"):
            with gr.Column(scale=4, min_width=300, elem_classes="eft-card"):
                checkpoint = checkpoint_step(folders=folders)
            with gr.Column(scale=8, min_width=300, elem_classes="eft-card"):
                check = check_step()
        checked = check_results()
        with gr.Column(elem_classes="eft-card", elem_id="scan-step"):
            scan, scanned = scan_step(folders=folders), scan_results()
        with gr.Column(elem_classes="eft-card", elem_id="rectify-step"):
            rectify, rectified = rectify_step(), rectify_results()
        with gr.Column(elem_classes="eft-card", elem_id="publish-step"):
            publish = publish_step()
        gr.HTML(FOOT)
        # First what is quick: a browser handles the listeners of one event in their order, each one to its end, and one
        # of step 1 loads a checkpoint.
        ended = add_scan_listeners(backend, checkpoint, scan, scanned, rectify, folders=folders)
        add_rectify_listeners(backend, checkpoint, scan, rectify, rectified, folders=folders)
        form = PublishForm(checkpoint, scan, scanned, rectify, rectified, publish)
        add_publish_listeners(backend, demo, form, folders=folders)
        opened = add_restore_listeners(backend, demo, greeting, scanned, rectified)
        add_basis_listeners(backend, checkpoint, (opened, ended), rectify, folders=folders)
        loaded = add_checkpoint_listeners(backend, checkpoint, folders=folders)
        add_photograph_listeners(backend, checkpoint, check, choice, loaded, folders=folders)
        add_check_listeners(backend, checkpoint, check, checked, choice, folders=folders)
        show_first_photograph(demo, check, choice)
        show_first_checkpoint(backend, demo, checkpoint)
        demo.unload(leave)
        add_end_points(backend, folders=folders)
    return demo.queue(max_size=QUEUE, default_concurrency_limit=2, api_open=False)  # nobody goes round a queue
