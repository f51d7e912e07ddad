"""``longread continue`` in real processes: what stands on which stream, and when."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess

import pytest

from longread.tasks import reading

posix = pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals and POSIX signals")
SMALL = ("--block", "32", "--window", "128", "--rank", "4")


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    path = tmp_path_factory.mktemp("book") / "draft.txt"
    path.write_text("The old man walked down to the harbour in the rain.\n\n" * 6, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def once():
    """``reading.load`` that loads a model once for this file."""
    kept, load = {}, reading.load

    def loaded(job):
        if job.options.model not in kept:
            kept[job.options.model] = load(job)
        return kept[job.options.model]

    return loaded


@pytest.fixture
def main(monkeypatch, tmp_path, capsys, once):
    """``main("continue", …)`` in this process: exit code, stdout, stderr."""
    from longread.cli import main as run

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(reading, "load", once)

    def go(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        return run([str(argument) for argument in arguments]), *capsys.readouterr()

    return go


def test_the_text_alone_is_on_stdout_and_json_holds_the_same(main, book, tmp_path, no_network):
    code, out, err = main("continue", book, *SMALL, "--tokens", 12)
    assert code == 0 and out.endswith("\n") and out.strip() and "writing" not in out
    assert "wrote " in err and "too small a model to tell a story" in err
    code, piece, _ = main("continue", book, *SMALL, "--tokens", 12, "--json")
    record = json.loads(piece)
    assert (code, record["command"], record["partial"]) == (0, "continue", False)
    assert record["result"] == {"text": out.removesuffix("\n")}
    assert record["stats"]["written"] > 10
    code, none, _ = main("continue", book, *SMALL, "--tokens", 12, "-o", "more.txt")
    assert (code, none) == (0, "") and (tmp_path / "more.txt").read_text(encoding="utf-8") == out
    code, lines, _ = main("continue", book, *SMALL, "--tokens", 12, "--jsonl")
    events = [json.loads(line) for line in lines.splitlines()]
    assert "".join(event["text"] for event in events if event["event"] == "text") == out.removesuffix("\n")


def test_appended_to_the_text_it_goes_on(main, book):
    code, out, _ = main("continue", book, *SMALL, "--tokens", 4, "--begin", "\x1b[31mThen\u202e [b]he")
    assert code == 0 and out.startswith("[31mThen [b]he")  # the text ends with an empty line


def test_wrong_usage_and_a_dry_run(main, book):
    for flags, words in (
        (("--top-p", "2"), "--top-p: 2.0 is not allowed"),
        (("--tokens", "0"), "--tokens: '0' is not allowed"),
        (("--kv-reuse", "x"), "--kv-reuse: 'x' is not allowed"),
    ):
        code, out, err = main("continue", book, *flags)
        assert (code, out) == (2, "") and words in err and "hint: " in err
    code, out, _ = main("continue", book, "--dry-run")
    assert code == 0 and "time: about" in out


@posix
def test_ctrl_c_leaves_a_valid_part(start_cli, book, tmp_path):
    child = start_cli("continue", book, *SMALL, "--tokens", "500", "-o", "more.txt")
    seen = ""
    while "writing " not in seen:
        line = child.stderr.readline()
        assert line, seen
        seen += line
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=240)
    assert (child.returncode, out) == (130, ""), err
    assert [path.name for path in tmp_path.iterdir()] == ["more.txt.partial"]
    assert (tmp_path / "more.txt.partial").read_text(encoding="utf-8").strip()
    assert "a part is in" in err and "Traceback" not in err


@posix
def test_on_a_terminal_it_appears_while_it_is_written_and_nothing_runs_through_it(
    cli_command, cli_env, book, tmp_path
):
    import pty

    leader, follower = pty.openpty()
    child = subprocess.Popen(
        [*cli_command, "continue", str(book), *SMALL, "--tokens", "100000", "--begin", "Then"],
        stdin=subprocess.DEVNULL, stdout=follower, stderr=follower, cwd=tmp_path,
        env=cli_env(False, TERM="xterm", COLUMNS="80"),
    )  # fmt: skip
    os.close(follower)
    seen = b""
    try:
        while len(seen.partition(b"Then")[2]) < 60:  # long before it is done
            seen += os.read(leader, 4096)
        assert child.poll() is None
        child.send_signal(signal.SIGINT)
        rest = b""
        while True:
            try:
                piece = os.read(leader, 4096)
            except OSError:  # Linux says so when the other end is closed
                break
            if not piece:
                break
            rest += piece
        assert child.wait(60) == 130
    finally:
        os.close(leader)
        if child.poll() is None:
            child.kill()
            child.wait(30)
    text = seen.partition(b"Then")[2].decode("utf-8", "replace")
    assert not re.search("[\x00-\x09\x0b-\x0c\x0e-\x1f\x7f]", text)
    assert b"stopped here" in rest
