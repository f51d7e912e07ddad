"""kernels/benchmarks/run.py where there is no GPU, and what its tables rest on."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

RUN = Path(__file__).parents[2] / "kernels" / "benchmarks" / "run.py"


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


def test_the_memory_of_chunks_is_what_arithmetic_says(monkeypatch):
    """The largest tensors that both ways make, at a size that can be counted."""
    from torch.utils._python_dispatch import TorchDispatchMode

    spec = importlib.util.spec_from_file_location("loss_benchmark", RUN.with_name("loss.py"))
    loss = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loss)
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
