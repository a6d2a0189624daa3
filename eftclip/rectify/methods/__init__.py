"""The registry of rectification methods; the contract is `eftclip.rectify.methods.base.Method`.

Other packages add to it by entry points of the group `eftclip.methods`, and a notebook by `METHODS[name] = METHOD`; the
rules are those of `eftclip.plugins`.
"""

from dataclasses import replace

from eftclip.config import OWN, RectifyConfig, own_numbers
from eftclip.errors import ConfigError
from eftclip.plugins import Registry
from eftclip.rectify.methods import cleanclip, contrastive, fineprune, finetune, invertune, par, realign
from eftclip.rectify.methods.base import CAPTION, Method, Own, Preparation, Prepared, Student, Teacher, own_of

__all__ = [
    "CAPTION",
    "METHODS",
    "Method",
    "Own",
    "Preparation",
    "Prepared",
    "Student",
    "Teacher",
    "method_of",
    "own_of",
    "settled",
]

METHODS = Registry(
    {
        "realign": realign.METHOD,
        "contrastive": contrastive.METHOD,
        "finetune": finetune.METHOD,
        "cleanclip": cleanclip.METHOD,
        "par": par.METHOD,
        "invertune": invertune.METHOD,
        "fineprune": fineprune.METHOD,
    },
    group="eftclip.methods",
    kind=Method,
    noun="method",
)


def method_of(name: str) -> Method:
    """A method of the registry.

    Raises:
        ConfigError: unknown name, or a method of another package that cannot be used.
    """
    return METHODS.asked(name)


def settled(config: RectifyConfig) -> RectifyConfig:
    """The settings with everything that was left out as the method has it.

    Raises:
        ConfigError: the method is unknown, has no such number of its own, or one lies outside its range.
    """
    method = method_of(config.method)
    left_out = {name: getattr(method, name) for name in ("steps", "batch", "learning_rate")}
    left_out = {name: value for name, value in left_out.items() if getattr(config, name) is OWN}
    return replace(config, own=_own(config, method), **left_out)


def _own(config: RectifyConfig, method: Method) -> str:
    """All numbers that only this method has, those that were given and those that were left out."""
    given = own_numbers(config.own)
    if stray := sorted(set(given) - set(method.own)):
        known = f"its own are {', '.join(method.own)}" if method.own else "it has none of its own"
        raise ConfigError(f"The method {config.method} has no setting {stray[0]!r}; {known}.")
    for name, number in given.items():
        own = method.own[name]
        if not own.low <= number <= own.high:
            raise ConfigError(
                f"{name} of {config.method} must lie between {own.low:g} and {own.high:g}, got {number:g}."
            )
    return ",".join(f"{name}={given.get(name, own.value):g}" for name, own in method.own.items())
