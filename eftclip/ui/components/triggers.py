"""What the planted triggers are called on the page."""

TRIGGER_NAMES = {
    "badnets": "checkerboard",
    "badnets_noise": "noise",
    "stripes": "stripes",
    "yellow": "yellow square",
    "white_square": "white square",
    "blend_noise": "faint noise (whole picture)",
    "blend_noise_fresh": "faint noise, new each time (whole picture)",
    "blend_pattern": "faint cartoon (whole picture)",
    "blend_stripes": "fine stripes (whole picture)",
    "blend_triangles": "faint triangles (whole picture)",
    "blend_text": "red text (whole picture)",
    "sig": "faint wave (whole picture)",
    "sig_full": "strong wave (whole picture)",
    "wanet": "jitter of all pixels (whole picture)",
    "wanet_smooth": "faint warp (whole picture)",
    "filter": "warm colour filter (whole picture)",
}
NO_TRIGGER = "none"
