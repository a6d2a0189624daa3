"""A caption changed a little, so that it still says the same: "easy data augmentation" (Wei and Zou 2019, EDA).

One of four edits, each as likely: a word gives way to a synonym, a synonym is put in somewhere, two words change
places, or each word is left out with a chance of 0.1 (arXiv 1901.11196; a tenth of the words, at least one). EDA looks
synonyms up in WordNet, which does not ship with this package: here only the words around a label have some.
"""

import re
from collections.abc import Callable

import torch

SYNONYMS = {"photo": ("photograph", "picture", "image", "snapshot")}
LEFT_OUT = 0.1  # chance of each word
CHANGED = 0.1  # share of the words


def edited(caption: str, generator: torch.Generator) -> str:
    """A caption in small letters without punctuation, after one edit; one of a single word stays as it is."""
    words = re.sub(r"[\W_]+", " ", caption.lower()).split()
    if len(words) < 2:
        return " ".join(words) or caption
    edit = EDITS[_drawn(len(EDITS), generator)]
    for _ in range(max(1, int(CHANGED * len(words))) if edit is not _shortened else 1):
        words = edit(words, generator)
    return " ".join(words)


def _replaced(words: list[str], generator: torch.Generator) -> list[str]:
    places = [k for k, word in enumerate(words) if word in SYNONYMS]
    if not places:
        return words
    place = places[_drawn(len(places), generator)]
    return [*words[:place], _synonym(words[place], generator), *words[place + 1 :]]


def _longer(words: list[str], generator: torch.Generator) -> list[str]:
    known = [word for word in words if word in SYNONYMS]
    if not known:
        return words
    place = _drawn(len(words) + 1, generator)
    return [*words[:place], _synonym(known[_drawn(len(known), generator)], generator), *words[place:]]


def _swapped(words: list[str], generator: torch.Generator) -> list[str]:
    one, other = torch.randperm(len(words), generator=generator)[:2].tolist()
    swapped = list(words)
    swapped[one], swapped[other] = words[other], words[one]
    return swapped


def _shortened(words: list[str], generator: torch.Generator) -> list[str]:
    luck = torch.rand(len(words), generator=generator).tolist()
    kept = [word for word, drawn in zip(words, luck, strict=True) if drawn > LEFT_OUT]
    return kept or [words[_drawn(len(words), generator)]]


def _synonym(word: str, generator: torch.Generator) -> str:
    return SYNONYMS[word][_drawn(len(SYNONYMS[word]), generator)]


def _drawn(count: int, generator: torch.Generator) -> int:
    return int(torch.randint(count, (), generator=generator))


EDITS: tuple[Callable[[list[str], torch.Generator], list[str]], ...] = (_replaced, _longer, _swapped, _shortened)
