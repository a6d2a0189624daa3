"""The look of the page: system fonts, ink on paper, one warm accent. Colours of verdicts are in `theme.css`."""

from pathlib import Path

import gradio as gr
from gradio.themes.base import Base
from gradio.themes.utils import colors, sizes

CSS = Path(__file__).with_name("theme.css")
SANS = ("ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "Liberation Mono", "monospace")


def theme() -> Base:
    """No font and no file is fetched from anywhere."""
    return gr.themes.Base(
        primary_hue=colors.amber,
        secondary_hue=colors.stone,
        neutral_hue=colors.stone,
        text_size=sizes.text_md,
        radius_size=sizes.radius_md,
        font=SANS,
        font_mono=MONO,
    ).set(
        body_background_fill="#faf9f7",
        body_background_fill_dark="#161412",
        block_background_fill="#ffffff",
        block_background_fill_dark="#1f1c1a",
        block_border_color="#e7e3de",
        block_border_color_dark="#37322e",
        block_shadow="none",
        block_label_background_fill="*block_background_fill",
        block_label_text_color="*body_text_color_subdued",
        block_title_text_weight="500",
        input_border_width="1px",
        input_background_fill="#ffffff",
        input_background_fill_dark="#171513",
        input_border_color="#d9d3cc",
        input_border_color_dark="#453f3a",
        checkbox_label_background_fill="*background_fill_primary",
        checkbox_label_background_fill_dark="#171513",
        checkbox_label_background_fill_hover_dark="#2a2623",
        checkbox_label_border_width="1px",
        checkbox_label_border_color="#d9d3cc",
        checkbox_label_border_color_dark="#453f3a",
        checkbox_label_background_fill_selected="#fdf3d3",
        checkbox_label_background_fill_selected_dark="#3a3016",
        slider_color="#d9a514",
        slider_color_dark="#f5c84b",
        button_primary_background_fill="#1c1917",
        button_primary_background_fill_hover="#44403c",
        button_primary_text_color="#ffffff",
        button_primary_background_fill_dark="#f5c84b",
        button_primary_background_fill_hover_dark="#ffdb73",
        button_primary_text_color_dark="#1c1917",
        button_primary_border_color="*button_primary_background_fill",
        button_primary_border_color_hover="*button_primary_background_fill",
        button_primary_border_color_dark="*button_primary_background_fill",
        button_primary_border_color_hover_dark="*button_primary_background_fill",
        button_large_text_weight="600",
    )
