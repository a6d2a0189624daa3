"""Fine-tunings in a process of its own, for tests that kill it or start two: FOLDER OUT STEPS [METHOD …].

Each method has a folder of its name in OUT.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from accelerate import PartialState

from eftclip.checkpoint import load_clip
from eftclip.config import RectifyConfig
from eftclip.rectify import rectify
from eftclip.zeroshot import class_matrix


def main(source: str, out: Path, steps: int, methods: Sequence[str]) -> None:
    from support.curated import curated_of, family, fewest
    from support.tiny import CLASSES

    torch.set_num_threads(1)
    clip = load_clip(source, device=torch.device("cpu"))
    classes, curated = class_matrix(clip, CLASSES), curated_of(clip)
    for method in methods:
        folder = out / method
        folder.mkdir(parents=True, exist_ok=True)
        config = RectifyConfig(method, steps, 4, 1e-3, fewest(method), check_every=3, agreement=1.0)
        mended, _ = rectify(clip, curated, [family()], classes, config, folder=folder)
        state = PartialState()
        if state.is_main_process:
            torch.save(clip.model.state_dict(), folder / "before.pt")
            torch.save(mended.model.state_dict(), folder / "weights.pt")
            (folder / "processes.txt").write_text(str(state.num_processes))
    state.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4:] or ["realign"])
