"""One fine-tuning in a process of its own, for tests that kill it or start two: FOLDER OUT STEPS [METHOD]."""

import sys
from pathlib import Path

import torch
from accelerate import PartialState

from eftclip.checkpoint import load_clip
from eftclip.config import RectifyConfig
from eftclip.rectify import rectify
from eftclip.zeroshot import class_matrix


def main(source: str, out: Path, steps: int, method: str) -> None:
    from support.curated import curated_of, family, fewest
    from support.tiny import CLASSES

    torch.set_num_threads(1)
    out.mkdir(exist_ok=True)
    clip = load_clip(source, device=torch.device("cpu"))
    classes = class_matrix(clip, CLASSES)
    config = RectifyConfig(method, steps, 4, 1e-3, fewest(method), check_every=3, agreement=1.0)
    mended, _ = rectify(clip, curated_of(clip), [family()], classes, config, folder=out)
    state = PartialState()
    if state.is_main_process:
        torch.save(clip.model.state_dict(), out / "before.pt")
        torch.save(mended.model.state_dict(), out / "weights.pt")
        (out / "processes.txt").write_text(str(state.num_processes))
    state.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4] if len(sys.argv) > 4 else "realign")
