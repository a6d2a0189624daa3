"""The photographs that ship inside our dependencies: strangers for transplants, references for the sanity check."""

from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2 import functional as TF

from eftclip.data.pictures import read_picture
from eftclip.data.sets import ImageSet, list_set
from eftclip.errors import DataError

CACHED_PX = 448  # short side of the photographs kept in memory: twice what most CLIPs see
MIN_PHOTOGRAPHS = 8


@dataclass(frozen=True)
class Photograph:
    """A photograph that ships inside a dependency.

    Attributes:
        name: its caption, unique.
        path: where it is installed.
        label: what it shows, in plain English.
        credit: photographer or source and licence, as far as the dependency states them.
    """

    name: str
    path: Path
    label: str
    credit: str


_SKIMAGE, _SKLEARN, _GRADIO = "skimage/data", "sklearn/datasets/images", "gradio/media_assets/images"
_UNSTATED = "ships with gradio, source not stated"
# Natural photographs only: no drawings, film stills, cut-outs or thumbnails. (folder, file, name, label, credit)
_CATALOGUE = (
    (_SKIMAGE, "chelsea.png", "Cat", "cat", "Stéfan van der Walt, CC0"),
    (_GRADIO, "lion.jpg", "Lion", "lion", _UNSTATED),
    (_SKIMAGE, "coffee.png", "Coffee", "cup of coffee", "Rachel Michetti, Pikolo Espresso Bar, CC0"),
    (_SKLEARN, "china.jpg", "Pagoda", "pagoda", "danielbuechele, CC BY 2.0"),
    (_SKIMAGE, "motorcycle_left.png", "Motorcycle", "motorcycle", "Middlebury stereo benchmark 2014"),
    (_SKLEARN, "flower.jpg", "Flower", "flower", "vultilion, CC BY 2.0"),
    (_SKIMAGE, "astronaut.png", "Astronaut", "astronaut", "NASA, public domain"),
    (_GRADIO, "tower.jpg", "Tower", "tower", _UNSTATED),
    (_GRADIO, "cheetah1.jpg", "Cheetah", "cheetah", _UNSTATED),
    (_SKIMAGE, "rocket.jpg", "Rocket", "rocket", "SpaceX, public domain"),
    (_GRADIO, "cheetah.jpg", "Running cheetah", "cheetah", _UNSTATED),
    (_SKIMAGE, "camera.png", "Photographer", "photographer with a camera", "Lav Varshney, CC0"),
    (_SKIMAGE, "coins.png", "Coins", "coins", "Brooklyn Museum, no known copyright restrictions"),
    (_SKIMAGE, "brick.png", "Brick wall", "brick wall", "CC0Textures, CC0"),
)
# What else their labels are called: one name is a weak witness where a checkpoint reads badly.
OTHER_NAMES = {
    "cat": ("tabby cat", "kitten"),
    "lion": ("male lion",),
    "cup of coffee": ("espresso", "coffee mug"),
    "pagoda": ("temple", "palace"),
    "motorcycle": ("motor scooter", "moped"),
    "flower": ("daisy", "water lily"),
    "astronaut": ("space suit", "woman in a uniform"),
    "tower": ("bell tower", "castle"),
    "cheetah": ("leopard",),
    "rocket": ("missile", "space shuttle"),
    "photographer with a camera": ("tripod", "reflex camera"),
    "coins": ("old coins", "money"),
    "brick wall": ("stone wall",),
}


@lru_cache(maxsize=1)
def bundled_photographs() -> tuple[Photograph, ...]:
    """The natural photographs inside scikit-image, scikit-learn and gradio.

    Returns:
        those that the installed versions have; a missing one is left out.

    Raises:
        DataError: fewer than `MIN_PHOTOGRAPHS` are installed.
    """
    listed = [
        Photograph(name, _package(folder) / file, label, credit) for folder, file, name, label, credit in _CATALOGUE
    ]
    found = tuple(photograph for photograph in listed if photograph.path.is_file())
    if len(found) < MIN_PHOTOGRAPHS:
        missing = ", ".join(str(photograph.path) for photograph in listed if photograph not in found)
        raise DataError(
            f"Only {len(found)} of the {len(listed)} photographs inside our dependencies were found "
            f"(missing: {missing}); install the packages of requirements.txt again."
        )
    return found


def bundled_set() -> ImageSet:
    """All bundled photographs as a data set, for whoever has none.

    Raises:
        DataError: too few photographs are installed.
    """
    return list_set("bundled photographs", [(p.name, p.path, p.label) for p in bundled_photographs()])


def host_photographs(image_px: int, count: int, *, generator: torch.Generator) -> Tensor:
    """Random crops of the bundled photographs: pictures that have nothing to do with the one under test.

    Args:
        image_px: side of a crop in pixels.
        count: how many; every photograph is used before one is used again.
        generator: decides order, crops and flips.

    Returns:
        `(count, 3, image_px, image_px)` float32 RGB in [0, 1].

    Raises:
        DataError: too few photographs are installed.
    """
    photographs = bundled_photographs()
    order = torch.randperm(len(photographs), generator=generator).tolist()
    crops = torch.empty(count, 3, image_px, image_px)
    for i, crop in enumerate(crops):
        pixels = _pixels(photographs[order[i % len(order)]].path)
        crop.copy_(_random_crop(pixels, image_px, generator))
    return crops.div_(255)


def _random_crop(pixels: Tensor, px: int, generator: torch.Generator) -> Tensor:
    """A square view of 35 to 100 % of the area (the aspect up to 3:4 off), flipped half of the time; still uint8."""
    height, width = pixels.shape[-2:]
    area, aspect, at_x, at_y, flip = torch.rand(5, generator=generator).tolist()
    side = (height * width * (0.35 + 0.65 * area)) ** 0.5
    stretch = (3 / 4) ** (aspect - 0.5)  # from √(3/4) to √(4/3) for either side: their ratio spans 3:4 to 4:3
    h, w = min(height, round(side * stretch)), min(width, round(side / stretch))
    cut: Tensor = TF.resized_crop(
        pixels, round(at_y * (height - h)), round(at_x * (width - w)), h, w, [px, px], antialias=True
    )
    return cut.flip(-1) if flip < 0.5 else cut


@lru_cache(maxsize=32)
def _pixels(path: Path) -> Tensor:
    """`(3, H, W)` uint8 with a short side of at most `CACHED_PX`; shared, so never to be written to."""
    picture = read_picture(path)
    scale = CACHED_PX / min(picture.size)
    if scale < 1:
        picture = picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.BOX)
    pixels: Tensor = TF.pil_to_tensor(picture)
    return pixels


def _package(folder: str) -> Path:
    """Where a folder of a package is installed, found without importing the package."""
    package, rest = folder.split("/", 1)
    spec = find_spec(package)
    places = spec.submodule_search_locations if spec else None
    return Path(next(iter(places)) if places else package) / rest
