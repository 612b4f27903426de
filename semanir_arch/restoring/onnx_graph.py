"""From a traced network to an ONNX file, and back to numbers with onnxruntime."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.export import ExportedProgram

from semanir_arch.utils.errors import InputError

__all__ = ["INPUT", "OUTPUT", "can_run", "require_onnx", "run", "to_onnx"]

INPUT, OUTPUT = "image", "restored"

_NEEDED = ("onnx", "onnxscript")


def require_onnx() -> None:
    """Refuse where a package is missing.

    Raises:
        ValueError: Names the packages and how to install them.
    """
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise InputError(
            f"writing ONNX needs {' and '.join(missing)}: pip install 'semanir-arch[export]'"
        )


def to_onnx(program: ExportedProgram, metadata: Mapping[str, str], *, open_sizes: bool) -> bytes:
    """Translate a graph.

    Args:
        program: Result of `semanir_arch.restoring.tracing.trace`.
        metadata: Metadata to store in the file.
        open_sizes: Whether height and width of `program` are open.

    Returns:
        Content of the file.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        translated = torch.onnx.export(
            program,
            input_names=[INPUT],
            output_names=[OUTPUT],
            custom_translation_table={torch.ops.aten.sort.stable: _make_stable_sort()},
            dynamo=True,
            verbose=False,
        )
    assert translated is not None, "only torch's older exporter returns nothing"
    model = translated.model
    model.producer_name = "semanir_arch"
    model.metadata_props.update(metadata)
    proto = translated.model_proto
    if open_sizes:
        for value, sides in (
            (proto.graph.input[0], ("height", "width")),
            (proto.graph.output[0], ("restored_height", "restored_width")),
        ):
            for dim, side in zip(value.type.tensor_type.shape.dim[2:], sides, strict=True):
                dim.dim_param = side
    content: bytes = proto.SerializeToString()
    return content


def can_run() -> bool:
    """Whether onnxruntime is installed."""
    return find_spec("onnxruntime") is not None


def run(content: bytes, image: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Restore a batch (1, C, H, W), float32, with onnxruntime on the CPU."""
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (restored,) = session.run([OUTPUT], {INPUT: image})
    return np.asarray(restored)


def _make_stable_sort() -> Any:
    """torch.sort(stable=True) for ONNX, whose TopK breaks ties by the lower index."""
    from onnxscript import opset18

    op: Any = opset18

    # the optimiser reports each constant that it does not fold
    logging.getLogger("onnxscript").setLevel(logging.ERROR)

    def stable_sort(self: Any, stable: bool = True, dim: int = -1, descending: bool = False) -> Any:
        """Sort as torch.sort does."""
        assert stable
        length = op.Gather(op.Shape(self), op.Constant(value_ints=[dim]))
        return op.TopK(self, length, axis=dim, largest=int(descending), sorted=1)

    return stable_sort
