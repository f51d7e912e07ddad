"""docs/samples/ shows what docs/samples.py ran, and the answers on it are still those that are given."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from longread.cli import main
from longread.cli.app import parse

ROOT = Path(__file__).parents[1]


def _script():
    spec = importlib.util.spec_from_file_location("samples_pages", ROOT / "docs" / "samples.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SCRIPT = _script()
COMMANDS = [(code, command) for code, shown in SCRIPT.PAGES.items() for _, command in shown]


def blocks(code: str) -> list[tuple[str, str]]:
    """Command and output, in the page's order."""
    text = (SCRIPT.TARGET / f"{code}.md").read_text(encoding="utf-8")
    return re.findall(r"```sh\nlongread (.*?)\n```\n\n```text\n(.*?)```", text, re.S)


@pytest.mark.parametrize("code", SCRIPT.PAGES)
def test_a_page_shows_every_command_once_and_in_order(code):
    assert [typed for typed, _ in blocks(code)] == [
        SCRIPT.spelled(command) for _, command in SCRIPT.PAGES[code]
    ]
    assert all(output.strip() for _, output in blocks(code))


@pytest.mark.parametrize("command", [command for _, command in COMMANDS], ids=SCRIPT.spelled)
def test_its_commands_can_be_parsed(command):
    assert callable(parse(command))


@pytest.mark.parametrize(("code", "command"), [item for item in COMMANDS if item[1][0] == "ask"])
def test_its_answers_are_those_that_are_given(code, command, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main([*command, "-q"]) == 0
    shown = dict(blocks(code))[SCRIPT.spelled(command)]
    assert SCRIPT.wrapped(capsys.readouterr().out).strip() == shown.strip(), "run python docs/samples.py"


def test_lines_are_wrapped_by_cells():
    wide = SCRIPT.wrapped("字" * 51 + "\n\nword " * 21)
    assert wide.splitlines()[:3] == ["字" * 50, "字", ""]


def test_a_page_that_is_not_there_is_said(capsys):
    assert SCRIPT.main(["tlh"]) == 2
    assert "en, zh" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("code", SCRIPT.PAGES)
def test_pages_are_up_to_date(code, tmp_path):
    assert SCRIPT.page(code, tmp_path) == (SCRIPT.TARGET / f"{code}.md").read_text(encoding="utf-8")
