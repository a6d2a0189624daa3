"""From what a weight file holds to a table of tensors by plain names: training runs wrap them in many ways.

No list of wrappers and prefixes is needed. Every CLIP has one temperature, `logit_scale`: the table that it lies in is
the model's, and what stands before it is the prefix.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from eftclip.checkpoint.error_text import short_list
from eftclip.checkpoint.weights.inert_pickle import Inert

State = dict[str, Tensor]

TEMPERATURE = "logit_scale"
SCRIPT = "__torch__."  # what classes of an archive are called
DEEPEST = 3  # tables in tables; two are the most seen, {"model": {"state_dict": …}}
# Where a file has several tables: the weights of the last step, not their running average.
USUAL_TABLES = ("state_dict", "model_state_dict", "model", "module")


class NoTensorsError(Exception):
    """Why no table of tensors can be taken: the part of a sentence that follows the file's name."""


@dataclass(frozen=True)
class Tensors:
    """The tensors of a checkpoint.

    Attributes:
        state: by plain names.
        remark: where they lay and what was left, in words; empty where nothing was around them.
        torchscript: they come out of a TorchScript archive.
    """

    state: State
    remark: str = ""
    torchscript: bool = False


def unwrap(content: Any) -> Tensors:
    """Take the tensors of a CLIP out of what a file holds.

    Args:
        content: tables of tensors, perhaps in other tables, in objects or under prefixes.

    Raises:
        NoTensorsError: there are none, or it cannot be said which.
    """
    tables = dict(_tables(content, "", DEEPEST))
    path = _chosen(tables)
    state, remark = _without_prefix(tables[path])
    told = ([f"weights under `{path}`"] if path else []) + remark
    return Tensors(state, ", ".join(told), isinstance(content, Inert) and content.named.startswith(SCRIPT))


def _tables(content: Any, path: str, deepest: int) -> Iterator[tuple[str, State]]:
    """Every table of tensors by the keys that lead to it."""
    if isinstance(content, Inert) and ("_parameters" in content.state or content.named.startswith(SCRIPT)):
        content = dict(_of_module(content, "", 64))
    if not isinstance(content, Mapping):
        return
    if state := {key: value for key, value in content.items() if isinstance(key, str) and isinstance(value, Tensor)}:
        yield path, state
    if deepest:
        for key, value in content.items():
            if isinstance(key, str) and not isinstance(value, Tensor):
                yield from _tables(value, f"{path}.{key}" if path else key, deepest - 1)


def _of_module(module: Inert, prefix: str, deepest: int) -> Iterator[tuple[str, Tensor]]:
    """The tensors of a model that was saved whole, or of a TorchScript archive, as its `state_dict` names them."""
    state = module.state
    passing = state.get("_non_persistent_buffers_set", ())
    whole = "_parameters" in state  # a model; the modules of an archive have their tensors among their attributes
    tables = [state.get(name) for name in ("_parameters", "_buffers", "_modules")] if whole else [state]
    for name, value in ((n, v) for table in tables if isinstance(table, Mapping) for n, v in table.items()):
        if isinstance(value, Tensor) and not (isinstance(passing, set) and name in passing):
            yield f"{prefix}{name}", value
        elif isinstance(value, Inert) and deepest:
            yield from _of_module(value, f"{prefix}{name}.", deepest - 1)


def _chosen(tables: Mapping[str, State]) -> str:
    """The table of the model."""
    if not tables:
        raise NoTensorsError("is not a table of named tensors; save the model's state_dict")
    clips = [path for path, state in tables.items() if any(_is_temperature(name) for name in state)]
    found = clips or [path for path in tables if path in USUAL_TABLES] or list(tables)
    usual = [path for path in USUAL_TABLES if path in found]
    if len(found) > 1 and not usual and "" not in found:
        raise NoTensorsError(f"holds several tables of tensors ({short_list(found)}); save the right one alone")
    return usual[0] if usual and "" not in found else ("" if "" in found else found[0])


def _without_prefix(state: State) -> tuple[State, list[str]]:
    """The tensors of the one model in a table, and what is to be told of that."""
    prefixes = sorted({name.removesuffix(TEMPERATURE) for name in state if _is_temperature(name)})
    if not prefixes or prefixes[0] == "":
        return state, []
    if len(prefixes) > 1:
        raise NoTensorsError(f"holds several models ({short_list(prefixes)}); save the right one alone")
    prefix = prefixes[0]
    inside = {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
    left = [f"{len(state) - len(inside)} tensors outside of it left out"] if len(inside) < len(state) else []
    return inside, [f"prefix `{prefix}`", *left]


def _is_temperature(name: str) -> bool:
    return name == TEMPERATURE or name.endswith(f".{TEMPERATURE}")
