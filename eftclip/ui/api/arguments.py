"""What a client sent, turned into requests."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gradio.utils import get_upload_folder

from eftclip.errors import ConfigError, DataError
from eftclip.pipeline import Plan
from eftclip.ui.checkpoint.request import CheckpointRequest, checkpoint_request
from eftclip.ui.checkpoint.texts import CHOICES, SETTINGS
from eftclip.ui.components.validation import quoted
from eftclip.ui.rectify import request as rectify_request
from eftclip.ui.scan import request as scan_request
from eftclip.ui.scan.request import DataSource

MAX_SETTINGS_CHARS = 10_000
OF_THE_CHECK = {*CHOICES, *SETTINGS}
PRACTICE = "practice"


def checkpoint(
    source: object, labels: object, oracle: object, seed: object, settings: Mapping[str, Any], folders: bool
) -> CheckpointRequest:
    """Which checkpoint, and how it is checked.

    Raises:
        EftclipError: one of the values cannot be used.
    """
    own = {name: value for name, value in settings.items() if name in OF_THE_CHECK}
    return checkpoint_request(source, labels=labels, oracle=oracle, settings=own, seed=seed, folders=folders)


def plan(settings: Mapping[str, Any]) -> Plan:
    """The settings of the stages after the check.

    Raises:
        ConfigError: one of them is unknown or out of its range.
    """
    return rectify_request.plan({name: value for name, value in settings.items() if name not in OF_THE_CHECK})


def read_settings(text: object) -> dict[str, Any]:
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
            f'Settings must be a JSON object of names and values, e.g. {{"steps": 20}}, got {quoted(text)}.'
        ) from error
    return values


def data_source(data: object, pictures: object, split: object, most: object, *, folders: bool) -> DataSource:
    """Where the pictures come from, as a program names it.

    Args:
        data: `practice`, `hf:org/name`, or a folder where folders may be named; empty with pictures.
        pictures: uploaded files.
        split: of a Hub data set.
        most: samples that are taken.
        folders: folders of this machine may be named.

    Raises:
        EftclipError: one of them cannot be used.
    """
    if data and pictures:
        raise DataError("Both a data set and pictures were sent; send one of them.")
    kind = "upload" if pictures else PRACTICE if data == PRACTICE else "hub"
    if folders and isinstance(data, str) and data and not pictures and not data.startswith(("hf:", PRACTICE)):
        kind = "folder"
    values = {"kind": kind, "files": pictures, "hub": data, "folder": data, "split": split, "most": most}
    values |= {"count": 48, "percent": 25, "trigger": "badnets"}
    return scan_request.data_source(values, uploads=Path(get_upload_folder()), folders=folders)
