"""kernels/benchmarks/run.py where there is no GPU, and what its tables rest on."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from longread_kernels import dispatch

RUN = Path(__file__).parents[2] / "kernels" / "benchmarks" / "run.py"
BENCHMARKS = [path.stem for path in RUN.parent.glob("*.py")]


@pytest.fixture
def load(monkeypatch):
    """Imports a module of the benchmarks, which are scripts beside each other, for this test only."""
    monkeypatch.syspath_prepend(RUN.parent)
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    for name in ("taken", "failed", "_untold"):
        monkeypatch.setattr(dispatch, name, type(getattr(dispatch, name))())
    kept = {name: sys.modules.pop(name) for name in BENCHMARKS if name in sys.modules}
    yield importlib.import_module
    for name in BENCHMARKS:
        sys.modules.pop(name, None)
    sys.modules.update(kept)


@pytest.fixture
def clock(load, monkeypatch):
    """The benchmarks' clock where there is no GPU: it runs what it is given."""
    module = load("clock")
    monkeypatch.setattr(module, "milliseconds", lambda run: (run(), 1.0)[1])
    monkeypatch.setattr(module, "peak", lambda run: (run(), 2**20)[1])
    monkeypatch.setattr(module, "recorded", lambda run: run)
    monkeypatch.setattr(module, "matmul_rate", lambda: 1e12)
    return module


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU: the benchmark would run")
def test_without_a_gpu_it_says_so(tmp_path):
    out = tmp_path / "figures.json"
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, str(RUN), "--only", "gpu", "--json", str(out)]
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert "left out: no CUDA device" in done.stdout
    figures = json.loads(out.read_text(encoding="utf-8"))
    assert figures["rows"] == [] and figures["gpu"] is None and figures["torch"] == torch.__version__


