"""``longread readings`` at terminals of any width, without one, and what it loads."""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys

import pytest
from rich.cells import cell_len

from longread.cli import main
from tests.kept import CHARACTERS, keep

posix = pytest.mark.skipif(os.name == "nt", reason="pseudo-terminals of POSIX")


@pytest.fixture
def terminal(cli_command, cli_env, tmp_path):
    """``terminal(columns, "y\\n", *arguments)``: what such a pseudo-terminal received, and the exit code."""
    pty, fcntl, termios = (pytest.importorskip(name) for name in ("pty", "fcntl", "termios"))

    def run(columns: int, typed: str, *arguments: str, **extra: str) -> tuple[str, int]:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        child = subprocess.Popen(
            [*cli_command, "readings", *arguments], stdin=theirs, stdout=theirs, stderr=theirs, cwd=tmp_path,
            env=cli_env(False, **{"TERM": "xterm-256color", **extra}), start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        os.write(ours, typed.encode())
        received = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # Linux: the other end has closed
                break
            if not piece:
                break
            received += piece
        os.close(ours)
        return received.decode("utf-8"), child.wait(30)

    return run


def plain_rows(received: str) -> list[str]:
    rows = re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;]*m", "", received))
    return [row.rstrip() for row in rows if row.strip()]


@posix
@pytest.mark.parametrize(("typed", "gone"), [("y\n", True), ("n\n", False), ("\n", False), ("\x04", False)])
def test_rm_all_asks_first(terminal, typed, gone):
    made = keep()
    received, code = terminal(80, typed, "rm", "--all")
    assert code == 0 and "delete this reading? [y/N]" in received and "The Mud Book" in received
    assert made.folder.exists() is not gone
    assert ("nothing was deleted" in received) is not gone


def test_without_a_terminal_rm_all_refuses_unless_told_yes(run_cli):
    made = keep()
    ran = run_cli("readings", "rm", "--all", stdin="y\n")
    assert ran.returncode == 2 and "--yes" in ran.stderr and made.folder.exists()
    ran = run_cli("readings", "rm", "--all", "--yes")
    assert ran.returncode == 0 and not made.folder.exists()


def test_any_width_holds_titles_in_cells(capsys, monkeypatch):
    keep("西游记 第三回 四海千山皆拱伏 九幽十类尽除名", chapters=[["第三回 四海千山皆拱伏", 0, CHARACTERS]])
    keep("A very long title of a very long book that nobody ever finished", read=500)
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal
    for columns in (20, 31, 47, 80, 99):
        monkeypatch.setenv("COLUMNS", str(columns))
        for arguments in (["list"], ["show", "nobody"], ["show", "西游记"]):
            assert main(["readings", *arguments]) == 0
            rows = [row for row in plain_rows(capsys.readouterr().out) if " " in row.strip()]
            assert not [row for row in rows if cell_len(row) > columns], columns
    monkeypatch.setenv("COLUMNS", "80")
    main(["readings", "list"])
    lines = plain_rows(capsys.readouterr().out)
    assert len({cell_len(line[: line.index("pocket")]) for line in lines[1:3]}) == 1  # columns stand true


@posix
def test_a_real_terminal_of_twenty_columns_without_colour(terminal):
    keep("西游记 第三回 四海千山皆拱伏 九幽十类尽除名", read=500)
    received, code = terminal(20, "", "list", NO_COLOR="1")
    rows = plain_rows(received)
    assert code == 0 and not [row for row in rows if cell_len(row) > 20]
    assert "read: 50%" in rows and not re.search(r"\x1b\[[0-9;]*(3|4|9)[0-7]m", received)


def test_utf8_whatever_the_locale(run_cli):
    keep("西游记")
    ran = run_cli("readings", "list", LC_ALL="C", PYTHONUTF8="0")
    assert ran.returncode == 0 and "西游记" in ran.stdout


def test_no_torch_is_loaded_by_any_of_them(cli_env, tmp_path):
    made = keep()
    code = (
        "import sys\n"
        "from longread.cli import main\n"
        f"for line in ('list', 'list --json', 'show {made.id}', 'show {made.id} -o -', 'path {made.id}',\n"
        f"             'export {made.id} -o {tmp_path}/x', 'rm --all --yes'):\n"
        "    main(['readings', *line.split()])\n"
        "heavy = {'torch', 'transformers', 'peft'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", env=cli_env(False), timeout=240
    )
    assert ran.returncode == 0, ran.stderr
    assert not made.folder.exists()
