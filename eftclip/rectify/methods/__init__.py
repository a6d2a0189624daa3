"""The registry of rectification methods; the contract is `eftclip.rectify.methods.base.Method`."""

from eftclip.errors import ConfigError
from eftclip.rectify.methods import contrastive, realign
from eftclip.rectify.methods.base import CAPTION, Method, Student, Teacher

__all__ = ["CAPTION", "METHODS", "Method", "Student", "Teacher", "method_of"]

METHODS: dict[str, Method] = {"realign": realign.METHOD, "contrastive": contrastive.METHOD}


def method_of(name: str) -> Method:
    """A method of the registry.

    Raises:
        ConfigError: unknown name.
    """
    if name not in METHODS:
        raise ConfigError(f"Unknown method {name!r}; known are {', '.join(METHODS)}.")
    return METHODS[name]
