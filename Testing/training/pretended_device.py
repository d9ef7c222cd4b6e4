"""A device that is none: shows on any machine where code makes the host wait for a GPU.

Tensors on ``DEVICE`` are wrappers around tensors of the CPU, which does the arithmetic. Every operation is looked at on
the way, and those at which CUDA would make the host wait are written down: reading a value, asking where a mask is
true, indexing by a mask or by a tensor of the host, and copies that do not say ``non_blocking``.
"""

from __future__ import annotations

import traceback
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

DEVICE = torch.device("meta")
"""A device type that every build of PyTorch knows; nothing of the real one, which has no values, is used."""
READS = ("_local_scalar_dense", "nonzero", "equal")
INDEXINGS = ("index", "index_put", "index_put_", "_index_put_impl_")


class PretendedTensor(torch.Tensor):
    """A tensor of the device."""

    held: torch.Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> PretendedTensor:
        made = torch.Tensor._make_wrapper_subclass(
            cls, held.shape, dtype=held.dtype, device=DEVICE, strides=held.stride()
        )
        made.held = held
        return made

    @classmethod
    def __torch_dispatch__(cls, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise RuntimeError(f"{operation} needs the mode PretendedDevice")


class PretendedDevice(TorchDispatchMode):
    """Within it the device exists.

    Attributes:
        waits: Operation and line of code of each time the host would have waited.
    """

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[str] = []

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        name = operation.overloadpacket.__name__
        asked = kwargs.get("device")
        goes_there = asked is not None and torch.device(asked).type == DEVICE.type
        is_there = any(isinstance(value, PretendedTensor) for value in tree_leaves((args, kwargs)))
        if is_there or goes_there:
            self._watch(name, args, kwargs, copied=asked is not None and goes_there != is_there)
        if goes_there:
            kwargs["device"] = "cpu"
        result = operation(*tree_map(_held, args), **tree_map(_held, kwargs))
        if name.endswith("_"):
            return args[0]
        comes_back = asked is not None and not goes_there
        return tree_map(_wrapped, result) if (is_there or goes_there) and not comes_back else result

    def _watch(self, name: str, args: Any, kwargs: dict[str, Any], *, copied: bool) -> None:
        waits = name in READS
        waits |= name == "_to_copy" and copied and not kwargs.get("non_blocking", False)
        waits |= name == "copy_" and isinstance(args[0], PretendedTensor) != isinstance(args[1], PretendedTensor)
        if name in INDEXINGS:
            waits |= any(
                not isinstance(index, PretendedTensor) or index.dtype == torch.bool
                for index in args[1]
                if index is not None
            )
        if waits:
            lines = [frame for frame in traceback.extract_stack() if "/training/" in frame.filename.replace("\\", "/")]
            lines = [frame for frame in lines if frame.filename != __file__]
            self.waits.append(f"{name}: {lines[-1].line if lines else ''}")


def _held(value: Any) -> Any:
    return value.held if isinstance(value, PretendedTensor) else value


def _wrapped(value: Any) -> Any:
    return PretendedTensor(value) if isinstance(value, torch.Tensor) else value
