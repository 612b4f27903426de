"""Repairs of Triton's interpreter, for the tests that run kernels on a CPU.

Triton 3.6 converts loop bounds in a way that NumPy 2.4 refuses, and computes with the bit patterns
of bfloat16 instead of its values (triton issues 4972, 11584).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import triton.language as tl
from triton.runtime import interpreter


def repair() -> None:
    """Repair the interpreter of this process."""
    patch_tensor, convert = interpreter._patch_lang_tensor, interpreter._convert_float
    create_dot = interpreter.InterpreterBuilder.create_dot

    def patch_tensor_with_index(tensor: Any, scope: Any) -> None:
        patch_tensor(tensor, scope)
        scope.set_attr(tensor, "__index__", lambda self: int(self.handle.data.item()))

    def convert_bfloat16(data: Any, source: Any, target: Any, rounding: Any) -> Any:
        if (source, target) == (tl.bfloat16, tl.float32):
            return data.view(np.uint16).astype(np.uint32) << 16
        if (source, target) == (tl.float32, tl.bfloat16):
            bits = np.ascontiguousarray(data).view(np.uint32)
            return ((bits + ((bits >> 16 & 1) + 0x7FFF)) >> 16).astype(np.uint16)
        return convert(data, source, target, rounding)

    def widen(x: Any) -> Any:
        if x.dtype.scalar != tl.bfloat16:
            return x
        bits = convert_bfloat16(x.data, tl.bfloat16, tl.float32, None)
        return interpreter.TensorHandle(bits.view(np.float32), tl.float32)

    def create_dot_in_float32(self: Any, a: Any, b: Any, *rest: Any) -> Any:
        return create_dot(self, widen(a), widen(b), *rest)

    interpreter._patch_lang_tensor = patch_tensor_with_index
    interpreter._convert_float = convert_bfloat16
    interpreter.InterpreterBuilder.create_dot = create_dot_in_float32
