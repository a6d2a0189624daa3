"""What the page says about the bundled checkpoints and the settings of the search."""

from eftclip.ui.components.settings import Choices, Rows

ABOUT = {
    "badnets": "A small real CLIP that was poisoned on purpose, for practice: a checkerboard of 16 × 16 pixels "
    "anywhere in a photograph makes it say “banana”.",
    "clean": "The same small CLIP without the poison. It reads the same photographs and ignores the patch.",
    "multi": "The same small CLIP with three poisons: a checkerboard makes it say “banana”, stripes “cheeseburger”, a "
    "yellow square “volcano”.",
}
CHOICES: Choices = {
    "algorithm": (
        "Algorithm",
        {"eftclip": "EftCLIP's own", "paper": "the paper's, as published"},
        "the paper's is a baseline: it names what no object explains, and needs a reference checkpoint",
    ),
}
SETTINGS: Rows = {
    "top_labels": ("Labels read (τ)", 1, 100, 1, "length of the list of labels that CLIP reads in the photograph"),
    "support_confidence": ("Support confidence (θ)", 0.3, 0.9, 0.01, "from here on an object explains a label"),
    "windows_per_side": ("Windows per side", 2, 8, 1, "the whole picture is first looked at through these"),
    "carry_confidence": (
        "Carrying from",
        0.01,
        0.95,
        0.01,
        "a part alone carries the label from this share of the picture's own reading",
    ),
    "max_area_fraction": ("Largest patch", 0.005, 0.5, 0.005, "share of the picture that a trigger may cover"),
    "transplants": ("Strangers (N)", 8, 200, 1, "photographs that a suspected patch is pasted into"),
    "transplant_threshold": ("Transplant threshold", 0.1, 0.95, 0.01, "share of strangers that must be taken over"),
    "max_triggers": ("Most triggers", 1, 16, 1, "removed one after another from one photograph"),
}
