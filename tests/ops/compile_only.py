"""Compiles the kernels of sink_attention for a GPU that is not there.

    python tests/ops/compile_only.py CAPABILITY SHARED [HEAD SIZES]

Knows what Triton and its assembler say: that they compile, the shared memory asked for and the
registers spilled. Knows nothing of whether they are right or fast. CAPABILITY is 80, 90, ...;
SHARED is that device's shared memory a block, in bytes. Prints one JSON object a kernel.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
import triton
from longread_kernels import dispatch
from triton.backends.compiler import GPUTarget
from triton.runtime.jit import JITFunction


class Absent:
    """As much of a driver as compiling needs."""

    def __init__(self, capability: int) -> None:
        self._target = GPUTarget("cuda", capability, 32)

    def get_current_target(self) -> GPUTarget:
        return self._target

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, device: int = 0) -> int:
        return 0


def spilled(ptx: str, capability: int) -> int:
    """Bytes of registers that the assembler had to put into memory."""
    arch = f"sm_{capability}{'a' if capability >= 90 else ''}"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kernel.ptx"
        path.write_text(ptx, encoding="utf-8")
        command = [triton.knobs.nvidia.ptxas.path, "-v", f"--gpu-name={arch}", str(path)]
        said = subprocess.run([*command, "-o", "/dev/null"], capture_output=True, text=True, check=True)
    return sum(map(int, re.findall(r"(\d+) bytes spill stores", said.stderr)))


def main() -> None:
    """Walks the host code with CPU tensors; every launch is a compilation and no more."""
    capability, shared = int(sys.argv[1]), int(sys.argv[2])
    dims = [int(part) for part in sys.argv[3].split(",")] if len(sys.argv) > 3 else [64, 128, 256]
    triton.runtime.driver.set_active(Absent(capability))
    launch = JITFunction.run

    def compiled_only(self, *arguments, grid, warmup, **options):
        found = launch(self, *arguments, grid=grid, warmup=True, **options)
        report = {"kernel": self.fn.__name__, "shared": found.metadata.shared, "dtype": str(case[1])}
        report |= {"dim": case[0], "n": case[2], "spilled": spilled(found.asm["ptx"], capability)}
        print(json.dumps(report | {"fits": found.metadata.shared <= shared}), flush=True)
        return found

    JITFunction.run = compiled_only
    from longread_kernels.sink_attention import kernel

    kernel._units, kernel._roomy = (lambda index: 108), (lambda index: shared > kernel.ROOMY)
    for dim in dims:
        for case in ((dim, torch.bfloat16, 2048), (dim, torch.bfloat16, 1), (dim, torch.float32, 512)):
            _, dtype, n = case

            def made(heads: int, tokens: int, dim=dim, dtype=dtype) -> torch.Tensor:
                return torch.empty(1, tokens, heads, dim, dtype=dtype).transpose(1, 2)

            q, q_sink, k_new, v_new = made(32, n), made(32, n), made(8, n), made(8, n)
            learned = [x.requires_grad_() for x in (q, q_sink, k_new, v_new)]
            k, v, k_sink, v_sink = made(8, 4095 + n), made(8, 4095 + n), made(8, 4), made(8, 4)
            place = {"start": 9000, "window": 4100, "scale": 0.1, "k_new": k_new, "v_new": v_new}
            sinks = {"q_sink": q_sink, "k_sink": k_sink, "v_sink": v_sink}
            out, _ = kernel.sink_attention(q, k, v, **place, **sinks)
            if n > 1:
                torch.autograd.grad(out, learned, torch.empty_like(out))
            if dispatch.failed:
                raise SystemExit(str(dispatch.failed))


if __name__ == "__main__":
    main()
