"""A checkpoint as the page shows it: what it holds, and what exactly is under test."""

import torch

from eftclip import report
from eftclip.checkpoint import CheckpointReport
from eftclip.pipeline import CheckSetup
from eftclip.ui.components import html


def inspected(seen: CheckpointReport) -> str:
    """HTML: what a checkpoint holds, seen before any of it is loaded."""
    tower = seen.architecture
    rows = [
        ("source", seen.source),
        *([("revision", seen.revision)] if seen.revision else []),
        ("licence", seen.licence or "not stated"),
        *([("format", seen.layout.replace("_", " "))] if seen.layout else []),
        ("weights", f"{seen.weight_file} ({seen.format})" if seen.weight_file else "none"),
        *([("architecture", f"{tower.vision} and {tower.text}, {tower.image_px} px")] if tower else []),
        *((name, report.size(count)) for name, count in seen.files.items()),
        *([("and", f"{seen.left_out:,} more files")] if seen.left_out else []),
    ]
    message = "Nothing speaks against loading it." if not seen.problems else "Something is wrong with it:"
    problems = "".join(html.note(problem, wrong=True) for problem in seen.problems)
    return html.note(f"Looked at, not loaded. {message}") + problems + html.facts(rows)


def provenance(setup: CheckSetup, about: str) -> str:
    """HTML: exactly which weights are under test, and with what; `about` says what they are for, if we know."""
    ref = setup.clip.ref
    rows = [
        ("source", ref.source),
        *([("revision", ref.revision)] if ref.revision else []),
        ("format", ref.layout.replace("_", " ")),
        ("weights", f"{ref.format}, sha256 {ref.sha256[:16]}…{f', {ref.remark}' if ref.remark else ''}"),
        ("architecture", f"{_architecture(setup.clip.model)}, {setup.clip.image_px} px"),
        ("labels", f"{len(setup.classes.labels):,} ({setup.labels_source})"),
        ("sanity", f"{'passed' if setup.sanity.ok else 'failed'}: {setup.sanity.clean} photographs named right"),
        ("oracle", setup.oracle.name),
        ("reference", setup.reference[0].ref.source if setup.reference else "none"),
    ]
    warning = "" if setup.sanity.ok else html.note(setup.sanity.reason, wrong=True)
    return (html.note(about) if about else "") + warning + html.facts_on_request(rows)


def _architecture(model: torch.nn.Module) -> str:
    """The image tower by name, and how many parameters the whole has."""
    tower = model.visual
    card = getattr(getattr(tower, "trunk", None), "default_cfg", None) or {}
    millions = sum(parameter.numel() for parameter in model.parameters()) / 1e6
    return f"{card.get('architecture') or type(tower).__name__}, {millions:.1f} M parameters"
