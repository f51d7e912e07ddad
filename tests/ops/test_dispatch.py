"""Which implementation of an op runs, and what becomes of a kernel that fails."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from longread_kernels import dispatch, linear_cross_entropy, lora_linear, sink_attention

from longread.config import Memory
from longread.engine.session import Session
from longread.engine.shape import Shape
from longread.events import BlockRead, Note
from longread.model.backbone import Backbone
from longread.reader.document import Block
from tests.tiny import tiny_model


@pytest.fixture(autouse=True)
def forgetful(monkeypatch):
    """Counts and failures of this test only, and no interpreter."""
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    for name in ("taken", "failed", "_untold"):
        monkeypatch.setattr(dispatch, name, type(getattr(dispatch, name))())


CPU = torch.device("cpu")


def ran() -> list[str]:
    return sorted(dispatch.taken)


def test_on_a_cpu_no_kernel_runs():
    q = torch.randn(1, 2, 3, 32)
    place = {"start": 0, "window": 8, "scale": 1.0}
    sink_attention.sink_attention(q, q, q, **place)
    sink_attention.sink_attention(q, q, q, **place, softcap=2.0)
    sink_attention.sink_attention(q, q, q, **place, with_lse=True)
    linear_cross_entropy.linear_cross_entropy(q[0, 0], torch.randn(9, 32), torch.zeros(3, dtype=torch.int64))
    lora_linear.lora_linear(
        q.half(), torch.randn(4, 32).half(), None, torch.randn(2, 32), torch.randn(4, 2), 1.0
    )
    assert dispatch.taken == {
        "sink_attention.one_node": 1,
        "sink_attention.reference": 2,
        "linear_cross_entropy.reference": 1,
        "lora_linear.reference": 1,
    }


def test_what_fails_is_tried_once_and_told_once():
    calls = []

    def kernel() -> int:
        calls.append("kernel")
        raise RuntimeError("no compiler\nand much more")

    assert [dispatch.attempt("op", CPU, kernel, lambda: 7) for _ in range(3)] == [7, 7, 7]
    assert calls == ["kernel"] and ran() == ["op.reference"]
    assert dispatch.failed == {"op": "RuntimeError: no compiler"}
    (sentence,) = dispatch.news()
    assert "op" in sentence and "no compiler" in sentence and "more" not in sentence.partition("(")[2][:40]
    assert dispatch.news() == []
    assert dispatch.attempt("another", CPU, lambda: 8, lambda: 7) == 8
    assert ran() == ["another.kernel", "op.reference"]


def test_a_compiler_says_why_behind_the_lines_that_it_quotes():
    def kernel() -> int:
        try:
            raise ValueError("arange's arguments must be a power of 2")
        except ValueError as why:
            raise RuntimeError("at 18:34:\n    rows = tl.arange(0, M)\n           ^") from why

    def unexplained() -> int:
        raise RuntimeError("at 18:34:\n    rows = tl.arange(0, M)\n           ^\nnot that")

    dispatch.attempt("one", CPU, kernel, lambda: 7)
    dispatch.attempt("two", CPU, unexplained, lambda: 7)
    assert dispatch.failed == {
        "one": "RuntimeError: arange's arguments must be a power of 2",
        "two": "RuntimeError: not that",
    }


def test_an_adapters_gradient_gives_way_alone(monkeypatch):
    """Forward and backward launch the kernel with strides of their own: either may fail."""
    monkeypatch.setattr(lora_linear, "implementation", lambda *_: "kernel")
    launched = []

    def add(y, low, up, scale):
        launched.append(1)
        if len(launched) > 1:
            raise RuntimeError("not with these strides")
        return lora_linear.reference.add_by_torch(y, low, up, scale)

    monkeypatch.setitem(sys.modules, "longread_kernels.lora_linear.kernel", SimpleNamespace(add=add))
    x, a, b = torch.randn(5, 32), torch.randn(2, 32), torch.randn(4, 2)
    weight, found = torch.randn(4, 32), []
    for function in (lora_linear.lora_linear, lora_linear.reference.lora_linear):
        inputs = [t.clone().requires_grad_() for t in (x, a, b)]
        out = function(inputs[0], weight, None, *inputs[1:], 0.5)
        found.append(torch.autograd.grad(out.square().sum(), inputs))
    assert all(map(torch.equal, *found)) and len(launched) == 2
    assert dispatch.taken["lora_linear.kernel"] == 1 and "lora_linear" in dispatch.failed


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("full"),
        RuntimeError("Triton Error [CUDA]: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_running_out_of_memory_is_not_the_kernels_fault(error):
    def kernel() -> int:
        raise error

    with pytest.raises(type(error)):
        dispatch.attempt("op", CPU, kernel, lambda: 7)
    assert not dispatch.failed


def test_a_kernel_too_large_for_the_device_is_a_failure():
    def kernel() -> int:
        raise RuntimeError("out of resource: shared memory, Required: 245760, Hardware limit: 101376")

    assert dispatch.attempt("op", CPU, kernel, lambda: 7) == 7
    assert dispatch.failed and dispatch.news()


def test_the_user_is_told_by_the_next_block():
    """The failure of a kernel becomes one warning among a session's events."""

    def kernel() -> int:
        raise RuntimeError("no compiler")

    backbone = Backbone(tiny_model("llama", num_hidden_layers=1))
    told = []
    with Session(backbone, [1], Shape(block=8, window=24, sinks=4), Memory(learn=False)) as session:
        for i in range(3):
            if i == 1:
                dispatch.attempt("op", CPU, kernel, lambda: 7)
            ids = np.arange(8, dtype=np.int64) + 3
            events = session.step(Block(i, ids, np.arange(8), 8 * i, 8 * i + 8, (i + 1) / 3))
            assert isinstance(events[-1], BlockRead)
            told.append([e for e in events if isinstance(e, Note)])
    assert [len(notes) for notes in told] == [0, 1, 0]
    assert told[1][0].level == "warning" and "no compiler" in told[1][0].text


def test_triton_is_imported_by_the_kernels_alone():
    """Importing the ops must not decide between compiler and interpreter."""
    code = (
        "import sys, longread_kernels.sink_attention, longread_kernels.linear_cross_entropy, "
        "longread_kernels.lora_linear; ours = [n for n in sys.modules if n.startswith('longread_kernels')]; "
        "assert len(ours) > 6 and not any(n.endswith(('.kernel', '.forward', '.floats')) for n in ours), ours"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
