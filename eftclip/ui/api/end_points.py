"""The end points for programs: the same work and the same documents as everywhere else, for clients and over MCP."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from eftclip import figures
from eftclip.errors import ConfigError, DataError
from eftclip.ui.api import long_work as api_runs
from eftclip.ui.backend import Desk
from eftclip.ui.check import texts as words
from eftclip.ui.check.layout import path_of
from eftclip.ui.check.listeners import CHECKS
from eftclip.ui.check.view import document
from eftclip.ui.checkpoint import request as asks
from eftclip.ui.publish.publisher import publish_ask
from eftclip.ui.publish.sign_in import can_sign_in, token_of_our_page
from eftclip.ui.scan import request as run_asks
from eftclip.ui.scan.layout import names_of
from eftclip.ui.scan.listeners import LONG
from eftclip.ui.serving.runs import told

MAX_SETTINGS_CHARS = 10_000
Answer = tuple[dict[str, Any], Any]


def add_end_points(desk: Desk, *, folders: bool) -> None:
    """Components that no page shows, for listeners that every client can call."""
    _add_check(desk, folders)
    _add_scan(desk, folders)
    _add_rectify(desk, folders)
    _add_publish(desk)


def _add_check(desk: Desk, folders: bool) -> None:
    def check(
        picture: str | None,
        checkpoint: str = "badnets",
        labels: str = "",
        oracle: str = "auto",
        seed: float = 0,
        settings: str = "",
    ) -> tuple[Any, Any]:
        """Judge one photograph: is a visible trigger in it steering this CLIP checkpoint?

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
        with _sentences():
            if not picture:
                raise DataError("No picture was sent; send an image file.")
            ask = _ask(checkpoint, labels, oracle, seed, _settings(settings), folders)
            record, _ = desk.judge(ask, picture, Path(picture).name)
            outlined: np.ndarray[Any, Any] | None = figures.overlay(record.results[0])
            return document(record), outlined

    picture = gr.Image(type="filepath", image_mode=None, label="picture", visible=False)
    picture.preprocess = path_of  # type: ignore[method-assign]  # as on the page
    inputs = [picture, *_texts(checkpoint="badnets", labels="", oracle="auto"), _seed(), *_texts(settings="")]
    outputs = [gr.JSON(label="verdict", visible=False), gr.Image(label="outlined", format="png", visible=False)]
    gr.Button(visible=False).click(check, inputs, outputs, api_name="check", **CHECKS)


def _add_scan(desk: Desk, folders: bool) -> None:
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
        with _sentences():
            given = _settings(settings)
            ask, plan = _ask(checkpoint, labels, oracle, seed, given, folders), _plan(given)
            source = api_runs.source(data, pictures, split, most, folders=folders)
            yield from api_runs.scan(desk, run_asks.ScanAsk(ask, source, plan))

    inputs = [*_texts(checkpoint="badnets", data=""), *_data(), *_texts(labels="", oracle="auto"), _seed()]
    _long(scan, [*inputs, *_texts(settings="")], "scan")


def _add_rectify(desk: Desk, folders: bool) -> None:
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
        with _sentences():
            given = _settings(settings)
            ask = run_asks.RectifyAsk(_ask(checkpoint, labels, oracle, seed, given, folders), _plan(given))
            there = bool(data or pictures) and not result
            source = api_runs.source(data, pictures, split, most, folders=folders) if there else None
            yield from api_runs.rectify(desk, ask, source, result)

    inputs = [*_texts(checkpoint="badnets", data=""), *_data(), *_texts(labels="", oracle="auto"), _seed()]
    _long(rectify, [*inputs, *_texts(settings="", result="")], "rectify")


def _add_publish(desk: Desk) -> None:
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
        with _sentences():
            token = desk.publishing.token(str(x_hf_token) if x_hf_token else None)
            yield from api_runs.publish(desk, publish_ask(repo_id, private, anyway), result, token)

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
    run = publish_signed_in if can_sign_in() else publish  # see `publish_wiring`
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
    pictures.preprocess = names_of  # type: ignore[method-assign, assignment]  # as on the page
    return [pictures, *_texts(split="train"), gr.Number(500, label="most", visible=False)]


def _ask(
    checkpoint: object, labels: object, oracle: object, seed: object, settings: Mapping[str, Any], folders: bool
) -> asks.Ask:
    own = {name: value for name, value in settings.items() if name in words.SETTINGS}
    return asks.ask(checkpoint, labels=labels, oracle=oracle, settings=own, seed=seed, folders=folders)


def _plan(settings: Mapping[str, Any]) -> Any:
    return run_asks.plan({name: value for name, value in settings.items() if name not in words.SETTINGS})


def _settings(text: object) -> dict[str, Any]:
    """Settings that a client sent as JSON.

    Raises:
        ConfigError: they are no JSON object.
    """
    if text is None or text == "":
        return {}
    try:
        if not isinstance(text, str) or len(text) > MAX_SETTINGS_CHARS:
            raise ValueError
        values = json.loads(text)
        if not isinstance(values, dict):
            raise ValueError
    except (ValueError, RecursionError) as error:
        raise ConfigError(
            f'Settings must be a JSON object of names and values, e.g. {{"steps": 20}}, got {asks.shown(text)}.'
        ) from error
    return values


class _sentences:
    """Whatever goes wrong becomes one sentence for the client; the log gets the rest."""

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Translate."""
        if isinstance(error, Exception) and not isinstance(error, gr.Error):
            raise gr.Error(told(error), print_exception=False) from error
