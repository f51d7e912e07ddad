"""Rules of the house that concern the terminal program, read off its source."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

CLI = Path(__file__).parents[2] / "longread" / "cli"
SOURCES = sorted(CLI.rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(CLI)))
def test_only_render_prints_and_nobody_interprets_markup(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    printing = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in ("print", "typer.echo", "typer.secho") or re.match(r"sys\.(stdout|stderr)\.", name):
                printing.append(f"{path.name}:{node.lineno} {name}")
    assert path.parent.name == "render" or not printing, printing
    assert "from_markup" not in path.read_text(encoding="utf-8")


def test_a_command_is_a_file_of_under_sixty_lines():
    commands = [path for path in CLI.glob("*.py") if "app.command" in path.read_text(encoding="utf-8")]
    groups = [path for path in CLI.glob("*.py") if "group.command" in path.read_text(encoding="utf-8")]
    assert {path.stem for path in (*commands, *groups)} == {
        "summarize",
        "ask",
        "translate",
        "continue_",
        "score",
        "read",
        "doctor",
        "config",
    }
    for path in (*commands, *groups):
        assert len(path.read_text(encoding="utf-8").splitlines()) < 65, path
