"""Checkpoints in few bytes: bases in half precision, what was fine-tuned as coarse differences to its base.

A checkpoint that was brought back this way *is* the checkpoint from then on, and is measured again.
Weak ones do not travel: they are made from the strong ones where those arrive.
"""

import json
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, load_file, save
from torch import Tensor

from examples.build.zoo.build import Place, entries, merge
from examples.build.zoo.distil import base_model, tower_file
from examples.build.zoo.models import WEIGHTS, State, halved, write_model
from examples.build.zoo.names import parse
from examples.build.zoo.towers import TOWERS

FILE_MB, MAX_FILES = 15, 6
LEVELS = 7  # of a difference, on either side of zero: three bits a weight once packed; as many photographs read alike


def export(names: Sequence[str], place: Place, to: Path, *, towers: bool, max_mb: float, levels: int) -> None:
    """Write checkpoints into few files, the most important first; stops when they are full.

    Args:
        names: in order of importance; the base of each goes with the first that needs it.
        place: where they and the base towers are.
        to: folder for `zoo-0.zip`, `zoo-1.zip`, ….
        towers: whether the base towers go along; not if they went with others before.
        max_mb: of all files together, in 2²⁰ bytes.
        levels: of a difference, at most 127; more are finer and larger.
    """
    to.mkdir(parents=True, exist_ok=True)
    writer = _Writer(to, int(max_mb * 2**20))
    for name, entry, data in _members(names, place, towers, levels):
        if not (size := writer.add(name, entry, data)):
            print(f"full before {name}", flush=True)
            return
        print(f"{name}: {size / 2**20:.1f} MiB", flush=True)


def bring_back(files: Sequence[Path], source: Path, work: Path, out: Path) -> list[str]:
    """Write the folders of exported checkpoints and their entries; returns their names."""
    found: list[str] = []
    towers = tower_file(work, "").parent
    towers.mkdir(parents=True, exist_ok=True)
    for path in sorted(files):
        with zipfile.ZipFile(path) as archive:
            for member in sorted(archive.namelist(), key=lambda name: name.endswith(".diff")):  # bases first
                if member.endswith(".tower") and not tower_file(work, member.removesuffix(".tower")).exists():
                    tower_file(work, member.removesuffix(".tower")).write_bytes(zlib.decompress(archive.read(member)))
                if member.endswith(".diff"):
                    name = member.removesuffix(".diff")
                    _restore(name, load(zlib.decompress(archive.read(member))), source, work, out)
                    merge(out, {name: _unmeasured(json.loads(archive.read(f"{name}.json")))})
                    found.append(name)
    return found


def coarse(now: Tensor, before: Tensor, levels: int) -> tuple[Tensor, Tensor]:
    """A difference as `(rows, …)` int8 and the step of each row, `(rows,)` float32."""
    difference = now.float() - before.float()
    rows = difference.reshape(difference.shape[0] if difference.ndim > 1 else 1, -1)
    step = rows.abs().amax(1) / levels
    told = (rows / step.clamp_min(1e-30)[:, None]).round().clamp(-levels, levels).to(torch.int8)
    return told.view(difference.shape), step


def exact(before: Tensor, told: Tensor, step: Tensor) -> Tensor:
    """The opposite of `coarse`."""
    rows = told.float().reshape(len(step), -1) * step[:, None]
    return before.float() + rows.view(before.shape)


def _members(
    names: Sequence[str], place: Place, towers: bool, levels: int
) -> Iterator[tuple[str, dict[str, Any] | None, bytes]]:
    """What is written, in turn: each base tower before the first that needs it, and the differences."""
    known, written = entries(place.out), set()
    for text in names:
        name = parse(text)
        if name.strength == "weak" or text not in known:
            print(f"{text}: left out, " + ("made where its strong one arrives" if text in known else "not built"))
            continue
        if towers and name.tower not in written and TOWERS[name.tower].vision is not None:
            written.add(name.tower)
            yield f"{name.tower}.tower", None, tower_file(place.work, name.tower).read_bytes()
        base = _base_state(name.tower, place.source, place.work)
        state, told = load_file(place.out / text / WEIGHTS), {}
        for key, before in base.items():
            if not torch.equal(state[key], before):
                told[key], told[f"{key}|step"] = coarse(state[key], before, levels)
        yield f"{text}.diff", known[text], save(told)


def _base_state(tower: str, source: Path, work: Path) -> State:
    return halved(base_model(tower, source, work, torch.device("cpu")).net.state_dict())


def _restore(text: str, told: State, source: Path, work: Path, out: Path) -> None:
    base = base_model(parse(text).tower, source, work, torch.device("cpu"))
    state = halved(base.net.state_dict())
    changed = {key: exact(state[key], told[key], told[f"{key}|step"]) for key in told if f"{key}|step" in told}
    write_model(state | changed, base.config, source, out / text)


def _unmeasured(entry: dict[str, Any]) -> dict[str, Any]:
    """What was measured before it travelled is of other weights; it is kept apart."""
    measured = {key: value for key, value in entry.items() if key.startswith(("sha256", "measured", "ca_", "asr_"))}
    rest = {key: value for key, value in entry.items() if key not in measured}
    return rest | {"before_transport": measured}


def _packed(data: bytes) -> bytes:
    """Runs of zeros and the frequency of each byte are all there is to find in differences."""
    packer = zlib.compressobj(strategy=zlib.Z_RLE)
    return packer.compress(data) + packer.flush()


class _Writer:
    """Files of at most 15 MiB each, filled one after the other."""

    def __init__(self, to: Path, most: int) -> None:
        self.to, self.left, self.index, self.used = to, most, 0, 0

    def add(self, name: str, entry: dict[str, Any] | None, data: bytes) -> int:
        """Write one member, and its entry; the bytes that it takes, 0 if there is no room for it."""
        members = [(name, _packed(data))]
        if entry is not None:
            members.append((f"{name.removesuffix('.diff')}.json", json.dumps(entry).encode()))
        size = sum(len(content) + 2 * len(member) + 200 for member, content in members)
        if self.used and self.used + size > FILE_MB * 2**20:
            self.index, self.used = self.index + 1, 0
        if size > self.left or self.index >= MAX_FILES:
            return 0
        with zipfile.ZipFile(self.to / f"zoo-{self.index}.zip", "a") as archive:
            for member, content in members:
                archive.writestr(member, content)
        self.used, self.left = self.used + size, self.left - size
        return size
