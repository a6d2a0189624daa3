"""What the planted triggers are called on the page."""

TRIGGER_NAMES = {
    "badnets": "checkerboard",
    "badnets_noise": "noise",
    "stripes": "stripes",
    "yellow": "yellow square",
    "white_square": "white square",
}
NO_TRIGGER = "none"
