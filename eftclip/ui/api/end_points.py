"""The end points for programs: the same work and the same documents as everywhere else, for clients and over MCP."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from eftclip import figures
from eftclip.errors import DataError
from eftclip.ui.api import arguments, long_work
from eftclip.ui.backend import Backend
from eftclip.ui.check.view import document
from eftclip.ui.components.events import CHECKS, LONG
from eftclip.ui.components.uploads import uploaded_files, uploaded_path
from eftclip.ui.publish.request import publish_request
from eftclip.ui.publish.sign_in import can_sign_in, token_of_our_page
from eftclip.ui.rectify.request import RectifyRequest
from eftclip.ui.scan.request import ScanRequest
from eftclip.ui.serving.error_messages import error_message

Answer = tuple[dict[str, Any], Any]


def add_end_points(backend: Backend, *, folders: bool) -> None:
    """Components that no page shows, for listeners that every client can call."""
    _add_check(backend, folders)
    _add_scan(backend, folders)
    _add_rectify(backend, folders)
    _add_publish(backend)


def _add_check(backend: Backend, folders: bool) -> None:
    def check(
        picture: str | None,
        checkpoint: str = "badnets",
        labels: str = "",
        oracle: str = "auto",
        seed: float = 0,
        settings: str = "",
    ) -> tuple[Any, Any]:
        """Judge one photograph: is a trigger in it steering this CLIP checkpoint?

        Args:
            picture: an image file.
            checkpoint: badnets, clean, multi, or hf:org/name with an optional @revision.
            labels: one label a line; empty for ImageNet's 1,000.
            oracle: auto, superpixel or sam.
            seed: of the random generator, 0 or more.
            settings: of the detector, as JSON, e.g. {"transplants": 48}; empty for the defaults.

        Returns:
            the verdict as the document that `eftclip check --json` writes, masks inside it as data URIs, and the
            picture with the trigger outlined.
        """
        with _one_sentence_errors():
            if not picture:
                raise DataError("No picture was sent; send an image file.")
            given = arguments.read_settings(settings)
            request = arguments.checkpoint(checkpoint, labels, oracle, seed, given, folders)
            record, _ = backend.checks.judge(request, picture, Path(picture).name)
            outlined: np.ndarray[Any, Any] | None = figures.overlay(record.results[0])
            return document(record), outlined

    picture = gr.Image(type="filepath", image_mode=None, label="picture", visible=False)
    picture.preprocess = uploaded_path  # type: ignore[method-assign]  # as on the page
    inputs = [picture, *_texts(checkpoint="badnets", labels="", oracle="auto"), _seed(), *_texts(settings="")]
    outputs = [gr.JSON(label="verdict", visible=False), gr.Image(label="outlined", format="png", visible=False)]
    gr.Button(visible=False).click(check, inputs, outputs, api_name="check", **CHECKS)


def _add_scan(backend: Backend, folders: bool) -> None:
    def scan(
        checkpoint: str = "badnets",
        data: str = "",
        pictures: Any = None,
        split: str = "train",
        most: float = 500,
        labels: str = "",
        oracle: str = "auto",
        seed: float = 0,
        settings: str = "",
    ) -> Iterator[Answer]:
        """Scan a data set: which triggers steer this CLIP checkpoint, which labels they force, who the victims are.

        Args:
            checkpoint: badnets, clean, multi, or hf:org/name with an optional @revision.
            data: hf:org/name of a data set with an optional @revision, or practice; empty where pictures are sent.
            pictures: image files, or one zip archive of them.
            split: which part of a Hub data set.
            most: samples that are taken, from the first on.
            labels: one label a line; empty for ImageNet's 1,000.
            oracle: auto, superpixel or sam.
            seed: of the random generator, 0 or more.
            settings: as JSON, e.g. {"search": "every"}; empty for the defaults.

        Returns:
            the document that `eftclip scan --json` writes, with a key `result` for the end point rectify, and the
            fine-tuning set as a zip archive. While it goes on, how far it is.
        """
        with _one_sentence_errors():
            given = arguments.read_settings(settings)
            request = arguments.checkpoint(checkpoint, labels, oracle, seed, given, folders)
            plan = arguments.plan(given)
            source = arguments.data_source(data, pictures, split, most, folders=folders)
            yield from long_work.scan(backend, ScanRequest(request, source, plan))

    inputs = [*_texts(checkpoint="badnets", data=""), *_data(), *_texts(labels="", oracle="auto"), _seed()]
    _long(scan, [*inputs, *_texts(settings="")], "scan")


def _add_rectify(backend: Backend, folders: bool) -> None:
    def rectify(
        checkpoint: str = "badnets",
        data: str = "",
        pictures: Any = None,
        split: str = "train",
        most: float = 500,
        labels: str = "",
        oracle: str = "auto",
        seed: float = 0,
        settings: str = "",
        result: str = "",
    ) -> Iterator[Answer]:
        """Mend a CLIP checkpoint: find its triggers, fine-tune a copy until they mean nothing to it, and measure it.

        Args:
            checkpoint: badnets, clean, multi, or hf:org/name with an optional @revision.
            data: hf:org/name of a data set to scan first, or practice; empty to look for triggers in the weights alone.
            pictures: image files to scan first, or one zip archive of them.
            split: which part of a Hub data set.
            most: samples that are taken, from the first on.
            labels: one label a line; empty for ImageNet's 1,000.
            oracle: auto, superpixel or sam.
            seed: of the random generator, 0 or more.
            settings: as JSON, e.g. {"steps": 20, "budget": 32}; empty for the defaults.
            result: key of an earlier scan with the same checkpoint, labels, oracle and seed, whose triggers are used.

        Returns:
            the document that `eftclip rectify --json` writes, with a key `result` for the end point publish, and the
            mended checkpoint as a zip archive. While it goes on, how far it is.
        """
        with _one_sentence_errors():
            given = arguments.read_settings(settings)
            wanted = arguments.checkpoint(checkpoint, labels, oracle, seed, given, folders)
            request = RectifyRequest(wanted, arguments.plan(given))
            there = bool(data or pictures) and not result
            source = arguments.data_source(data, pictures, split, most, folders=folders) if there else None
            yield from long_work.rectify(backend, request, source, result)

    inputs = [*_texts(checkpoint="badnets", data=""), *_data(), *_texts(labels="", oracle="auto"), _seed()]
    _long(rectify, [*inputs, *_texts(settings="", result="")], "rectify")


def _add_publish(backend: Backend) -> None:
    def publish(
        result: str,
        repo_id: str,
        private: bool = False,
        anyway: bool = False,
        x_hf_token: gr.Header | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Publish a mended checkpoint on the Hugging Face Hub: a new repository, or a pull request to an existing one.

        Args:
            result: the key that rectify returned.
            repo_id: org/name.
            private: whether a new repository is private.
            anyway: also if the evaluation speaks against it.
            x_hf_token: your own token for the Hub, in the header X-HF-Token; it is neither logged nor kept.

        Returns:
            repository, address, commit and sha256 of the weights. While it goes on, how far it is.
        """
        with _one_sentence_errors():
            token = backend.publisher.token(str(x_hf_token) if x_hf_token else None)
            yield from long_work.publish(backend, publish_request(repo_id, private, anyway), result, token)

    def publish_signed_in(
        result: str,
        repo_id: str,
        request: gr.Request,
        private: bool = False,
        anyway: bool = False,
        token: gr.OAuthToken | None = None,
        x_hf_token: gr.Header | None = None,
    ) -> Iterator[dict[str, Any]]:
        yield from publish(result, repo_id, private, anyway, x_hf_token or token_of_our_page(request, token))  # type: ignore[arg-type]

    publish_signed_in.__doc__ = publish.__doc__
    flags = [gr.Checkbox(label=name, visible=False) for name in ("private", "anyway")]
    inputs = [*_texts(result=None, repo_id=None), *flags]
    run = publish_signed_in if can_sign_in() else publish  # see `publish.listeners`
    outputs = gr.JSON(label="published", visible=False)
    gr.Button(visible=False).click(run, inputs, outputs, api_name="publish", **LONG)


def _long(run: Callable[..., Any], inputs: list[Any], name: str) -> None:
    outputs = [gr.JSON(label="document", visible=False), gr.File(label="archive", visible=False)]
    gr.Button(visible=False).click(run, inputs, outputs, api_name=name, **LONG)


def _texts(**values: str | None) -> list[gr.Textbox]:
    return [gr.Textbox(value, label=name, visible=False) for name, value in values.items()]


def _seed() -> gr.Number:
    return gr.Number(0, label="seed", visible=False)


def _data() -> list[gr.components.Component]:
    """The pictures themselves, and which of a data set."""
    pictures = gr.File(None, label="pictures", file_count="multiple", visible=False)
    pictures.preprocess = uploaded_files  # type: ignore[method-assign, assignment]  # as on the page
    return [pictures, *_texts(split="train"), gr.Number(500, label="most", visible=False)]


class _one_sentence_errors:
    """Whatever goes wrong becomes one sentence for the client; the log gets the rest."""

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Translate."""
        if isinstance(error, Exception) and not isinstance(error, gr.Error):
            raise gr.Error(error_message(error), print_exception=False) from error
