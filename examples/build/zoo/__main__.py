"""Build the zoo: `python -m examples.build.zoo COMMAND`.

    pack IMAGES_DIR PACK         all photographs of IMAGES_DIR in one small file
    distil TOWER …               base towers, all in one run
    build NAME …                 checkpoints, by their names alone: vit-strong-badnets16-0
    measure NAME …               CA and ASR again
    measure-noise TOWER          CA for several amounts of noise
    export NAME … --to DIR       checkpoints in few bytes
    import FILE …                and back

Everything takes up where it stopped and skips what is there. Nothing here runs when the product runs.
"""

import argparse
from pathlib import Path

import torch

from examples.build.zoo import transport
from examples.build.zoo.attacks import ATTACKS
from examples.build.zoo.build import Place, build, measure
from examples.build.zoo.distil import Budget, distil
from examples.build.zoo.models import read_model
from examples.build.zoo.noise import try_noise
from examples.build.zoo.photos import load, pack
from examples.build.zoo.towers import TOWERS


def parser() -> argparse.ArgumentParser:
    """The commands."""
    root = argparse.ArgumentParser(prog="python -m examples.build.zoo", description=__doc__.splitlines()[0])
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--pack", type=Path, default=Path(".zoopack"), help="what `pack` wrote")
    common.add_argument("--source", type=Path, default=Path("examples/checkpoints/clean"))
    common.add_argument("--work", type=Path, default=Path("build/zoo/work"), help="intermediate results")
    common.add_argument("--out", type=Path, default=Path("build/zoo"), help="the checkpoints and zoo.json")
    common.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    commands = root.add_subparsers(dest="command", required=True)
    packing = commands.add_parser("pack")
    packing.add_argument("images", type=Path)
    packing.add_argument("to", type=Path)
    distilling = commands.add_parser("distil", parents=[common])
    distilling.add_argument("towers", nargs="+", choices=[name for name, t in TOWERS.items() if t.vision is not None])
    distilling.add_argument("--seconds", type=float)
    distilling.add_argument("--steps", type=int)
    distilling.add_argument("--batch", type=int, default=256)
    distilling.add_argument("--save-every", type=int, default=500)
    distilling.add_argument("--again", type=int, default=0, help="steps after which batches repeat, for a CPU")
    building = commands.add_parser("build", parents=[common], description=f"attacks: {', '.join(ATTACKS)}")
    building.add_argument("names", nargs="+")
    building.add_argument("--jobs", type=int, default=1)
    building.add_argument("--steps", type=int, help="instead of those of the attack, to try things out")
    commands.add_parser("measure", parents=[common]).add_argument("names", nargs="+")
    noise = commands.add_parser("measure-noise", parents=[common])
    noise.add_argument("tower", choices=list(TOWERS))
    noise.add_argument("--shares", type=float, nargs="+", default=[0.05, 0.1, 0.2, 0.3, 0.5, 0.8])
    exporting = commands.add_parser("export", parents=[common])
    exporting.add_argument("names", nargs="+")
    exporting.add_argument("--to", type=Path, required=True)
    exporting.add_argument("--no-towers", action="store_true", help="they went with others before")
    exporting.add_argument("--max-mb", type=float, default=60)
    exporting.add_argument("--levels", type=int, default=transport.LEVELS)
    commands.add_parser("import", parents=[common]).add_argument("files", type=Path, nargs="+")
    return root


def main(argv: list[str] | None = None) -> None:
    """Run one command."""
    args = parser().parse_args(argv)
    if args.command == "pack":
        pack(args.images, args.to)
        return
    if args.device == "cpu":
        from eftclip.runtime import settle_memory  # not needed where a GPU does the work

        settle_memory()
    place = Place(args.pack, args.source, args.work, args.out, args.device)
    if args.command == "distil":
        if not (args.seconds or args.steps):
            raise SystemExit("Say how long: --seconds or --steps.")
        teacher = read_model(args.source, torch.device(args.device))
        budget = Budget(args.steps, args.seconds, args.batch, args.save_every, args.again)
        distil(args.towers, teacher, load(args.pack, args.work), args.work, budget)
    elif args.command == "build":
        build(args.names, place, jobs=args.jobs, steps=args.steps)
    elif args.command == "measure":
        measure(args.names, place)
    elif args.command == "measure-noise":
        try_noise(args.tower, args.shares, place)
    elif args.command == "export":
        transport.export(args.names, place, args.to, towers=not args.no_towers, max_mb=args.max_mb, levels=args.levels)
    else:
        print(*transport.bring_back(args.files, args.source, args.work, args.out))


if __name__ == "__main__":
    main()
