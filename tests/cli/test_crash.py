"""Errors that nobody raised on purpose: which of them a user can be told plainly."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from longread.cli import main
from longread.cli.crash import foreseen
from longread.cli.job import Run
from longread.jobs import JOBS


def _torch_s_own() -> BaseException:
    """What torch really raises for more than there is."""
    try:
        torch.empty(1 << 60, dtype=torch.uint8)
    except RuntimeError as error:
        return error
    raise AssertionError


@pytest.mark.parametrize(
    "error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"), _torch_s_own()]
)
def test_memory_that_runs_out_is_told_and_no_crash(error, home):
    known = foreseen(error, False)
    assert known.message == "there is not enough memory"
    assert "--window" in known.hint and "--model" in known.hint
    assert not (home / "cache").exists()


def test_another_error_of_torch_is_a_crash():
    known = foreseen(RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False)
    assert known.message == "longread itself went wrong: RuntimeError" and "report" in known.hint


def test_a_job_that_runs_out_of_memory_ends_with_a_sentence(capsys):
    def work(*_) -> int:
        raise torch.OutOfMemoryError("CUDA out of memory")

    assert Run(JOBS["read"], ["x"], {}).each(work) == 1
    error, hint = capsys.readouterr().err.splitlines()
    assert error == "error: there is not enough memory" and hint.startswith("hint: ")


@pytest.mark.parametrize("given", ["", "yes", "perhaps"])
def test_a_command_without_the_flag_heeds_the_variable(given, capsys, monkeypatch):
    def fail() -> str:
        raise ValueError("nobody foresaw this")

    monkeypatch.setattr("longread.cli.config.config_file", fail)
    monkeypatch.setenv("LONGREAD_VERBOSE", given)
    assert main(["config", "path"]) == 1
    said = capsys.readouterr().err
    assert ("Traceback" in said) == (given == "yes")
    assert ("; LONGREAD_VERBOSE=1 shows the traceback" in said) == (given != "yes")
    assert "--verbose" not in said


def test_a_crash_loads_no_torch(cli_env):
    code = (
        "import sys\n"
        "from longread.cli.crash import foreseen\n"
        "assert foreseen(MemoryError(), False).message == 'there is not enough memory'\n"
        "assert 'went wrong' in foreseen(RuntimeError('out of memory'), False).message\n"
        "sys.exit('torch' in sys.modules)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], env=cli_env(False), timeout=240)
    assert ran.returncode == 0
