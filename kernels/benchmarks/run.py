"""All benchmarks of the kernels: gate, then timing, then a table and JSON.

    python kernels/benchmarks/run.py [--only cpu|gpu] [--json FILE]

Knows the order and what is written down with the figures: device, commit, versions, shapes.
Knows no op. Needs torch, and for the GPU's part Triton and pytest; no network. Without a GPU
that part is left out with a line that says so. Under 8 minutes on an H100.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "kernels"))

Row = dict[str, Any]


def gate() -> None:
    """The kernels compiled must be right before they are timed: the checks of tests/ops, at a GPU's sizes."""
    command = [sys.executable, "-m", "pytest", "-q", "-c", str(ROOT / "tests/ops/kernels.ini"), "-m", "gate"]
    env = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    done = subprocess.run(command, cwd=ROOT / "tests/ops", env=env)
    if done.returncode:
        raise SystemExit("the gate failed: nothing was timed")


def machine() -> Row:
    """What the figures were taken on."""
    import torch

    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True
    ).stdout.strip()
    changed = subprocess.run(
        ["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True
    ).stdout
    triton = importlib.util.find_spec("triton") and __import__("triton").__version__
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    threads = torch.get_num_threads()
    return {
        "commit": commit + (" and changes" if changed.strip() else ""),
        "torch": torch.__version__,
        "triton": triton,
        "gpu": device,
        "threads": threads,
    }


def on_cpu() -> Iterator[Row]:
    """What can be measured anywhere."""
    import loss

    yield from loss.on_cpu()


def on_gpu() -> Iterator[Row]:
    """What needs CUDA."""
    import adapter
    import attention
    import loss

    for module in (attention, loss, adapter):
        yield from module.on_gpu()


def show(row: Row) -> None:
    """One line of the table: what, how, and its figures."""
    figures = "  ".join(f"{key} {value:,.4g}" for key, value in row.items() if isinstance(value, int | float))
    words = " · ".join(str(value) for value in row.values() if isinstance(value, str))
    print(f"{words:70} {figures}", flush=True)


def main() -> None:
    """Runs what this machine can, prints each row as it comes, and writes the JSON."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=("cpu", "gpu"))
    parser.add_argument("--json", help="where to write the figures")
    chosen = parser.parse_args()
    began, found, rows = time.perf_counter(), machine(), []
    print("  ".join(f"{key} {value}" for key, value in found.items()))
    sections = []
    if chosen.only != "gpu":
        sections.append(on_cpu)
    if chosen.only != "cpu":
        if torch.cuda.is_available() and found["triton"]:
            gate()
            sections.append(on_gpu)
        else:
            print(
                "the GPU's part is left out: "
                + ("no Triton" if torch.cuda.is_available() else "no CUDA device")
            )
    for section in sections:
        for row in section():
            rows.append(row)
            show(row)
    print(f"{time.perf_counter() - began:.0f} s in all")
    if chosen.json:
        Path(chosen.json).write_text(json.dumps({**found, "rows": rows}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
