"""``longread chat`` as people meet it: the real program in a real pseudo-terminal, a dumb one, and a pipe."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import stat
import struct
import subprocess
import time

import pytest

from longread.cli.chat.loop import Loop
from longread.tasks.chat.replies import Export

posix = pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
CONTROL = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07]*\x07|[()=>78M].?)")
HOSTILE = "The captain\x1b[31m hid\x1b]0;owned\x07 the [bold]lantern[/bold] \u202eunder the bridge\x9b2J."
BOOK = """CHAPTER ONE

The captain of the Heron hid the brass lantern under the old stone bridge before the winter flood came.

{hostile}

CHAPTER TWO

Nobody in the village of Arley knew where the lantern was, and the miller Tobias Grange asked everyone twice.
"""


@pytest.fixture
def book(tmp_path):
    path = tmp_path / "a book.txt"
    path.write_text(BOOK.format(hostile=HOSTILE), encoding="utf-8")
    return path


def _heeding() -> None:
    """Whoever runs the tests in the background has children that ignore Ctrl-C; a terminal's do not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Terminal:
    """A process on a pseudo-terminal of its own, which it controls: Ctrl-C typed is Ctrl-C."""

    def __init__(self, command, cwd, env, columns=90):
        import fcntl
        import pty
        import termios

        self._ours, self._theirs = pty.openpty()
        fcntl.ioctl(self._theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
        tty = os.ttyname(self._theirs)
        # A session's leader that opens a terminal gets it as its controlling one.
        script = f'exec "$0" "$@" <{tty} >{tty} 2>&1'
        self.child = subprocess.Popen(
            ["sh", "-c", script, *command], cwd=cwd, env=env, start_new_session=True, preexec_fn=_heeding
        )
        self.raw = ""
        self._at = self._asked = 0

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def see(self, wanted: str, seconds: float = 240) -> str:
        """Wait until ``wanted`` appears after what was last seen; what came up to its end, without codes."""
        deadline = time.monotonic() + seconds
        while True:
            seen = CONTROL.sub("", self.raw)[self._at :]
            found = seen.find(wanted)
            if found >= 0:
                self._at += found + len(wanted)
                return seen[: found + len(wanted)]
            assert time.monotonic() < deadline, f"{wanted!r} did not come: {seen!r}"
            assert self._read() or self.child.poll() is None, f"it ended before {wanted!r}: {seen!r}"

    def end(self, seconds: float = 240) -> int:
        """The exit code, once the process has ended; the rest of what it wrote is in ``raw``."""
        deadline = time.monotonic() + seconds
        while self._read() or self.child.poll() is None:
            assert time.monotonic() < deadline, "it does not end"
        return self.child.returncode

    def _read(self) -> bool:
        if not select.select([self._ours], [], [], 0.1)[0]:
            return False
        self.raw += os.read(self._ours, 65536).decode("utf-8", "replace")
        while self.raw.count("\x1b[6n") > self._asked:  # where is the cursor?
            self._asked += 1
            self.type("\x1b[9;1R")
        return True

    def close(self) -> None:
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait(10)
        os.close(self._ours)
        os.close(self._theirs)


@pytest.fixture
def terminal(cli_command, cli_env, tmp_path):
    """``terminal(*arguments, TERM="…")``: the program on a pseudo-terminal; ended with the test."""
    pytest.importorskip("pty")
    opened = []

    def start(*arguments, **extra):
        env = cli_env(False, **{"TERM": "xterm-256color", **extra})
        opened.append(Terminal([*cli_command, "chat", *map(str, arguments)], tmp_path, env))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def saved(home):
    return sorted((home / "chats").glob("*.jsonl"))


@posix
def test_a_session_at_a_terminal(terminal, book, home):
    chat = terminal(book)
    banner = chat.see("a book | read 0% | adapter off")
    assert "quotes the book, it does not chat" in banner and "/help lists the commands" in banner
    chat.type("What lay under the stone bridge before the flood?\r")
    answer = chat.see("saved in")
    assert "[1] CHAPTER ONE" in answer and "Quoted from [1]: The captain of the Heron hid" in answer
    chat.see("adapter off")
    chat.type("/evi\t")
    chat.see("/evidence")
    chat.type("\r")
    assert "[1] CHAPTER ONE" in chat.see("under the old stone bridge")
    chat.see("adapter off")
    chat.type("Who asked\x1b\r")  # Esc Enter
    chat.type("everyone \\\r")  # and a backslash
    chat.type("twice?\r")
    assert "Tobias Grange" in chat.see("CHAPTER TWO")
    chat.see("adapter off")
    chat.type("\x12under the stone")  # Ctrl-R
    chat.see("What lay under the stone bridge before the flood?")
    chat.type("\x03half a line\x03")  # Ctrl-C drops the line and nothing else
    chat.type("/undo\r")
    chat.see("taken back: Who asked everyone twice?")
    chat.see("adapter off")
    chat.type("\x04")
    assert chat.end() == 0 and "Traceback" not in chat.raw
    assert "\x1b[31m hid" not in chat.raw and "owned\x07" not in chat.raw
    (path,) = saved(home)
    history = home / "chat-history.jsonl"
    assert [stat.S_IMODE(os.stat(file).st_mode) for file in (path, history)] == [0o600, 0o600]
    assert json.loads(history.read_text().splitlines()[2]) == "Who asked\neveryone \ntwice?"
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [next(iter(record)) for record in records] == ["schema", "turn", "turn", "undo"]


@posix
def test_ctrl_c_stops_the_answer_and_keeps_the_session(terminal, book):
    chat = terminal(book, "--no-save")
    chat.see("adapter off")
    chat.type("/continue The captain\r")
    chat.see("does not write\r\n")
    chat.see(" ")  # the first words
    chat.see(" ")
    chat.type("\x03")
    assert "error" not in chat.see("stopped")
    chat.see("window")
    chat.type("/status\r")
    chat.see("turns")
    chat.type("/quit\r")
    assert chat.end() == 0 and "Traceback" not in chat.raw


@posix
def test_a_dumb_terminal_gets_a_plain_prompt_and_no_codes(terminal, book):
    chat = terminal(book, TERM="dumb")
    chat.see("> ")
    chat.type("What lay under the \\\n")
    chat.see("... ")
    chat.type("stone bridge before the flood?\n")
    assert "under the old stone bridge" in chat.see("saved in")
    chat.see("> ")
    chat.type("\x03")
    chat.see("> ")
    chat.type("\x04")
    assert chat.end() == 0 and "\x1b" not in chat.raw and "Traceback" not in chat.raw


def test_a_pipe_gives_one_turn_a_line(run_cli, book):
    ran = run_cli(
        "chat", book, stdin="What lay under the stone bridge before the flood?\n\nWho asked everyone twice?\n"
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count("[1] CHAPTER") == 2 and "> " not in ran.stdout + ran.stderr
    assert "\x1b" not in ran.stdout + ran.stderr and "\u202e" not in ran.stdout and "\x9b" not in ran.stdout
    assert "quotes the book" in ran.stderr and "quotes the book" not in ran.stdout


def test_no_save_leaves_nothing(run_cli, book, home):
    ran = run_cli(
        "chat", book, "--no-save", stdin="What lay under the stone bridge before the flood?\n/status\n"
    )
    assert ran.returncode == 0 and "saved in" in ran.stdout
    assert not (home / "chats").exists() and not list(home.glob("chat*"))


def test_a_line_that_fails_does_not_end_the_chat(run_cli, book, tmp_path):
    ran = run_cli(
        "chat", book, stdin="/bogus\n/open missing.txt\nWhat lay under the stone bridge before the flood?\n"
    )
    assert ran.returncode == 3 and "[1] CHAPTER" in ran.stdout
    assert "error: there is no command /bogus" in ran.stderr and "missing.txt" in ran.stderr
    assert run_cli("chat", stdin="Where?\n").returncode == 1
    assert run_cli("chat", tmp_path / "missing.txt", stdin="Where?\n").returncode == 1
    assert run_cli("chat", "-", stdin="Where?\n").returncode == 2


def test_resume_export_and_another_book(run_cli, book, tmp_path):
    first = run_cli("chat", book, stdin="What lay under the stone bridge before the flood?\n")
    assert "saved in" in first.stderr
    lines = "/evidence\nWho asked everyone twice?\n/export talk.md\n/open sample:en\n/status\n"
    again = run_cli("chat", "--resume", "a book", stdin=lines)
    assert again.returncode == 0, again.stderr
    assert "taken up again after 1 turn" in again.stderr and "under the old stone bridge" in again.stdout
    text = (tmp_path / "talk.md").read_text(encoding="utf-8")
    assert (
        text.startswith("# ")
        and "> What lay under the stone bridge before the flood?" in text
        and "Tobias Grange" in text
    )
    assert "The Mud Book" in again.stdout and "nothing yet" in again.stdout
    (tmp_path / "talk.md").write_text("mine")
    kept = run_cli("chat", "--resume", stdin="/export talk.md\n")
    assert kept.returncode == 1 and "longread did not write it" in kept.stderr
    nobody = run_cli("chat", "--resume", "another", stdin="")
    assert nobody.returncode == 1 and "no saved conversation" in nobody.stderr


def test_what_is_exported_steers_no_terminal(tmp_path):
    path = tmp_path / "talk.md"
    export = Export(str(path), f"# A talk\n\n> Where?\n\n{HOSTILE}\n")
    assert Loop(None, None, False)._write(export) == str(path)
    text = path.read_text(encoding="utf-8")
    assert "[bold]lantern[/bold]" in text and text.startswith("# A talk\n\n> Where?\n\n")
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)
