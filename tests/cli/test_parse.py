"""The command line before any job: help, versions, wrong words."""

from __future__ import annotations

import re
import sys

import pytest

from longread.cli import main
from longread.cli.render.words import LANGUAGES

COMMANDS = {
    *("summarize", "ask", "translate", "continue", "chat", "score", "read"),
    *("readings", "models", "doctor", "config"),
}


def test_alone_it_shows_three_examples_in_twenty_lines(capsys):
    assert main([]) == 0
    out = capsys.readouterr().out
    assert len(out.splitlines()) <= 20
    assert len(re.findall(r"^  .*longread (\w+)", out, re.MULTILINE)) == 3
    assert {*re.findall(r"^  .*longread (\w+)", out, re.MULTILINE)} <= COMMANDS


def test_help_lists_what_works_and_nothing_else(capsys):
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert {*re.findall(r"^  (\w+)  ", out, re.MULTILINE)} == COMMANDS
    assert {*re.findall(r"--[\w-]+", out)} == {
        "--version",
        "--help",
        "--install-completion",
        "--show-completion",
    }


@pytest.mark.parametrize("command", ["summarize", "ask", "chat", "score", "read"])
def test_help_of_a_command_has_a_panel_of_memory_options(capsys, command):
    assert main([command, "--help"]) == 0
    advanced = capsys.readouterr().out.split("Advanced:\n")[1]
    assert re.findall(r"--[\w-]+", advanced) == [
        "--block", "--window", "--sinks", "--learn", "--no-learn", "--recipe", "--rank", "--lr",
    ]  # fmt: skip


@pytest.mark.parametrize("columns", ["20", "40", "80", "200"])
def test_help_fits_the_width(capsys, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    for arguments in (["--help"], ["summarize", "--help"], ["config", "set", "--help"]):
        assert main(arguments) == 0
        lines = capsys.readouterr().out.splitlines()
        # A word longer than the line (a list of choices) may stick out; nothing else may.
        assert all(len(line) <= int(columns) or " " not in line.strip() for line in lines if "|" not in line)


def test_british_spelling_works(capsys):
    assert main(["summarise", "--help"]) == 0
    assert "Summarize a text" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["sumarize"], "there is no command 'sumarize'", "did you mean summarize?"),
        (["xyzzy"], "there is no command 'xyzzy'", "the commands are"),
        (["config", "pth"], "there is no command 'pth'", "did you mean path?"),
        (["summarize", "--modle", "x"], "has no option --modle", "did you mean --model?"),
        (["--modle"], "has no option --modle", "--help"),
        (["summarize", "--rank"], "--rank", "--help"),
        (["summarize", "x", "--length", "log"], "--length: 'log'", "did you mean long?"),
        (["summarize", "x", "--length", "long", "--words", "9"], "--length and --words", "one of them"),
        (["summarize", "x", "--json", "--jsonl"], "--json and --jsonl", "one of them"),
        (["summarize", "-", "-"], "only once", ""),
        (["read", "x", "--text", "--json"], "--text and --json", "one of them"),
        (["read", "x", "--json", "--text", "--rank", "x"], "--text and --json", "one of them"),
        (["config"], "missing command", "longread config --help"),
        (["config", "set"], "missing argument", "longread config set --help"),
        (["config", "set", "rnak", "3"], "there is no setting 'rnak'", "did you mean rank?"),
    ],
)
def test_wrong_usage_is_two_lines_and_exit_code_2(capsys, arguments, message, hint):
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    first, *rest = err.splitlines()
    assert not out
    assert first.startswith("error: ") and message in first
    assert hint in "".join(rest)
    assert len(rest) <= 1 and all(line.startswith("hint: ") for line in rest)


@pytest.mark.parametrize("name", ["novel.txt", "sample:en", "-", "a b.epub"])
def test_a_file_instead_of_a_command_hints_at_three(capsys, name):
    assert main([name]) == 2
    hint = capsys.readouterr().err.splitlines()[1]
    quoted = f"'{name}'" if " " in name else name
    assert [f"longread {command} {quoted}" in hint for command in ("summarize", "score", "read")] == [
        True
    ] * 3


def test_an_existing_file_without_a_dot_hints_as_well(capsys, monkeypatch, tmp_path):
    (tmp_path / "novel").write_text("x", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert main(["novel"]) == 2
    assert "longread summarize novel" in capsys.readouterr().err


def test_names_from_the_command_line_are_printed_without_control_characters(capsys):
    assert main(["\x1b[31mx\u202e.txt"]) == 2
    err = capsys.readouterr().err
    assert "\x1b" not in err and "\u202e" not in err and "[31mx" in err


def test_version_is_that_of_the_package(capsys):
    import longread

    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"longread {longread.__version__}\n"
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", longread.__version__)


def test_nothing_heavy_is_imported_by_what_needs_no_model(run_cli, cli_command, cli_env):
    """Asks a fresh interpreter which modules it has, once each answer is out."""
    import subprocess

    code = (
        "import sys\n"
        "from longread.cli import main\n"
        "for line in ('', '--help', 'score --help', '--version', 'nvel.txt', 'config show'):\n"
        "    main(line.split())\n"
        "import longread\n"
        "longread.summarize\n"
        "heavy = {'torch', 'transformers', 'numpy', 'peft', 'rich.markdown', 'tiktoken'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=cli_env(False), timeout=240
    )
    assert ran.returncode == 0, ran.stderr


def test_config_path_set_and_show(capsys, home, monkeypatch):
    assert main(["config", "path"]) == 0
    assert capsys.readouterr().out == f"{home / 'config.toml'}\n"
    assert main(["config", "set", "rank", "8"]) == 0
    monkeypatch.setenv("LONGREAD_SEED", "5")
    capsys.readouterr()
    assert main(["config", "show", "--dtype", "float32"]) == 0
    rows = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines()}
    assert rows["rank"] == ["8", "config.toml"]
    assert rows["seed"] == ["5", "LONGREAD_SEED"]
    assert rows["dtype"] == ["float32", "flag"]
    assert rows["window"] == ["auto", "default"]
    assert main(["config", "set", "rank"]) == 0
    capsys.readouterr()
    main(["config", "show"])
    assert re.search(r"^rank +16 +default$", capsys.readouterr().out, re.MULTILINE)


def test_a_wrong_config_file_stops_no_help_and_can_be_mended(capsys, home):
    (home / "config.toml").write_text("rank = 'x'\n", encoding="utf-8")
    assert main(["--help"]) == 0
    assert main(["summarize", "--help"]) == 0
    assert main(["config", "show"]) == 2
    assert main(["config", "set", "rank", "8"]) == 0
    assert main(["config", "show"]) == 0


def test_completion_knows_commands_and_choices(run_cli):
    ran = run_cli(_LONGREAD_COMPLETE="complete_bash", COMP_WORDS="longread su", COMP_CWORD="1")
    assert ran.stdout.split() == ["summarize"]
    ran = run_cli(
        _LONGREAD_COMPLETE="complete_bash", COMP_WORDS="longread summarize --length ", COMP_CWORD="3"
    )
    assert ran.stdout.split() == ["short", "medium", "long"]


def test_languages_are_named_once():
    assert len(set(LANGUAGES.values())) == len(LANGUAGES)
