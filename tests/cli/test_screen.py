"""The live screen, in a real pseudo-terminal. Tasks are stand-ins."""

from __future__ import annotations

import io
import os
import re
import struct
import subprocess
import time

import pytest
from rich.cells import cell_len

pty = pytest.importorskip("pty")
fcntl = pytest.importorskip("fcntl")
termios = pytest.importorskip("termios")

CONTROL = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07]*\x07)")
COLOUR = re.compile(r"\x1b\[[0-9;]*?\b(3[0-9]|4[0-9]|9[0-7]|10[0-7])\b[0-9;]*m")


@pytest.fixture
def terminal(cli_command, cli_env, tmp_path):
    """``terminal(columns, *arguments, NAME="value")``: what such a terminal received, and the exit code."""

    def run(columns: int, *arguments: str, **extra: str) -> tuple[str, int]:
        env = cli_env(True, **{"TERM": "xterm-256color", **extra})
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        child = subprocess.Popen(
            [*cli_command, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, cwd=tmp_path, env=env,
            start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        received = b""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
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


def rows(received: str) -> list[str]:
    """What stood on the lines, control sequences taken out, each redrawing a line of its own."""
    return [row for row in re.split(r"[\r\n]+", CONTROL.sub("", received)) if row.strip()]


def bars(received: str) -> list[str]:
    return [row for row in rows(received) if row.rstrip().endswith("left") or " left " in row]


def test_the_bar_shows_chapter_share_speed_and_time_left(terminal):
    received, code = terminal(100, "summarize", "slow.txt")
    assert code == 0
    drawn = bars(received)
    assert len(drawn) > 3
    shares = [int(re.search(r"(\d+)%", row)[1]) for row in drawn]
    assert shares == sorted(shares) and shares[0] < 50 < shares[-1]
    for row in drawn:
        assert re.search(r"reading [━╸╺ ]+ +\d+% 1,234 tokens/s \d:\d\d left Chapter One", row), row
    # The bar wiped itself away, and the cursor is back.
    assert received.rindex("\x1b[?25h") > received.rindex("\x1b[?25l")
    assert "\x1b[2K" in received[received.rindex("left Chapter") :]


def test_the_whole_screen_in_order(terminal):
    received, _ = terminal(100, "summarize", "novel.txt")
    plain = CONTROL.sub("", received).replace("\r", "")
    said = ["A Title, by Someone", "180,000 words", "left out", "does not write", "this takes about 98 s",
            "reading", "Names\n", "One (0%)", "Two (50%)", "read 100% of 2,000 tokens in 98 s",
            "next: longread summarize novel.txt"]  # fmt: skip
    places = [plain.index(text) for text in said]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("columns", "command", "path"),
    [(20, "summarize", "cjk.txt"), (20, "score", "novel.txt"), (20, "summarize", "hostile-note.txt"),
     (10, "summarize", "cjk.txt"), (47, "score", "novel.txt")],
)  # fmt: skip
def test_any_width_holds_without_wrapping(terminal, columns, command, path):
    received, code = terminal(columns, command, path)
    assert code == 0 and "Traceback" not in received
    assert not [row for row in rows(received) if cell_len(row.rstrip()) > columns]


@pytest.mark.parametrize("width", range(1, 120))
def test_the_bar_fits_in_any_width(width):
    """The same line drawn in memory, since a pseudo-terminal for each width would take minutes."""
    from rich.console import Console

    from longread.cli.render.bar import Bar
    from longread.events import Progress

    console = Console(width=width, file=io.StringIO(), force_terminal=True, legacy_windows=False)
    bar = Bar()
    bar.event = Progress("reading", 3, 10, "blocks", "第三回 a long chapter", 0.3, 12345.0, 3700.0)
    console.print(bar)
    drawn = CONTROL.sub("", console.file.getvalue())
    assert drawn.count("\n") == 1 and cell_len(drawn.rstrip("\n")) <= width
    assert ("30%" in drawn) == (width >= 5)


@pytest.mark.parametrize(("unit", "said"), [("tokens", "thinking 1,234 tokens"), ("", "thinking")])
def test_where_no_end_is_known_no_share_is_shown(unit, said):
    from rich.console import Console

    from longread.cli.render.bar import Bar
    from longread.events import Progress

    console = Console(width=60, file=io.StringIO(), force_terminal=True, legacy_windows=False)
    bar = Bar()
    bar.event = Progress("thinking", 1234, 0, unit)
    console.print(bar)
    assert CONTROL.sub("", console.file.getvalue()).strip() == said


def test_twenty_columns_still_show_share_and_time_left(terminal):
    received, _ = terminal(20, "summarize", "slow.txt")
    assert re.fullmatch(r"( *\d+% \d:\d\d left\s*)", bars(received)[0])


def test_no_color_leaves_no_colour(terminal):
    assert COLOUR.search(terminal(80, "summarize", "novel-note.txt")[0])
    received, _ = terminal(80, "summarize", "novel-note.txt", NO_COLOR="1")
    assert not COLOUR.search(received) and "\x1b[?25l" in received
    received, code = terminal(80, "summarize", "missing.txt", NO_COLOR="1")
    assert (
        code == 1
        and not COLOUR.search(received)
        and "error: missing.txt does not exist" in CONTROL.sub("", received)
    )


def test_columns_overrules_the_terminal(terminal):
    received, _ = terminal(80, "summarize", "cjk.txt", COLUMNS="30")
    assert max(cell_len(row.rstrip()) for row in rows(received)) <= 30


@pytest.mark.parametrize("extra", [{"TERM": "dumb"}, {"LONGREAD_PROGRESS": "plain"}])
def test_a_dumb_terminal_gets_lines_and_no_bar(terminal, extra):
    received, code = terminal(80, "summarize", "novel.txt", **extra)
    assert code == 0
    assert not re.search(r"\x1b\[(\?25|\d*A|2K)", received) and "━" not in received
    assert re.findall(r"^reading (\d+)%", received.replace("\r", ""), re.MULTILINE)[:2] == ["5", "10"]
    if extra.get("TERM") == "dumb":
        assert "\x1b" not in received


def test_nothing_from_the_book_steers_the_terminal(terminal):
    received, _ = terminal(80, "summarize", "hostile-note.txt")
    # What is left is Rich's own: styles, erasing its line, the cursor.
    assert {match[-1] for match in re.findall(r"\x1b\[[0-?]*[ -/]*[@-~]", received)} <= {
        "m",
        "K",
        "A",
        "h",
        "l",
    }
    assert not re.search(
        "\x1b[^\\[]|[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", received
    )
    assert "[bold]bold[/bold]" in CONTROL.sub("", received).replace("\r\n", " ")
    assert "\x1b[31mred" not in received


def test_the_text_as_read_goes_through_the_pager(terminal, tmp_path):
    seen = tmp_path / "seen"
    received, code = terminal(80, "read", "--text", "novel.txt", PAGER=f"tee {seen}")
    assert code == 0 and "Line one" in received
    assert seen.read_text(encoding="utf-8") == "Line one\n西游 two\n"
    seen.unlink()
    received, code = terminal(80, "read", "--text", "missing.txt", PAGER=f"tee {seen}")
    assert code == 1 and "missing.txt does not exist" in CONTROL.sub("", received)
    assert not seen.exists()  # the pager was never started
    received, code = terminal(80, "read", "--text", "huge.txt", PAGER="head -n 1")
    *announced, shown = rows(received)
    assert code == 0 and announced[0] == "A Title, by Someone" and shown == "Line one"


def test_piped_out_there_is_still_a_bar_and_no_style(cli_command, cli_env, tmp_path):
    """stdout in a file, stderr on a terminal: the two are judged apart."""
    ours, theirs = pty.openpty()
    with open(tmp_path / "out.txt", "wb") as out:
        child = subprocess.Popen(
            [*cli_command, "summarize", "novel.txt"], stdout=out, stderr=theirs, stdin=theirs, cwd=tmp_path,
            env=cli_env(True, TERM="xterm"),
        )  # fmt: skip
        os.close(theirs)
        received = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:
                break
            if not piece:
                break
            received += piece
        assert child.wait(30) == 0
    os.close(ours)
    text = (tmp_path / "out.txt").read_text(encoding="utf-8")
    assert text.startswith("Names\n") and "\x1b" not in text
    assert b"\x1b[?25l" in received
