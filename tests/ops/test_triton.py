"""The fused kernels where there is no GPU: refused with a reason, and stepped through elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from semanir_arch.ops import key_semantic_attention, key_semantic_dictionary
from semanir_arch.ops.attention import fused
from semanir_arch.ops.backend import Request, choose
from semanir_arch.ops.dictionary.packed_bits import unpack
from semanir_arch.ops.dictionary.union import key_unions

ROOT = Path(__file__).parents[2]


def request(**changes) -> Request:
    values = {"device": "cpu", "dtype": torch.float32, "num_tokens": 1024, "head_dim": 30}
    return Request(**(values | {"k": 512, "masked": True} | changes))


@pytest.mark.slow
def test_kernels_equal_the_definition_in_the_interpreter():
    # Triton reads the variable when a kernel is defined: hence a process of its own.
    environment = os.environ | {"TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "tests/ops/interpreted_kernels.py"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-2000:]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, "do not run on 'cpu' devices"),
        ({"dtype": torch.float64}, "torch.float64 is not one of"),
        ({"head_dim": 129}, "129 channels per head are more than 128"),
        ({"num_tokens": 40000}, "40000 tokens per window are more than 32767"),
    ],
)
def test_a_request_that_cannot_be_served_is_refused_with_the_reason(changes, reason):
    assert reason in str(fused.BACKEND.why_not(request(**changes)))
    assert reason in str(fused.UNION_BACKEND.why_not(request(**changes)))
    with pytest.raises(NotImplementedError, match=r"able: .*masked"):
        choose(request(**changes), "triton")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_missing_gpu_is_the_reason_on_cuda():
    assert fused.BACKEND.why_not(request(device="cuda")) == "there is no CUDA device"


def test_there_is_no_union_of_every_key():
    reason = str(fused.UNION_BACKEND.why_not(request(masked=False)))
    assert "every key is kept" in reason
    with pytest.raises(ValueError, match="every key is kept"):
        key_semantic_dictionary(torch.randn(1, 8, 4), 8).union(4)


def test_naming_the_kernels_for_the_dictionary_says_why_they_cannot_run():
    with pytest.raises(NotImplementedError, match=r"cannot select keys here: .*'cpu'"):
        key_semantic_dictionary(torch.randn(1, 40, 4), 8, backend="triton")


@pytest.mark.parametrize(("tokens", "block"), [(1, 16), (40, 16), (64, 64), (100, 128)])
def test_union_lists_the_keys_that_a_block_uses_and_repacks_who_keeps_them(tokens, block):
    dictionary = key_semantic_dictionary(torch.randn(3, tokens, 8), max(1, tokens // 7))
    if dictionary.bits is None:
        pytest.skip("one token keeps itself")
    keys, sizes, places = key_unions(dictionary.bits, tokens, block)
    mask, listed = dictionary.mask(), unpack(places, tokens)
    for window in range(3):
        for index in range(sizes.shape[1]):
            rows = slice(index * block, (index + 1) * block)
            size = int(sizes[window, index])
            used = keys[window, index, :size].long()
            assert torch.equal(used, mask[window, rows].any(0).nonzero().flatten())
            assert torch.equal(listed[window, rows, :size], mask[window, rows][:, used])
            assert not listed[window, rows, size:].any()


def test_union_is_built_once_and_kept_with_the_dictionary():
    dictionary = key_semantic_dictionary(torch.randn(1, 40, 8), 5)
    assert dictionary.union(16) is dictionary.union(16)
    assert dictionary.union(16)[1].shape == (1, 3)
    assert dictionary.union(32)[1].shape == (1, 2)


def test_autocast_applies_to_every_backend():
    dictionary = key_semantic_dictionary(torch.randn(1, 40, 8), 5)
    q, k, v = torch.randn(3, 1, 2, 40, 8)
    with torch.autocast("cpu", torch.bfloat16):
        out = key_semantic_attention(q, k.bfloat16(), v, dictionary)
    assert out.dtype == torch.bfloat16


def test_more_work_than_a_launch_holds_is_refused():
    pytest.importorskip("triton")
    from semanir_arch.ops.attention.kernel_launch import plan_forward

    # Tensors without data: 2^25 windows of 64 heads.
    q = torch.empty((2**25, 64, 1, 1), dtype=torch.bfloat16, device="meta")
    launch = plan_forward(q, q, q, None, None, 1.0)
    assert launch.programs == 2**31
    with pytest.raises(ValueError, match="2147483648 blocks of work are more than one launch"):
        launch.run()


def test_rows_too_far_apart_for_32_bit_offsets_are_copied():
    # 32767 tokens that are 2^17 numbers apart, without memory behind them.
    far = (
        torch.empty(1, dtype=torch.bfloat16)
        .expand(1, 1, 32767, 1)
        .as_strided((1, 1, 32767, 1), (0, 0, 0, 1))
    )
    assert fused._readable(far) is far
    far = torch.empty((1, 1, 32767, 2**17), dtype=torch.bfloat16, device="meta")[..., :30]
    assert fused._readable(far).stride() == (32767 * 30, 32767 * 30, 30, 1)


def test_kernels_are_imported_when_first_used():
    code = "import sys, semanir_arch.ops; sys.exit('triton' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
