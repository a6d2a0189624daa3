"""Zero-shot reading: labels and templates to a class matrix, images to probabilities."""

from eftclip.zeroshot.class_matrix import TEMPLATES, class_matrix
from eftclip.zeroshot.labels import IMAGENET_LABELS, MAX_LABEL_CHARS, MAX_LABELS, parse_labels
from eftclip.zeroshot.reading import IMAGES_PER_BATCH, features, margins, probabilities, top

__all__ = [
    "IMAGENET_LABELS",
    "IMAGES_PER_BATCH",
    "MAX_LABELS",
    "MAX_LABEL_CHARS",
    "TEMPLATES",
    "class_matrix",
    "features",
    "margins",
    "parse_labels",
    "probabilities",
    "top",
]
