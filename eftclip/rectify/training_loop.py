"""The training loop, the same for one process and several, CPU and GPU; it ends early once there is nothing to win."""

import copy
import hashlib
from collections.abc import Callable
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import nn

from eftclip.batch_norm import for_training
from eftclip.config import RectifyConfig
from eftclip.rectify import training_state
from eftclip.rectify.batches import Batches
from eftclip.rectify.blending import Blend, share_needed
from eftclip.rectify.methods import CAPTION, METHODS, Method, Preparation, Prepared, Student, Teacher
from eftclip.rectify.validation import ValidationSet
from eftclip.runtime import Cancelled, OnProgress, Progress, Stopwatch
from eftclip.types import ClassMatrix, ClipModel, Rate, Rectified, TuningStep

CALM = 2  # looks in a row that find nothing to win before the run ends early
UNUSED = ("logit_scale", "logit_bias")  # the temperature is no part of what is mended


@dataclass(eq=False)
class TrainingLoop:
    """One fine-tuning, and how far it is.

    Attributes:
        clip: the original; never changed.
        batches: what is shown.
        method: the loss.
        config: settings, settled.
        validation: what is looked at; None to look at nothing and never end early.
        classes: the vocabulary, for looking.
    """

    clip: ClipModel
    batches: Batches
    method: Method
    config: RectifyConfig
    validation: ValidationSet | None = None
    classes: ClassMatrix | None = None
    history: list[TuningStep] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    done: int = 0

    def run(
        self,
        folder: Path | None,
        on_progress: OnProgress,
        on_step: Callable[[TuningStep], None],
        cancelled: Cancelled,
    ) -> tuple[ClipModel, Rectified]:
        """All steps that are left, until there is nothing to win."""
        watch, accelerator = Stopwatch(), _accelerator(self.config, self.clip.device)
        copied = replace(self.clip, model=copy.deepcopy(self.clip.model))
        prepared = self._prepared(copied, on_progress, cancelled)
        learning = self._learning(copied.model)
        optimiser = torch.optim.AdamW(learning.values(), lr=self.config.learning_rate, weight_decay=0.0)
        self._resume(folder, learning, optimiser)
        ready = copied.preprocess.normalise(self.batches.at(0, [0]).clean.to(copied.device))
        quick = replace(copied, model=for_training(copied.model, ready))  # its learning weights are those of the copy
        student, stepper = accelerator.prepare(Student(quick), optimiser)
        captions = tuple(CAPTION.format(item.label) for item in self.batches.items)
        teacher = Teacher(self.clip, captions, accelerator.num_processes, prepared.found_out)
        while not (ended := self._ended(accelerator, cancelled)):
            self._step(student, stepper, teacher, accelerator)
            prepared.after_step()
            on_progress(Progress("Rectifying", self.done, self.config.steps))
            if self.done % self.config.check_every == 0 or self.done == self.config.steps:
                self._look(copied, on_step)
                if folder and accelerator.is_main_process:
                    training_state.save(folder, self._state(learning, optimiser))
        kept = self._spare(copied, learning, accelerator) if ended != "cancelled" else ""
        accelerator.free_memory()
        copied.model.requires_grad_(False)
        return copied, self._rectified(ended, watch.seconds, prepared, kept)

    def _prepared(self, copied: ClipModel, on_progress: OnProgress, cancelled: Cancelled) -> Prepared:
        """What the method does before the first step; the same on every process, and when a run is taken up."""
        if self.classes is None:
            return Prepared()
        about = (self.batches.items, self.classes, self.config, self.batches.seed)
        return self.method.prepare(Preparation(copied, self.clip, *about, on_progress, cancelled))

    def _learning(self, model: nn.Module) -> dict[str, nn.Parameter]:
        """The parameters that learn; everything stays in eval mode, so batch statistics do not move."""
        model.eval().requires_grad_(False)
        side = "" if self.method.trains_text else "visual."
        chosen = {
            name: parameter
            for name, parameter in model.named_parameters()
            if name.startswith(side) and name not in UNUSED
        }
        chosen = _without_the_first(chosen, self._frozen)
        for parameter in chosen.values():
            parameter.requires_grad_(True)
        return chosen

    @property
    def _frozen(self) -> float:
        """Share of the weights that stay as they are."""
        unsure = self.validation is not None and self.validation.unsure
        of_the_unsure = self.method.frozen_if_unsure
        return of_the_unsure if unsure and of_the_unsure is not None else self.method.frozen

    def _step(self, student: Any, optimiser: Any, teacher: Teacher, accelerator: Accelerator) -> None:
        """One step; every process takes its share of the views."""
        for group in optimiser.param_groups:
            group["lr"] = self.config.learning_rate * self.method.schedule(self.done, self.config.steps)
        batch = self.batches.at(
            self.done, range(accelerator.process_index, self.batches.size, accelerator.num_processes)
        )
        pieces = batch.parts(self.config.at_once) if self.method.distils else [batch]
        total = torch.zeros((), device=accelerator.device)
        for piece in pieces:
            with accelerator.autocast():
                loss = self.method.loss(student, piece, teacher, self.config) * (len(piece.rows) / len(batch.rows))
            accelerator.backward(loss)
            total += loss.detach().float()
        optimiser.step()
        optimiser.zero_grad()
        self.done += 1
        self.losses.append(float(accelerator.reduce(total, "mean")))

    def _look(self, copied: ClipModel, on_step: Callable[[TuningStep], None]) -> None:
        """Note how far the run is."""
        loss, self.losses = sum(self.losses) / max(1, len(self.losses)), []
        if self.validation is not None and self.classes is not None:
            self.history.append(TuningStep(self.done, loss, *self.validation.measure(copied, self.classes)))
            on_step(self.history[-1])

    def _spare(self, copied: ClipModel, learning: dict[str, nn.Parameter], accelerator: Accelerator) -> str:
        """Take back what the held-out pictures do not need; all processes take back the same. Says so."""
        if not self.method.sparing or self.validation is None:
            return ""
        validation, blend = self.validation, Blend(self.clip.model, learning)
        meant = validation.meant(self.clip)

        def mended(share: float) -> float:
            blend.keep(share)
            return validation.mended(copied, meant)

        needed = torch.tensor(share_needed(mended), device=accelerator.device)
        share = round(float(accelerator.gather(needed).max()), 2)
        blend.keep(share)
        if share == 1:
            return ""
        return (
            f"{share:.0%} of the change in the weights is kept: held-out pictures need no more, and less else changes."
        )

    def _ended(self, accelerator: Accelerator, cancelled: Cancelled) -> str:
        """Why the run is over; empty while it goes on. A cancel that reaches one process ends all."""
        if self._calm():
            return "early"
        if self.done >= self.config.steps:
            return "steps"
        asked = torch.tensor(float(cancelled()), device=accelerator.device)
        return "cancelled" if float(accelerator.reduce(asked, "sum")) else ""

    def _calm(self) -> bool:
        """Whether the last looks found nothing to win."""
        if not self.method.sees_triggers:
            return False
        last = self.history[-CALM:]
        unchanged = [look.agreement.value >= self.config.agreement and not look.attack.hits for look in last]
        return len(last) == CALM and all(unchanged)

    def _rectified(self, stopped: str, seconds: float, prepared: Prepared, kept: str) -> Rectified:
        return Rectified(
            method=self.config.method if self.validation else "plain",
            steps=self.done,
            image_steps=self.done * self.batches.size * self.method.images_per_view + prepared.image_steps,
            history=tuple(self.history),
            stopped=stopped,
            seconds=seconds,
            config_digest=self.config.digest(),
            about=self.method.about,
            trains_text=self.method.trains_text,
            remark=" ".join(filter(None, (prepared.remark, self._unsure, kept))),
            origin=self._origin,
        )

    @property
    def _unsure(self) -> str:
        """That more was left as it is than elsewhere, and why; empty where it was not."""
        if self._frozen == self.method.frozen:
            return ""
        return "The checkpoint is unsure of what it reads, so that more of its first layers stay as they are."

    @property
    def _origin(self) -> str:
        """Which package, of which version, brings the method; empty for ours."""
        return METHODS.origin(self.config.method) if self.config.method in METHODS else ""

    # --- taking up again ---

    def _about(self) -> dict[str, Any]:
        """What decides the result; a state of anything else is refused."""
        pixels = hashlib.sha256()
        for item in self.batches.items:
            pixels.update(item.image.numpy().tobytes())
        for trigger in self.batches.triggers:
            pixels.update(trigger.fingerprint())
        return {
            **({"origin": self._origin} if self._origin else {}),
            "weights": self.clip.ref.sha256,
            "config": self.config.digest(),
            "frozen": self._frozen,
            "seed": self.batches.seed,
            "pictures": pixels.hexdigest(),
        }

    def _state(self, learning: dict[str, nn.Parameter], optimiser: torch.optim.Optimizer) -> dict[str, Any]:
        return {
            "about": self._about(),
            "done": self.done,
            "history": [astuple(look) for look in self.history],
            "weights": {name: parameter.detach() for name, parameter in learning.items()},
            "optimiser": optimiser.state_dict(),
        }

    def _resume(self, folder: Path | None, learning: dict[str, nn.Parameter], optimiser: torch.optim.Optimizer) -> None:
        """Go on where an earlier run was when it last looked."""
        kept = training_state.load(folder, self._about()) if folder else None
        if kept is None:
            return
        with torch.no_grad():
            for name, parameter in learning.items():
                parameter.copy_(kept["weights"][name])
        optimiser.load_state_dict(kept["optimiser"])
        self.done = kept["done"]
        self.history = [TuningStep(step, loss, Rate(*a), Rate(*b)) for step, loss, a, b in kept["history"]]


def _without_the_first(weights: dict[str, nn.Parameter], share: float) -> dict[str, nn.Parameter]:
    """Those that are left when the first ones, which hold `share` of all numbers, stay as they are."""
    left, seen, enough = {}, 0, share * sum(parameter.numel() for parameter in weights.values())
    for name, parameter in weights.items():
        if seen >= enough:
            left[name] = parameter
        seen += parameter.numel()
    return left


def _accelerator(config: RectifyConfig, device: torch.device) -> Accelerator:
    """Accelerate's view of this process, and of those started with it."""
    automatic = "bf16" if device.type == "cuda" else "no"
    precision = {"auto": automatic, "fp32": "no", "bf16": "bf16"}[config.precision]
    if AcceleratorState._shared_state and AcceleratorState().mixed_precision != precision:
        AcceleratorState._reset_state()  # an earlier run in this process had another precision
    return Accelerator(cpu=device.type == "cpu", mixed_precision=precision)
