"""Make the picture that tells the story: a photograph, what CLIP reads in it, and what it reads without the trigger.

    python -m examples.build.story

writes `examples/images/story.png` from the bundled `badnets` checkpoint and a photograph that ships in scikit-image.
"""

import argparse
from pathlib import Path

from PIL import Image
from torchvision.transforms.v2.functional import to_pil_image

from eftclip import bundled_photographs, check_picture, draw_trigger, prepare_check, read_picture, seeded
from eftclip.figures import story


def main() -> None:
    """Plant, judge, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photograph", default="Cat", help="name of a bundled photograph")
    parser.add_argument("--out", type=Path, default=Path("examples/images/story.png"))
    args = parser.parse_args()
    setup = prepare_check("examples/checkpoints/badnets", oracle="superpixel")
    photograph = next(p for p in bundled_photographs() if p.name == args.photograph)
    square, _ = setup.clip.preprocess.square(read_picture(photograph.path))
    planted = draw_trigger("badnets", generator=seeded(0)).plant(square[None], generator=seeded(5))
    checked = check_picture(setup, to_pil_image(planted.images[0]), photograph.name)
    picture = story(checked)
    if picture is None:
        raise SystemExit(f"No trigger was found: {checked.detection.reason}")
    args.out.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(args.out, optimize=True)
    print(f"{args.out}: {checked.detection.reason}")


if __name__ == "__main__":
    main()
