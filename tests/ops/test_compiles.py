"""The kernels of sink_attention compile for GPUs that are not there, into the memory that those have."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("compile_only.py")


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="Triton is not installed here")
@pytest.mark.parametrize(("capability", "shared"), [(80, 166_912), (89, 101_376), (90, 232_448)])
def test_compiles(capability, shared):
    env = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    env["PYTHONPATH"] = os.pathsep.join(
        str(SCRIPT.parents[up] / below) for up, below in ((2, ""), (2, "kernels"))
    )
    command = [sys.executable, str(SCRIPT), str(capability), str(shared)]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert {row["kernel"] for row in found} == {"attend", "join", "queries", "block_keys"}
    assert not [row for row in found if not row["fits"]]
    # What books are read with must not wait for registers kept in memory.
    common = [row for row in found if row["dtype"] == "torch.bfloat16" and row["dim"] <= 128]
    assert common and not [row for row in common if row["spilled"] > 64]