def test_the_memory_of_chunks_is_what_arithmetic_says(load, monkeypatch):
    """The largest tensors that both ways make, at a size that can be counted."""
    from torch.utils._python_dispatch import TorchDispatchMode

    loss = load("loss")
    monkeypatch.setattr(loss, "TOKENS", 40)
    monkeypatch.setattr(loss, "VOCABULARY", 1000)
    monkeypatch.setattr(loss.reference, "CHUNK", 5000)
    largest = 0

    class Watching(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            nonlocal largest
            out = func(*args, **(kwargs or {}))
            for tensor in out if isinstance(out, tuple) else (out,):
                if isinstance(tensor, torch.Tensor):
                    largest = max(largest, tensor.numel())
            return out

    given = loss.inputs(4, "cpu", torch.float32)
    found, sizes = [], []
    for way in loss.WAYS:
        largest = 0
        with Watching():
            found.append(loss.run(way, *given))
        sizes.append(4 * largest)
    assert torch.allclose(*found, atol=1e-6)
    assert sizes == [loss.arithmetic(loss.WAYS[0], 4) // 3, 4 * 5000]
    assert loss.arithmetic(loss.WAYS[1], 4) == 4 * 5000 + 2 * 4 * 40 * 4


@pytest.fixture
def run_parts(load, monkeypatch, tmp_path):
    """run.py's main with parts of the test's own, as if there were a GPU: status and JSON."""
    run = load("run")
    out = tmp_path / "figures.json"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(run, "machine", lambda: {"gpu": "none", "triton": "3"})
    monkeypatch.setattr(sys, "argv", ["run.py", "--json", str(out)])

    def rows():
        return json.loads(out.read_text(encoding="utf-8"))["rows"]

    def go(gate, **parts):
        monkeypatch.setattr(run, "gate", gate)
        for name in ("attention", "loss", "adapter"):
            module = SimpleNamespace(on_cpu=lambda: iter([{"what": "on the CPU"}]), on_gpu=parts.get(name))
            monkeypatch.setitem(sys.modules, name, module)
        return run.main(), rows()

    return SimpleNamespace(go=go, rows=rows)


def test_each_row_is_written_at_once_and_a_part_that_breaks_off_is_a_row(run_parts, capsys):
    seen = []

    def gate():
        seen.append(len(run_parts.rows()))  # the CPU's part came before it
        yield {"what": "gate"}

    def attention():
        yield {"what": "first"}
        seen.append(run_parts.rows()[-1])
        raise torch.OutOfMemoryError("CUDA out of memory.\nTried much")

    def loss():
        seen.append(run_parts.rows()[-1]["why"])
        yield {"what": "second", "ms": 2.0}

    status, rows = run_parts.go(gate, attention=attention, loss=loss, adapter=lambda: iter(()))
    why = "broke off: OutOfMemoryError: CUDA out of memory. Tried much"
    assert status == 1 and seen == [1, {"what": "first"}, why]
    expected = ["on the CPU", "gate", "first", "attention, GPU", "second"]
    assert [row["what"] for row in rows] == expected and rows[3]["why"] == why
    assert why in capsys.readouterr().out


def test_after_a_red_gate_nothing_is_timed_on_the_gpu(run_parts):
    def gate():
        raise RuntimeError("red")

    status, rows = run_parts.go(gate)
    assert status == 1
    assert rows == [{"what": "on the CPU"}, {"what": "gate", "why": "broke off: RuntimeError: red"}]


def test_without_a_failure_the_status_is_0(run_parts):
    status, rows = run_parts.go(lambda: (), **dict.fromkeys(("attention", "loss", "adapter"), lambda: ()))
    assert status == 0 and len(rows) == 1


def test_a_failed_kernel_is_said_in_its_row(clock, load, monkeypatch):
    """Triton cannot launch on the CPU: the reference does the work, and must not be timed in its name."""
    pytest.importorskip("triton")
    loss = load("loss")
    small, op = loss.inputs, sys.modules["longread_kernels.linear_cross_entropy"]
    monkeypatch.setattr(loss, "TOKENS", 40)
    monkeypatch.setattr(loss, "VOCABULARY", 100)
    monkeypatch.setattr(loss, "inputs", lambda width, device, dtype: small(4, "cpu", torch.float32))
    monkeypatch.setattr(op, "implementation", lambda *given: "kernel")
    plain, ours = loss.on_gpu()
    assert plain["ms"] == 1.0 and plain["peak_MiB"] == 1.0 and "why" not in plain
    assert ours["why"].startswith("ms: did not run: linear_cross_entropy: ") and "ms" not in ours


def test_a_figure_that_was_taken_stays_and_each_row_tries_its_kernel_anew(load):
    rows = load("rows")

    def attempt(op, error=None):
        def kernel():
            if error:
                raise error
            return 3.0

        return lambda: dispatch.attempt(op, torch.device("cpu"), kernel, lambda: 4.0)

    failing = attempt("op's gradient", ValueError("too large"))
    row = rows.measured({"how": "op"}, forward_ms=attempt("op"), both_ms=failing, peak_MiB=lambda: 5.0)
    why = "both_ms: did not run: op's gradient: ValueError: too large"
    assert row == {"how": "op", "forward_ms": 3.0, "why": why}
    assert rows.measured({}, both_ms=attempt("op's gradient")) == {"both_ms": 3.0}
    assert rows.replaced(Counter()) == "op's gradient.reference was chosen in place of a kernel"
    assert rows.measured({}, ms=lambda: 1 / 0)["why"].startswith("ms: did not run: ZeroDivisionError")


@pytest.fixture
def attention(clock, load, monkeypatch):
    """benchmarks/attention.py at a size for the CPU, FlexAttention not compiled and without a gradient."""
    from torch.nn.attention.flex_attention import flex_attention

    def flex(q, k, v, **options):
        return flex_attention(q.detach(), k.detach(), v.detach(), **options)

    module = load("attention")
    sizes = {"HEADS": 4, "KV": 2, "DIM": 16, "WINDOW": 12, "SINKS": 2, "BLOCK": 5, "START": 50}
    for name, value in {**sizes, "DEVICE": "cpu", "compiled_flex": lambda: flex}.items():
        monkeypatch.setattr(module, name, value)
    return module


@pytest.mark.filterwarnings("ignore")  # FlexAttention wants to be compiled
@pytest.mark.parametrize("n", [1, 5])
def test_all_ways_to_attend_compute_the_same(attention, n):
    book = attention.Book(n, torch.float32)
    book.sinks["q_sink"] = book.q  # the second rotation is left out for the others
    with torch.no_grad():  # what is cached ends with the block
        book.k[:, :, -n:], book.v[:, :, -n:] = book.k_new, book.v_new
    expected = book.ours().forward()
    ways = [book.masked(), book.flex()]
    if n == 1:  # which sees all that is held
        bare = attention.sdpa(attention.SDPBackend.MATH, book.q, *book.joined(2), note="no mask")
        ways += [book.one_query(), bare]
    for way in ways:
        assert torch.allclose(way.forward(), expected, atol=1e-5), way.how
    masked = ways[0]
    assert [x.shape for x in masked.both()()] == [x.shape for x in masked.inputs]
    assert all(x.grad is None for x in masked.inputs)


@pytest.mark.filterwarnings("ignore")
def test_attentions_rows_name_what_ran(attention):
    """Where there is no GPU: no kernel, and of SDPA's backends two."""
    rows = list(attention.on_gpu())

    def about(begin, end):
        return {r["how"]: r for r in rows if r["what"].startswith(begin) and r["what"].endswith(end)}

    block = about("5 queries", "bf16")
    masked = next(how for how in block if "EFFICIENT_ATTENTION refuses" in how)
    assert masked.startswith(("SDPA, MATH", "SDPA, FLASH_ATTENTION"))
    assert {"forward_ms", "both_ms", "peak_MiB", "share_of_matmul"} <= block[masked].keys()
    assert "forward_ms: did not run: " in block["SDPA, CUDNN_ATTENTION, dense causal"]["why"]
    one = about("one query", "CUDA graph")
    assert "in place of a kernel" in one["sink_attention"]["why"] and "ms" not in one["sink_attention"]
    assert one["one_query, buffer of 17"]["ms"] == one["a graph that adds two numbers"]["ms"] == 1.0
    exact = about("5 queries", "float32")
    assert exact["reference.sink_attention"]["forward_ms"] == 1.0
    assert "in place of a kernel" in exact["sink_attention"]["why"]


def test_the_adapters_rows_say_that_no_kernel_ran(clock, load, monkeypatch):
    adapter = load("adapter")
    for name, value in {"TOKENS": 8, "WIDTH": 16, "OUT": 16, "RANK": 2, "DEVICE": "cpu"}.items():
        monkeypatch.setattr(adapter, name, value)
    ours, composed = adapter.on_gpu()
    assert "lora_linear.reference was chosen" in ours["why"] and "forward_ms" not in ours
    assert composed["both_ms"] == 1.0 and "why" not in composed
