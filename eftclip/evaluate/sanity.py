"""Is there anything to judge at all? Whether a checkpoint behaves like a working CLIP."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from eftclip.errors import DataError
from eftclip.preprocess import Preprocess
from eftclip.runtime import seeded
from eftclip.types import ClipModel, Rate, Sanity
from eftclip.zeroshot import class_matrix, probabilities

ASSIGNMENTS, ROUNDING = 20_000, 1e-9  # random ones that the labels' own is held against
# At most this share of them may fit as well: with the checkpoint's own normalisation, and with each of the others.
BY_CHANCE, BY_CHANCE_OTHER = 5e-3, 5e-4
NEARER = 0.8  # of the side, what is seen from nearer
SURE_Z = 3.3  # one chance in 1,000 for each of the few normalisations that may be tried one after another
DEAD_SPREAD = 1e-3  # probabilities of a dead model agree between photographs to float rounding, about 1e-6
NORMALISATIONS = {
    "none": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "OpenAI's": ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
    "ImageNet's": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "mean 0.5, std 0.5": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
}


def sanity(clip: ClipModel, photographs: Tensor, labels: Sequence[str]) -> Sanity:
    """Find out whether a checkpoint behaves like a working CLIP (method.md section 0).

    The rule: each photograph is read among the distinct `labels`; the checkpoint may be judged when every probability
    is finite, when they differ between the photographs by more than rounding, and when the lower end of Wilson's
    interval (z = 3.3) of the share of right readings lies above chance, 1 / number of distinct labels. With the
    fourteen bundled photographs of thirteen things that means at least 5 right ones. A checkpoint that is refused by
    this may still be a weak one that works, see `share_that_fits_as_well`.

    Args:
        clip: the checkpoint.
        photographs: `(N, 3, image_px, image_px)` float32 RGB in [0, 1], clean.
        labels: the name of what each photograph shows.

    Raises:
        DataError: not one label for each photograph, or fewer than two different labels.
    """
    names = tuple(dict.fromkeys(labels))
    if len(labels) != len(photographs) or len(names) < 2:
        raise DataError(
            f"The sanity check needs one label for each photograph and two different labels at least, but got "
            f"{len(photographs)} photographs and {len(labels)} labels, {len(names)} of them different."
        )
    rows = probabilities(clip, photographs, class_matrix(clip, names))
    right = sum(names[best] == label for best, label in zip(rows.argmax(-1).tolist(), labels, strict=True))
    clean = Rate(right, len(labels))
    fault = _fault(rows, clean)
    reason = fault or f"The checkpoint reads {clean} reference photographs correctly."
    return Sanity(clean, fault is None, reason, describe_normalisation(clip))


def _fault(rows: Tensor, clean: Rate) -> str | None:
    """What speaks against judging the checkpoint, one sentence; None when nothing does."""
    if not torch.isfinite(rows).all():
        return "The checkpoint returns numbers that are not finite; its weights are damaged or overflow."
    if float((rows.amax(0) - rows.amin(0)).max()) < DEAD_SPREAD:
        return "The checkpoint reads every photograph alike; its image tower carries no information."
    chance = 1 / rows.shape[1]
    if clean.interval(SURE_Z)[0] <= chance:
        return f"The checkpoint reads {clean} reference photographs correctly, which is not clearly above chance."
    return None


@torch.inference_mode()
def share_that_fits_as_well(
    clip: ClipModel, photographs: Tensor, labels: Sequence[str], other_names: Mapping[str, Sequence[str]]
) -> float:
    """Whether what a checkpoint sees in the photographs has to do with their labels, however weakly.

    The first guess says little of a checkpoint that is right once in five: among fourteen photographs that is three.
    Its similarities say more. They are averaged over two views and over all names of a label; what all photographs, or
    all labels, have in common is taken out of them; and their sum along the labels' own assignment is held against
    random assignments of the same labels. That is a permutation test, and exact: to a checkpoint that sees nothing, no
    assignment is more likely than another. Small transformers that read 29 % of 100 things have 1 of 14 right, and
    0.08 to 0.4 % of the assignments fit them as well.

    Args:
        clip: the checkpoint.
        photographs: as for `sanity`.
        labels: as for `sanity`.
        other_names: of labels that have some.

    Returns:
        the share of random assignments that fit at least as well, in (0, 1]; 1 where numbers are not finite.
    """
    names = [(label, *other_names.get(label, ())) for label in labels]
    flat = tuple(dict.fromkeys(name for several in names for name in several))
    columns = class_matrix(clip, flat).matrix.T
    texts = torch.stack([columns[[flat.index(name) for name in several]].mean(0) for several in names])
    features = torch.stack([clip.encode_images(view).cpu() for view in _two_views(photographs)]).mean(0)
    similar = (features @ F.normalize(texts, dim=-1).T).double()  # photograph i, label of photograph j
    if not torch.isfinite(similar).all():
        return 1.0
    fits = similar - similar.mean(0) - similar.mean(1, keepdim=True)
    orders = torch.rand(ASSIGNMENTS, len(labels), generator=seeded(0)).argsort(1)
    drawn = fits[torch.arange(len(labels)), orders].sum(1)
    return (1 + int((drawn >= fits.diagonal().sum() - ROUNDING).sum())) / (1 + ASSIGNMENTS)


def _two_views(photographs: Tensor) -> tuple[Tensor, Tensor]:
    """As they are, and mirrored from nearer, of the same size."""
    side = photographs.shape[-1]
    cut = round(side * (1 - NEARER) / 2)
    inner = photographs.flip(-1)[..., cut : side - cut, cut : side - cut]
    return photographs, F.interpolate(inner, side, mode="bilinear", antialias=True)


def best_normalisation(
    clip: ClipModel,
    photographs: Tensor,
    labels: Sequence[str],
    other_names: Mapping[str, Sequence[str]] | None = None,
) -> tuple[ClipModel, Sanity]:
    """Keep the checkpoint's own normalisation if it works; otherwise look for the one it was trained with.

    Some public backdoored checkpoints were trained on pictures that were not normalised at all, which their
    configuration does not say; with the wrong normalisation they read at chance and nothing can be judged.

    Args:
        clip: the checkpoint with the preprocessing that its configuration asks for.
        photographs: as for `sanity`.
        labels: as for `sanity`.
        other_names: of labels that have some, for a checkpoint that reads badly.

    Returns:
        the checkpoint with the normalisation that works, and what was found. When none works, the checkpoint as it
        came and a `Sanity` that is not ok. Among several that work the one with most right readings is taken; where
        none is right often enough, one with which the checkpoint's similarities fit the labels, its own first.

    Raises:
        DataError: as for `sanity`.
    """
    own = sanity(clip, photographs, labels)
    if own.ok:
        return clip, own
    others = [replace(clip, preprocess=p) for p in _alternatives(clip)]
    tried = [(other, sanity(other, photographs, labels)) for other in others]
    working = [(other, found) for other, found in tried if found.ok]
    if not working:
        return _weak([(clip, own), *tried], photographs, labels, other_names or {}) or (
            clip,
            replace(own, reason=f"{own.reason} Other normalisations do not help; nothing can be judged."),
        )
    best, found = max(working, key=lambda pair: pair[1].clean.hits)
    reason = (
        f"{found.reason} The normalisation in its configuration ({own.normalisation}) fails with {own.clean}; "
        f"{found.normalisation} was used instead."
    )
    return best, replace(found, reason=reason)


def _weak(
    tried: list[tuple[ClipModel, Sanity]],
    photographs: Tensor,
    labels: Sequence[str],
    other_names: Mapping[str, Sequence[str]],
) -> tuple[ClipModel, Sanity] | None:
    """The first that reads badly, but hardly by chance; None where none does."""
    for place, (clip, found) in enumerate(tried):
        share = share_that_fits_as_well(clip, photographs, labels, other_names)
        if share <= (BY_CHANCE_OTHER if place else BY_CHANCE):
            reason = (
                f"The checkpoint reads badly ({found.clean} reference photographs correctly), but not by chance: only "
                f"{share:.2%} of random assignments of their labels fit what it sees as well."
            )
            if place:
                reason += f" {found.normalisation} was used instead of the normalisation in its configuration."
            return clip, replace(found, ok=True, reason=reason)
    return None


def describe_normalisation(clip: ClipModel) -> str:
    """The normalisation in use, for people: a well-known name, or the numbers."""
    mean, std = clip.preprocess.mean, clip.preprocess.std
    for name, known in NORMALISATIONS.items():
        if all(abs(a - b) < 1e-3 for a, b in zip((*mean, *std), (*known[0], *known[1]), strict=True)):
            return "no normalisation" if name == "none" else name
    return f"mean {', '.join(f'{m:.3g}' for m in mean)}, std {', '.join(f'{s:.3g}' for s in std)}"


def _alternatives(clip: ClipModel) -> list[Preprocess]:
    """Preprocessings that differ from the checkpoint's own in the normalisation only."""
    own = describe_normalisation(clip)
    made = [replace(clip.preprocess, mean=mean, std=std) for mean, std in NORMALISATIONS.values()]
    return [p for p in made if describe_normalisation(replace(clip, preprocess=p)) != own]
