"""Conversations on disk: what is written is what comes back, also after a power cut."""

from __future__ import annotations

import os
import stat
import time

import pytest

from longread.errors import InputError, OutputError
from longread.tasks.chat import transcript
from longread.tasks.chat.transcript import Transcript, Turn

PASSAGE = {"rank": 1, "chapter": "One", "start": 3, "end": 9, "share": 0.5, "text": "words"}
TURNS = [
    Turn("ask", "Who?\nAnd why?", "Obed \x1b[31m", True, (PASSAGE,)),
    Turn("continue", "", " went home. 第三回"),
    Turn("ask", "Nobody?", "", False),
]


def kept(**given) -> Transcript:
    log = Transcript("pocket", "/books/novel.txt", {"title": "A Novel", "sha256": "ab"}, **given)
    for turn in TURNS:
        log.add(turn)
    return log


def test_it_comes_back_as_it_was():
    log = kept()
    again = transcript.load(log.path)
    assert again.turns == TURNS and (again.model, again.source) == ("pocket", "/books/novel.txt")
    assert again.document == {"title": "A Novel", "sha256": "ab"} and again.damaged == 0
    assert again.undo() == TURNS[2] and again.add(TURNS[0]) is False
    assert transcript.load(log.path).turns == [TURNS[0], TURNS[1], TURNS[0]]


def test_the_model_that_was_last_chosen_goes_on():
    log = kept()
    log.use("another")
    assert log.turns == TURNS and transcript.load(log.path).model == "another"
    assert "Model: another" in transcript.load(log.path).as_text() and not transcript.load(log.path).damaged


@pytest.mark.skipif(os.name != "posix", reason="looks at POSIX modes")
def test_nobody_else_can_read_it():
    path = kept().path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_nothing_said_is_nothing_saved(home):
    Transcript("pocket")
    assert kept(save=False).path is None and not (home / "chats").exists()


def test_every_cut_leaves_whole_turns():
    log = kept()
    data = log.path.read_bytes()
    head = data.index(b"\n") + 1
    for end in range(head, len(data)):
        log.path.write_bytes(data[:end])
        again = transcript.load(log.path)
        assert again.turns == TURNS[: data[:end].count(b"\n") - 1] and again.damaged == 0
        again.add(TURNS[1])
        assert transcript.load(log.path).turns == again.turns


def test_damage_is_counted_and_the_rest_kept():
    log = kept()
    lines = log.path.read_bytes().splitlines(keepends=True)
    odd = [b"\xff\xfe\n", b"[1]\n", b'{"turn": {"kind": "rm", "said": "", "answer": ""}}\n', b'{"turn": 3}\n']
    log.path.write_bytes(b"".join([lines[0], lines[1], *odd, *lines[2:]]))
    again = transcript.load(log.path)
    assert again.turns == TURNS and again.damaged == 4


@pytest.mark.parametrize("head", [b"", b"no\n", b"{}\n", b'{"schema": 99, "longread": "9.0"}\n'])
def test_what_is_no_conversation_is_said_to_be_none(tmp_path, head):
    path = tmp_path / "x.jsonl"
    path.write_bytes(head)
    with pytest.raises(InputError) as caught:
        transcript.load(path)
    assert str(path) in caught.value.message and caught.value.hint


def test_it_is_found_by_title_file_name_or_the_book():
    with pytest.raises(InputError, match="no conversation is saved"):
        transcript.find()
    first = kept().path
    other = Transcript("pocket", "/books/other.md", {"title": "Other", "sha256": "cd"})
    other.add(TURNS[0])
    os.utime(first, (time.time() - 100,) * 2)
    for word in ("a novel", "novel.txt", "novel", "/books/novel.txt", first.stem):
        assert transcript.find(word) == first
    assert transcript.find() == other.path and transcript.find(sha256="ab") == first
    with pytest.raises(InputError) as caught:
        transcript.find("othre")
    assert caught.value.hint == "did you mean other?"


def test_a_full_disk_is_told_once_and_the_chat_goes_on():
    """A limit on the size of files stands in for the disk: it takes a part of the line, as a disk does."""
    resource = pytest.importorskip("resource")
    log = kept()
    before = log.path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 10, hard))
    try:
        with pytest.raises(OutputError, match="nothing is saved"):
            log.add(TURNS[0])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    log.add(TURNS[1])
    assert len(log.turns) == 5 and log.path.read_bytes() == before


def test_as_text():
    text = kept().as_text()
    assert text.startswith("# A Novel\n") and "> Who?\n> And why?" in text
    assert "[1] One, 50%, characters 3 to 9" in text and "No answer to this was found" in text
