"""The end point for programs: `/check`, the same check and the same document as everywhere else."""

from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from eftclip import figures
from eftclip.errors import EftclipError
from eftclip.ui import asks
from eftclip.ui.handlers import Desk, log
from eftclip.ui.layout import path_of
from eftclip.ui.runs import BROKEN
from eftclip.ui.views import document
from eftclip.ui.wiring import HEAVY


def add_check_endpoint(desk: Desk, *, folders: bool) -> None:
    """Components that no page shows, for a listener that every client can call."""

    def check(picture: str | None, checkpoint: str, labels: str, oracle: str, seed: float) -> tuple[Any, Any]:
        """Judge one photograph: is a visible trigger in it steering this CLIP checkpoint?

        Args:
            picture: an image file.
            checkpoint: badnets, clean, multi, or hf:org/name with an optional @revision.
            labels: one label a line; empty for ImageNet's 1,000.
            oracle: auto, superpixel or sam.
            seed: of the random generator, 0 or more.

        Returns:
            the verdict as the document that `eftclip check --json` writes, masks inside it as data URIs, and the
            picture with the trigger outlined.
        """
        try:
            if not picture:
                raise gr.Error("No picture was sent; send an image file.", print_exception=False)
            ask = asks.ask(checkpoint, labels=labels, oracle=oracle, seed=seed, folders=folders)
            record, _ = desk.judge(ask, picture, Path(picture).name)
        except EftclipError as error:
            raise gr.Error(str(error), print_exception=False) from error
        except gr.Error:
            raise
        except Exception as error:  # the boundary of the server: a client gets a sentence, the log gets the rest
            log.exception("a check over the API failed")
            raise gr.Error(BROKEN, print_exception=False) from error
        outlined: np.ndarray[Any, Any] | None = figures.overlay(record.results[0])
        return document(record), outlined

    picture = gr.Image(type="filepath", image_mode=None, label="picture", visible=False)
    picture.preprocess = path_of  # type: ignore[method-assign]  # as on the page
    inputs = [
        picture,
        gr.Textbox("badnets", label="checkpoint", visible=False),
        gr.Textbox("", label="labels", visible=False),
        gr.Textbox("auto", label="oracle", visible=False),
        gr.Number(0, label="seed", visible=False),
    ]
    outputs = [gr.JSON(label="verdict", visible=False), gr.Image(label="outlined", format="png", visible=False)]
    gr.Button(visible=False).click(check, inputs, outputs, api_name="check", **HEAVY)
