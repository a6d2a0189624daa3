"""A model is built without drawing its first weights: those of a file overwrite them all, and drawing takes longer."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from torch import Tensor
from torch.nn import init
from torch.overrides import TorchFunctionMode

# All that initialisers of torch, open_clip, timm and transformers are made of, apart from constants.
DRAWS = {Tensor.uniform_, Tensor.normal_, Tensor.erfinv_, init.uniform_, init.normal_, init.kaiming_uniform_}


class SkipInit(TorchFunctionMode):
    """Within it, a tensor that would be filled with random numbers stays as it lies in memory."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call the function, or give back what it would have filled."""
        named = kwargs or {}
        if func in DRAWS:
            return args[0] if args else named["tensor"]
        return func(*args, **named)
