"""The triggers that were found as HTML; every text is escaped here."""

from collections.abc import Iterable
from dataclasses import dataclass

from eftclip.ui.components.html import escape


@dataclass(frozen=True)
class FamilyCard:
    """A trigger family for showing.

    Attributes:
        pictures: its exemplars as data URIs, the first one is shown large.
        label: what it forces.
        facts: sentences.
    """

    pictures: tuple[str, ...]
    label: str
    facts: tuple[str, ...]


def families(cards: Iterable[FamilyCard]) -> str:
    """Each trigger with its pixels enlarged, what it forces and what proves it."""
    return f'<div class="eft-families">{"".join(_family(card) for card in cards)}</div>'


def _family(card: FamilyCard) -> str:
    large = f'<img class="eft-pixels" src="{escape(card.pictures[0])}" alt="the trigger, enlarged">'
    small = "".join(f'<img class="eft-pixels" src="{escape(uri)}" alt="">' for uri in card.pictures[1:])
    facts = "".join(f"<li>{escape(fact)}</li>" for fact in card.facts)
    return (
        f'<article class="eft-family"><div class="eft-patch">{large}</div><div>'
        f'<h4>forces “<b>{escape(card.label)}</b>”</h4><ul>{facts}</ul><div class="eft-small-patches">{small}</div>'
        "</div></article>"
    )
