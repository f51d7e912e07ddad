"""A tiny model's sizes, and a run of it."""

from __future__ import annotations

from pathlib import Path

import torch

from longread.pocket.train import run
from longread.pocket.train.model import Shape
from longread.pocket.train.state import State

TINY = Shape(vocabulary=61, hidden=16, layers=2, heads=2, kv_heads=1, head_dim=8, mlp=24, window=1024)
SIZES = [f"--{name.replace('_', '-')}={value}" for name, value in TINY.as_dict().items()]


def trained(rows: Path, out: Path, *options: str) -> dict[str, torch.Tensor]:
    run.main(["--data", str(rows), "--out", str(out), "--device=cpu", "--log-every=1", *SIZES, *options])
    found = State(out).newest()
    assert found is not None
    return found[1]
