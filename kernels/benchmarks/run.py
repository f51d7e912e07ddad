"""All benchmarks of the kernels: a table and JSON; on a GPU a gate before anything is timed there.

    python kernels/benchmarks/run.py [--only cpu|gpu] [--json FILE]

Knows the order and what is written down with the figures: device, commit, versions, shapes.
Knows no op. Needs torch, and for the GPU's part Triton and pytest; no network. Without a GPU
that part is left out with a line that says so. Under 8 minutes on an H100.

The JSON is written anew with each row: what ends a run early leaves what was found until then. A part
that breaks off is a row with its reason, the others still run, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "kernels"))

from rows import Row, reason  # noqa: E402  (which needs the line above)

# Modules beside this one, in the order in which they run, by what they need.
PARTS = {"cpu": ("loss",), "gpu": ("attention", "loss", "adapter")}


def gate() -> Iterator[Row]:
    """The kernels compiled must be right before they are timed: the checks of tests/ops, at a GPU's sizes."""
    command = [sys.executable, "-m", "pytest", "-q", "-c", str(ROOT / "tests/ops/kernels.ini"), "-m", "gate"]
    env = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    began = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT / "tests/ops", env=env)
    if done.returncode:
        raise RuntimeError("the gate failed: nothing was timed on the GPU")
    yield {"what": "gate", "seconds": time.perf_counter() - began}


def git(*words: str) -> str:
    """What git says; nothing where there is none."""
    if not shutil.which("git"):
        return ""
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True).stdout.strip()


def machine() -> Row:
    """What the figures were taken on."""
    import torch

    triton = importlib.util.find_spec("triton") and __import__("triton").__version__
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    threads = torch.get_num_threads()
    return {
        "commit": git("rev-parse", "HEAD") + (" and changes" if git("status", "--porcelain") else ""),
        "torch": torch.__version__,
        "cudnn": torch.backends.cudnn.version(),
        "triton": triton,
        "gpu": device,
        "threads": threads,
    }


def rows_of(name: str, where: str) -> Callable[[], Iterator[Row]]:
    """The rows of one part; importing it is a part of it."""
    return lambda: getattr(importlib.import_module(name), f"on_{where}")()


def show(row: Row) -> None:
    """One line of the table: what, how, and its figures."""
    figures = "  ".join(f"{key} {value:,.4g}" for key, value in row.items() if isinstance(value, int | float))
    words = " · ".join(str(value) for value in row.values() if isinstance(value, str))
    print(f"{words:70} {figures}", flush=True)


class Table:
    """The rows so far, each printed and written to ``file`` as it comes."""

    def __init__(self, head: Row, file: str | None) -> None:
        self.head, self.file, self.rows, self.complete = head, file, [], True
        print("  ".join(f"{key} {value}" for key, value in head.items()), flush=True)
        self.write()

    def write(self) -> None:
        """All of it, anew."""
        if self.file:
            text = json.dumps({**self.head, "rows": self.rows}, indent=1) + "\n"
            Path(self.file).write_text(text, encoding="utf-8")

    def add(self, row: Row) -> None:
        """One more row."""
        self.rows.append(row)
        show(row)
        self.write()

    def take(self, what: str, part: Callable[[], Iterable[Row]]) -> bool:
        """The rows of ``part``; whether it came to its end."""
        try:
            for row in part():
                self.add(row)
        except Exception as error:  # the other parts' figures are worth having
            traceback.print_exc()
            self.add({"what": what, "why": f"broke off: {reason(error)}"})
            self.complete = False
            return False
        return True


def main() -> int:
    """Runs what this machine can; the exit status."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=("cpu", "gpu"))
    parser.add_argument("--json", help="where to write the figures")
    chosen = parser.parse_args()
    began, found = time.perf_counter(), machine()
    table = Table(found, chosen.json)
    if chosen.only != "gpu":
        for name in PARTS["cpu"]:
            table.take(f"{name}, CPU", rows_of(name, "cpu"))
    if chosen.only != "cpu":
        if not (torch.cuda.is_available() and found["triton"]):
            missing = "no Triton" if torch.cuda.is_available() else "no CUDA device"
            print(f"the GPU's part is left out: {missing}")
        elif table.take("gate", gate):
            for name in PARTS["gpu"]:
                table.take(f"{name}, GPU", rows_of(name, "gpu"))
    print(f"{time.perf_counter() - began:.0f} s in all")
    return 0 if table.complete else 1


if __name__ == "__main__":
    sys.exit(main())
