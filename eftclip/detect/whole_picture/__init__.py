"""Triggers that cover the whole picture: patterns, changes of colour, and what a small blur undoes."""

from eftclip.detect.whole_picture.search import whole_picture_carrier

__all__ = ["whole_picture_carrier"]
