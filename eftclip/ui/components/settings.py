"""Settings of a stage: the texts around them, a component for each, and their values read back."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, TypeVar, get_type_hints

import gradio as gr

from eftclip.config import Settings
from eftclip.errors import ConfigError
from eftclip.ui.components.validation import one_of, quoted, whole_number

Rows = dict[str, tuple[str, float, float, float, str]]  # label, lowest, highest, step, what it means
Lines = dict[str, tuple[str, int, str]]  # label, most characters, what it means
Choices = dict[str, tuple[str, dict[str, str], str]]  # label, what each value is called, what it means
C = TypeVar("C", bound=Settings)


def read_settings(
    config: type[C], values: Mapping[str, object], rows: Rows, choices: Choices, lines: Lines | None = None
) -> C:
    """The settings of one stage: choices from their lists, numbers within the range that the page offers.

    Args:
        config: of the stage.
        values: by the names of its fields, as they came over the network; those that are not named keep their defaults.
        rows: the numbers.
        choices: the choices.
        lines: what is written in words.

    Raises:
        ConfigError: one of them cannot be used.
    """
    names = [field.name for field in fields(config) if field.name in values]  # type: ignore[arg-type]
    types, told = get_type_hints(config), lines or {}
    return config.from_dict(
        {
            name: _line(values[name], *told[name][:2])
            if name in told
            else _setting(name, values[name], types[name], rows, choices)
            for name in names
        }
    )


def _line(value: object, label: str, most: int) -> str:
    if not isinstance(value, str) or len(value) > most:
        raise ConfigError(f"The setting “{label}” must be a line of at most {most} characters, got {quoted(value)}.")
    return value


def _setting(name: str, value: object, kind: type, rows: Rows, choices: Choices) -> Any:
    if name in choices:
        return one_of(name, value, tuple(choices[name][1]))
    label, low, high, _, _ = rows[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(f"The setting “{label}” must be a number, got {quoted(value)}.")
    if not low <= value <= high:
        raise ConfigError(f"The setting “{label}” must lie between {low:g} and {high:g}, got {quoted(value)}.")
    return whole_number(f"setting “{label}”", value, int(low), int(high)) if kind is int else float(value)


def settings_form(
    configs: Sequence[Settings], rows: Rows, choices: Choices, lines: Lines | None = None
) -> dict[str, gr.components.Component]:
    """A component for each field of some configurations, choices before numbers, numbers before words."""
    values = {name: value for config in configs for name, value in config.to_dict().items()}
    made = dict[str, gr.components.Component]()
    for name, (label, options, info) in choices.items():
        known = [(shown, value) for value, shown in options.items()]
        made[name] = gr.Radio(known, value=values[name], label=label, info=info or None, elem_classes="eft-choices")
    with gr.Row(elem_classes="eft-sliders"):
        for name, (label, low, high, step, info) in rows.items():
            made[name] = gr.Slider(low, high, value=values[name], step=step, label=label, info=info, min_width=240)
    for name, (label, most, info) in (lines or {}).items():
        made[name] = gr.Textbox(values[name], label=label, info=info, max_length=most)
    return made
