"""The photographs of step 2: the gallery, what a visitor chose, and triggers planted on request."""

from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps

from eftclip.data import Photograph, bundled_photographs, read_picture
from eftclip.preprocess import Preprocess
from eftclip.runtime import seeded
from eftclip.triggers import TRIGGERS, WholePictureSpec, draw_trigger
from eftclip.ui.checkpoint.request import MAX_SEED
from eftclip.ui.components.pictures import to_image
from eftclip.ui.components.triggers import NO_TRIGGER
from eftclip.ui.components.uploads import read_upload
from eftclip.ui.components.validation import whole_number
from eftclip.untrusted_text import one_line

THUMBNAIL_PX = 168
SQUARE = Preprocess(image_px=224, mean=(0.0,) * 3, std=(1.0,) * 3)
BROWSER_FORMATS, BROWSER_MODES = ("JPEG", "PNG", "WEBP", "GIF", "BMP"), ("1", "L", "P", "LA", "RGB", "RGBA")


@dataclass(frozen=True)
class Choice:
    """The photograph that a visitor chose, before any trigger is planted.

    Attributes:
        path: the file on the server.
        name: what the visitor knows it by.
        own: the visitor brought it, it is none of the bundled ones.
    """

    path: str
    name: str
    own: bool = False


@dataclass(frozen=True)
class Planting:
    """What to plant: a key of `TRIGGERS` or `none`, and the seed; for a patch also where, and how large."""

    trigger: str
    position: str
    patch_px: int
    seed: int


def bundled_choice(index: int) -> Choice:
    """The n-th bundled photograph."""
    photograph = bundled_photographs()[index]
    return Choice(str(photograph.path), photograph.name)


def own_choice(path: str) -> Choice:
    """A file that the visitor brought; it is read once, so that a bad one is refused at once.

    Raises:
        DataError: the file is not a usable picture.
    """
    read_upload(path)
    return Choice(path, one_line(Path(path).name), own=True)


def planting(trigger: object, position: object, patch_px: object, seed: object) -> Planting:
    """Values from the page; the trigger and the position are checked where they are used.

    Raises:
        ConfigError: the size or the seed is not a whole number in its range.
    """
    return Planting(
        str(trigger), str(position), whole_number("size", patch_px, 4, 112), whole_number("seed", seed, 0, MAX_SEED)
    )


def thumbnails() -> list[tuple[Image.Image, str]]:
    """Small squares of the bundled photographs with their captions."""
    return [(_thumbnail(photograph), photograph.name) for photograph in bundled_photographs()]


def picture_of(choice: Choice, planting: Planting, preprocess: Preprocess = SQUARE) -> Image.Image:
    """The photograph as it will be checked, with the trigger planted where one is asked for.

    A trigger is planted into the square that the model sees, because it is published in those pixels; the result is
    that square and must be handed on without loss.

    Raises:
        DataError: the file is not a usable picture.
        TriggerError: the trigger cannot be planted as asked.
    """
    picture = read_upload(choice.path)
    if planting.trigger == NO_TRIGGER:
        return picture
    generator = seeded(planting.seed)
    square, _ = preprocess.square(picture)
    if isinstance(TRIGGERS.get(planting.trigger), WholePictureSpec):  # it has neither a size nor a place
        planted = draw_trigger(planting.trigger, generator=generator).plant(square[None], generator=generator)
        return to_image(planted.images[0])
    trigger = draw_trigger(planting.trigger, generator=generator, patch_px=planting.patch_px)
    planted = trigger.plant(square[None], generator=generator, position=planting.position)  # type: ignore[arg-type]
    return to_image(planted.images[0])


def needs_conversion(choice: Choice) -> bool:
    """Whether a browser cannot show this file as it is."""
    with Image.open(choice.path) as picture:
        return picture.format not in BROWSER_FORMATS or picture.mode not in BROWSER_MODES


def _thumbnail(photograph: Photograph) -> Image.Image:
    return ImageOps.fit(read_picture(Path(photograph.path)), (THUMBNAIL_PX, THUMBNAIL_PX))
