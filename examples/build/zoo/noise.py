"""How much noise makes a tower weak: clean accuracy for several amounts, to choose the one in the table of towers."""

from collections.abc import Sequence

import torch

from examples.build.zoo.build import Place
from examples.build.zoo.distil import base_model
from examples.build.zoo.judging import accuracy
from examples.build.zoo.models import noisy
from examples.build.zoo.names import seed_of
from examples.build.zoo.photos import load


def try_noise(tower: str, shares: Sequence[float], place: Place) -> None:
    """Print the clean accuracy of a base tower over the Caltech-101 names for each share of noise."""
    device = torch.device(place.device)
    photos = load(place.pack, place.work)
    names = photos.categories()
    held_out = photos.held_out_of("caltech101", device)
    truth = torch.tensor([names.index(label) for label in held_out.labels])
    model = base_model(tower, place.source, place.work, device)
    matrix, before = model.labels(names), {key: value.cpu().clone() for key, value in model.net.state_dict().items()}
    for share in (0.0, *shares):
        model.net.load_state_dict(noisy(before, share, seed_of("noise", tower)))
        right = accuracy(model, held_out, matrix, truth)
        print(f"{tower} {share:.3f}: {right['hits']} of {right['total']}", flush=True)
