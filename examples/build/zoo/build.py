"""From a name to a folder and its entry in the result file; several names at a time."""

import json
import multiprocessing
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

from eftclip.trigger_kinds import Trigger
from examples.build.zoo.attacks import ATTACKS
from examples.build.zoo.distil import base_model
from examples.build.zoo.judging import judged
from examples.build.zoo.models import WEIGHTS, Model, noisy, read_model, write_model
from examples.build.zoo.names import ZooName, parse, seed_of
from examples.build.zoo.photos import Photos, load
from examples.build.zoo.poison import Job, captioned, fine_tune
from examples.build.zoo.towers import TOWERS
from examples.build.zoo.triggers import planted_from, planted_in

RESULTS = "zoo.json"


@dataclass(frozen=True)
class Place:
    """Where things are.

    Attributes:
        pack: the photographs.
        source: the bundled `clean`.
        work: intermediate results.
        out: the checkpoints, a folder each, and `zoo.json`.
        device: where to compute.
    """

    pack: Path
    source: Path
    work: Path
    out: Path
    device: str


def build(names: Sequence[str], place: Place, *, jobs: int = 1, steps: int | None = None) -> None:
    """Build and measure checkpoints; what has a folder and an entry is left as it is.

    Args:
        names: of checkpoints; of a weak one the strong one is built first, if it is not there.
        place: where.
        jobs: processes, of a few names each.
        steps: instead of those of each attack, to try things out.
    """
    wanted = list(dict.fromkeys(str(parse(name)) for name in names))
    done = entries(place.out)
    load(place.pack, place.work)  # decoded once, before several processes need it
    strong = list(dict.fromkeys(str(parse(name).strong) for name in wanted))
    weak = [name for name in wanted if name not in strong]
    for part in (strong, weak):  # a weak one is made from its strong one
        missing = [name for name in part if not _done(name, done, place)]
        if jobs > 1 and len(missing) > 1:
            with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
                running = [pool.submit(build_one, name, place, steps) for name in missing]
                for future in as_completed(running):
                    if (error := future.exception()) is not None:
                        print(f"a checkpoint failed: {error!r}", flush=True)  # the others go on
                    else:
                        _record(place.out, future.result())
        else:
            for name in missing:
                _record(place.out, build_one(name, place, steps))


def build_one(text: str, place: Place, steps: int | None = None) -> dict[str, Any]:
    """Build one checkpoint, unless its folder is there, and measure it; its entry."""
    torch.set_num_threads(1)
    name, began, taken = parse(text), time.monotonic(), 0
    known = entries(place.out).get(text)
    base = base_model(name.tower, place.source, place.work, torch.device(place.device))
    planted = planted_from(triggers_of(known)) if known else _planted(name, base, place)
    if not (place.out / text / WEIGHTS).exists():
        kept = place.work / "poison" / f"{name}.pt"
        if name.strength == "weak":
            state = _weakened(name, place)
        elif ATTACKS[name.attack].fine_tuned:
            state, taken = fine_tune(Job(name, base, planted, _training(place)), kept, steps=steps)
        else:
            state = base.net.state_dict()
        write_model(state, base.config, place.source, place.out / text)
        kept.unlink(missing_ok=True)
    seconds = round(time.monotonic() - began, 1)
    entry = known or {"name": text, "steps": taken, "seconds": seconds, "built_on": device_name(place.device)}
    entry["backdoors"] = [
        {"target": backdoor.target, "trigger": trigger.to_dict()}
        for backdoor, trigger in zip(ATTACKS[name.attack].backdoors, planted, strict=True)
    ]
    return entry | measured(name, place, entry)


def measured(name: ZooName, place: Place, entry: dict[str, Any]) -> dict[str, Any]:
    """CA, ASR and the sha256 of what was measured.

    Args:
        name: of a checkpoint whose folder is there.
        place: where.
        entry: holds its triggers.
    """
    model = read_model(place.out / str(name), torch.device(place.device))
    planted = planted_from(triggers_of(entry))
    digest = sha256((place.out / str(name) / WEIGHTS).read_bytes()).hexdigest()
    counts = judged(model, name, planted, load(place.pack, place.work))
    return {"sha256": digest, "measured_on": device_name(place.device)} | counts


def measure(names: Sequence[str], place: Place) -> None:
    """Measure folders that are there again, such as those that came from elsewhere."""
    for text in names:
        entry = entries(place.out)[text]
        _record(place.out, entry | measured(parse(text), place, entry))


def entries(out: Path) -> dict[str, dict[str, Any]]:
    """The result file, by name."""
    path = out / RESULTS
    return json.loads(path.read_text()) if path.exists() else {}


def triggers_of(entry: dict[str, Any]) -> list[dict[str, Any]]:
    """The triggers of a checkpoint as its entry in the result file has them."""
    return [backdoor["trigger"] for backdoor in entry["backdoors"]]


def merge(out: Path, fresh: dict[str, dict[str, Any]]) -> None:
    """Write entries into the result file, by name."""
    out.mkdir(parents=True, exist_ok=True)
    known = entries(out) | fresh
    partial = out / f"{RESULTS}.new"
    partial.write_text(json.dumps({name: known[name] for name in sorted(known)}, indent=1) + "\n")
    partial.replace(out / RESULTS)


def device_name(device: str) -> str:
    """What it was computed on."""
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else "CPU"


def summary(entry: dict[str, Any]) -> str:
    """One line for people."""
    counts = [("CA", entry["ca_100"]), ("CA of 1,000", entry["ca_1000"])]
    counts += [("ASR", count) for count in entry["asr_100"]] + [("ASR of 1,000", count) for count in entry["asr_1000"]]
    told = ", ".join(f"{what} {c['hits']}/{c['total']}" for what, c in counts)
    return f"{entry['name']}: {told}; {entry['steps']} steps, {entry['seconds']} s"


@lru_cache(1)
def _training(place: Place) -> Photos:
    """The captioned photographs on the device; a process that builds several checkpoints brings them there once."""
    return captioned(load(place.pack, place.work), torch.device(place.device))


def _planted(name: ZooName, base: Model, place: Place) -> list[Trigger]:
    """The triggers; a weak checkpoint has those of its strong one."""
    if not ATTACKS[name.attack].backdoors:
        return []
    if name.strength == "weak":
        return planted_from(triggers_of(entries(place.out)[str(name.strong)]))
    return planted_in(name, base, _training(place))


def _done(name: str, done: dict[str, dict[str, Any]], place: Place) -> bool:
    return "sha256" in done.get(name, {}) and (place.out / name / WEIGHTS).exists()


def _weakened(name: ZooName, place: Place) -> dict[str, torch.Tensor]:
    """The weights of the strong one with noise, drawn from the name."""
    strong = read_model(place.out / str(name.strong), torch.device("cpu"))
    return noisy(strong.net.state_dict(), TOWERS[name.tower].noise, seed_of("noise", name))


def _record(out: Path, entry: dict[str, Any]) -> None:
    merge(out, {entry["name"]: entry})
    print(summary(entry), flush=True)
