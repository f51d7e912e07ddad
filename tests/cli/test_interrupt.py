"""Ctrl-C: signals sent to a real process; the generator's side tested in this one."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

from longread.cli.interrupt import Stop, follow
from longread.errors import Interrupted
from longread.events import Done, Note, Progress

posix = pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")


@pytest.fixture
def interrupted(start_cli):
    """``interrupted(*arguments)``: start, wait, signal it; its exit code, stdout, stderr, seconds."""

    def run(
        *arguments: str, number: int = signal.SIGINT, times: int = 1, **env: str
    ) -> tuple[int, str, str, float]:
        child = start_cli(*arguments, stand_in=True, **env)
        seen = ""
        while "reading" not in seen and "this takes" not in seen:
            seen += child.stderr.readline()
        time.sleep(0.2)
        start = time.monotonic()
        for _ in range(times):
            child.send_signal(number)
            while "finishing" not in seen and (line := child.stderr.readline()):
                seen += line
        # Not communicate: what the lines were read from may hold more than they.
        err, out = child.stderr.read(), child.stdout.read()
        return child.wait(240), out, seen + err, time.monotonic() - start

    return run


@posix
@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_the_first_leaves_a_valid_partial_file(interrupted, tmp_path, number):
    code, out, err, _ = interrupted(
        "summarize", "slow.txt", "-o", "out.json", "--json", number=getattr(signal, number)
    )
    assert (code, out) == (130, "")
    assert "finishing this block (Ctrl-C again stops at once)" in err and "Traceback" not in err
    assert [path.name for path in tmp_path.iterdir()] == ["out.json.partial"]
    record = json.loads((tmp_path / "out.json.partial").read_text(encoding="utf-8"))
    assert record["partial"] is True and 0 < record["stats"]["tokens"]["unread"] < 2000
    assert "out.json.partial" in err


@posix
def test_the_text_as_read_says_where_its_part_is(interrupted, tmp_path):
    code, out, err, _ = interrupted("read", "--text", "slow.txt", "-o", "out.txt")
    assert (code, out) == (130, "") and "a part is in" in err and "out.txt.partial" in err
    part = (tmp_path / "out.txt.partial").read_text(encoding="utf-8")
    assert part.startswith("Line one\nand on\n") and "西游" not in part


@posix
def test_without_a_file_the_part_is_printed(interrupted):
    code, out, err, _ = interrupted("summarize", "slow.txt")
    assert code == 130 and out.startswith("Names\n")
    assert "read 100%" not in err and "the answer covers only what was read" in err


@posix
def test_a_job_with_nothing_to_show_shows_nothing(interrupted, tmp_path):
    code, out, err, _ = interrupted("summarize", "slow-nothing.txt", "-o", "out.txt")
    assert (code, out, list(tmp_path.iterdir())) == (130, "", [])
    assert "error: interrupted; no output was written" in err


@posix
def test_the_second_stops_at_once_and_the_job_still_cleans_up(interrupted, tmp_path):
    cleaned = tmp_path / "cleaned"
    code, out, err, seconds = interrupted("summarize", "stubborn.txt", times=2, LONGREAD_CLEANED=str(cleaned))
    assert (code, out) == (130, ""), err
    assert seconds < 60 and "Traceback" not in err and cleaned.exists()


@posix
def test_the_second_stops_it_whatever_it_broke_off(interrupted):
    """Python makes other errors of it in places, a class that is being made for one."""
    code, out, err, _ = interrupted("summarize", "stubborn-wrapped.txt", times=2)
    assert (code, out) == (130, ""), err
    assert "went wrong" not in err


@posix
def test_the_files_after_it_are_not_begun(interrupted):
    code, out, err, _ = interrupted("summarize", "slow.txt", "novel.txt", "--json")
    assert code == 130 and err.count("A Title") == 1
    assert [record["partial"] for record in json.loads(out)] == [True]


class Asked:
    asked = False


def _done(partial: bool) -> Done:
    return Done("read", "m", {}, None, {}, partial)


def test_the_job_is_told_at_its_next_event_and_may_answer():
    stop = Asked()
    told = []

    def job():
        try:
            for at in range(100):
                yield Progress("reading", at, 100, "blocks")
        except Interrupted as error:
            told.append(error)
            yield _done(partial=True)

    events = []
    for event in follow(job(), stop):
        events.append(event)
        stop.asked = len(events) >= 3
    assert len(told) == 1
    assert [type(event) for event in events] == [Progress] * 3 + [Done]


def test_a_finished_job_is_not_told():
    stop = Asked()

    def job():
        yield _done(partial=False)

    events = []
    for event in follow(job(), stop):
        events.append(event)
        stop.asked = True
    assert events == [_done(partial=False)]


def test_a_job_is_not_told_at_its_closing_remarks():
    def job():
        yield Progress("reading", 1, 1, "blocks")
        yield Note("all is read", "warning")
        yield Note("and more")
        yield _done(partial=False)

    stop, events = Asked(), []
    for event in follow(job(), stop):
        events.append(event)
        stop.asked = isinstance(event, Note)
    assert events[-1] == _done(partial=False)


def test_a_job_that_does_not_answer_lets_the_error_pass():
    stop = Asked()

    def job():
        yield Progress("reading", 1, 2, "blocks")
        yield Progress("reading", 2, 2, "blocks")

    with pytest.raises(Interrupted):
        for _ in follow(job(), stop):
            stop.asked = True


def test_a_job_is_closed_however_its_listener_ends():
    closed = []

    def job():
        try:
            yield Progress("reading", 1, 2, "blocks")
        finally:
            closed.append(True)

    # Both are kept in names: else it is the garbage collector that closes them.
    events = follow(inner := job(), Asked())
    next(events)
    events.close()
    assert closed == [True] and inner.gi_frame is None


def test_handlers_are_put_back():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with Stop(lambda: None) as stop:
        assert signal.getsignal(signal.SIGINT) == stop._on
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
