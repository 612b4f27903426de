from __future__ import annotations

import pytest
import torch
from torch import Tensor

from semanir_arch.ops.operators import operator


@operator("semanir_test::two_steps", "(Tensor x) -> Tensor")
def two_steps(x: Tensor) -> Tensor:
    return 2 * (x + 1)


@torch.library.register_fake("semanir_test::two_steps")
def _(x: Tensor) -> Tensor:
    return x.new_empty(x.shape)


def test_an_operator_without_a_formula_refuses_its_gradient() -> None:
    x = torch.ones(3, requires_grad=True)
    y = two_steps(x)
    assert torch.equal(y, torch.full((3,), 4.0))
    with pytest.raises(RuntimeError, match="operator semanir_test::two_steps has no gradient"):
        y.sum().backward()


def test_the_compiler_sees_the_operator_and_not_its_inside() -> None:
    graphs = []

    def keep(graph, inputs):
        graphs.append(graph)
        return graph

    @torch.compile(backend=keep)
    def traced(x: Tensor) -> Tensor:
        return two_steps(x)

    @torch.compile(backend=keep)
    def given_up(x: Tensor) -> list[Tensor]:
        outputs = []
        for _ in range(2):
            with torch.autograd.set_detect_anomaly(False):
                # in a loop and a context the compiler leaves the function, not those it calls
                torch._dynamo.graph_break()
                outputs.append(two_steps(x))
        return outputs

    x = torch.ones(3)
    assert torch.equal(traced(x), two_steps(x))
    (graph,) = graphs
    called = [str(node.target) for node in graph.graph.nodes if node.op == "call_function"]
    assert called == ["semanir_test.two_steps.default"]
    assert all(torch.equal(y, two_steps(x)) for y in given_up(x))
    called = [str(n.target) for g in graphs[1:] for n in g.graph.nodes if n.op == "call_function"]
    assert not {name for name in called if name != "semanir_test.two_steps.default"}
