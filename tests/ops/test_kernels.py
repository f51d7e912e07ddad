"""The checks of the Triton kernels (check_*.py), run here in Triton's interpreter.

Triton decides as it is imported whether it compiles or interprets: hence a process of its
own. On a machine with a GPU ``pytest -c tests/ops/kernels.ini`` runs the same checks compiled.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
needs_triton = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None, reason="Triton is for Linux, and not installed here"
)


def interpreted(*arguments: str, timeout: float) -> str:
    """What pytest prints for the checks; they must pass, and there must be some."""
    env = {**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    for name in [name for name in env if name.startswith("PYTEST_")]:
        del env[name]
    command = [sys.executable, "-m", "pytest", "-c", str(HERE / "kernels.ini"), "-q", *arguments]
    done = subprocess.run(command, env=env, cwd=HERE, capture_output=True, encoding="utf-8", timeout=timeout)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 0
    return done.stdout


@needs_triton
@pytest.mark.timeout(900)
def test_in_the_interpreter():
    """All in one process, which spends a good part of its time on importing torch."""
    said = interpreted("-m", "not slow", "--durations=12", timeout=880)
    print(said)


@needs_triton
@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_in_the_interpreter_everywhere():
    interpreted("-m", "slow", timeout=3500)
