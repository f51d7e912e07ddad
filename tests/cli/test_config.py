"""``longread config`` from the shell: its table, and a model's folder that is kept."""

from __future__ import annotations

import os
import unicodedata

import pytest

from longread import config
from longread.cli import main


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder that is called like a model, in the current one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my model").mkdir()
    return tmp_path / "my model"


def kept() -> str:
    return config.read_file()["model"]


def columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def test_a_model_s_folder_is_found_from_anywhere(folder):
    for name in ("./my model", "my model", str(folder), *([".\\my model"] if os.name == "nt" else [])):
        assert main(["config", "set", "model", name]) == 0
        assert kept() == str(folder.resolve()), name


def test_a_model_s_name_stays_a_name(folder):
    (folder.parent / "pocket").mkdir()
    for name in ("pocket", "owner/model", "~nobody-is-called-so/model", "x" * 5000):
        assert main(["config", "set", "model", name]) == 0
        assert kept() == name
    assert main(["config", "set", "model"]) == 0 and not config.read_file()


def test_the_table_s_columns_are_cells_and_a_row_is_a_line(monkeypatch, capsys):
    monkeypatch.setenv("LONGREAD_MODEL", "西游记/模型\nseed\x1b[31m  7")
    assert main(["config", "show"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert len(rows) == len(config.SHARED)
    (model,) = (row for row in rows if row.startswith("model"))
    assert "西游记/模型 seed[31m  7" in model and model.endswith("  LONGREAD_MODEL")
    assert len({columns(row[: row.rindex("  ")]) for row in rows}) == 1  # where the last column begins
