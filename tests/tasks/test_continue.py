"""``continue`` with the bundled model: where it joins, where it stops, what it leaves behind."""

from __future__ import annotations

from dataclasses import replace

import pytest

import longread
from longread.config import Memory, Options
from longread.errors import Interrupted, ModelError, UsageError
from longread.events import Done, Note, Planned, Progress, Text
from longread.jobs import JOBS
from longread.tasks import continue_ as task
from longread.tasks import reading
from longread.tasks.continue_ import Continuation, continue_
from longread.tasks.continue_.ending import Ending, longest, seam

OPTIONS = Options(memory=Memory(block=32, window=128, rank=4))


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    path = tmp_path_factory.mktemp("book") / "draft.txt"
    days = ("Monday", "Tuesday", "Wednesday")
    path.write_text(
        "".join(
            f"On {day} the old man walked down to the harbour, where the boats lay in the rain, and asked "
            f"Thomas whether the letter had come. Thomas shook his head, and they looked at the sea.\n\n"
            for day in days
        ),
        encoding="utf-8",
    )
    return path


@pytest.fixture
def run(loaded, book, monkeypatch):
    """``run(options, stop=…, **wishes)``: the events, with the model of this module."""
    monkeypatch.setattr(reading, "load", lambda job: loaded)

    def go(options: Options = OPTIONS, *, path=book, stop=None, **wishes) -> list:
        job, events = continue_(str(path), options, **wishes), []
        event = next(job, None)
        while event is not None:
            events.append(event)
            if stop is not None and stop(event):
                stop = None
                event = job.throw(Interrupted("interrupted"))
            else:
                event = next(job, None)
        return events

    return go


def text_of(events) -> str:
    return "".join(event.text for event in events if isinstance(event, Text))


def test_the_text_comes_as_it_is_written_and_is_the_result(run):
    events = run(tokens=40)
    done = events[-1]
    assert isinstance(done, Done) and (done.command, done.partial) == ("continue", False)
    assert done.result == Continuation(text_of(events))
    assert sum(isinstance(event, Text) for event in events) > 20
    assert 36 <= done.stats["written"] <= longest(40) and done.stats["learned_writing"] == 32
    assert done.stats["tokens"]["read"] > 100 and done.stats["seconds"]["writing"] > 0
    assert done.result.text == done.result.text.rstrip() != ""
    ticks = [event for event in events if isinstance(event, Progress) and event.phase == "writing"]
    assert len(ticks) >= 2 and all(event.done <= event.total == 40 for event in ticks)
    with pytest.raises(AttributeError):
        done.result.text = "frozen"


def test_a_saved_reading_is_used_gives_the_same_text_and_learns_nothing_of_it(run, book, home, loaded):
    first = run(tokens=40)
    (kept,) = (home / "readings").iterdir()
    saves = {path: path.read_bytes() for path in kept.rglob("*.safetensors")}
    again = run(tokens=40)
    assert text_of(first) == text_of(again)
    assert again[-1].stats["resumed_at"] == first[-1].stats["blocks"] > 0
    assert first[-1].stats["learned_writing"] > 0
    assert {path: path.read_bytes() for path in kept.rglob("*.safetensors")} == saves
    unsaved = run(replace(OPTIONS, save=False), tokens=40)
    assert text_of(unsaved) == text_of(first)
    assert len([*(home / "readings").iterdir()]) == 1


def test_seed_and_learning_change_the_text(run):
    options = replace(OPTIONS, save=False)
    plain = text_of(run(options, tokens=40))
    assert text_of(run(replace(options, seed=1), tokens=10)) != plain
    frozen = replace(options, memory=replace(OPTIONS.memory, answering_adapter=False))
    unread = run(frozen, tokens=40)
    assert unread[-1].stats["learned_writing"] == 0 and text_of(unread) != plain
    without = run(replace(options, memory=replace(OPTIONS.memory, learn=False)), tokens=10)
    assert without[-1].stats["learned_writing"] == 0 and text_of(without) != plain


def test_begin_and_until(run, book):
    events = run(tokens=10, begin="On Saturday, <|end|> Martha", temperature=0.0)
    assert text_of(events).startswith(
        "On Saturday, <|end|> Martha"
    )  # after an empty line: nothing is missing
    said = text_of(run(tokens=20, temperature=0.0))
    until = said[len(said) // 2 :][:7]
    events = run(tokens=20, temperature=0.0, until=until)
    assert text_of(events) == said[: said.index(until) + 7]
    assert not [event for event in events if isinstance(event, Note) and "stopped" in event.text]
    events = run(tokens=5, until="\u2603")
    assert any(isinstance(event, Note) and "without '\u2603'" in event.text for event in events)


def test_in_the_middle_of_a_sentence_nothing_is_put_between(run, book, tmp_path):
    path = tmp_path / "unfinished.txt"
    path.write_text(book.read_text(encoding="utf-8") + "On Saturday the old man", encoding="utf-8")
    assert text_of(run(path=path, tokens=5))[0] == " "


def test_ctrl_c_while_writing_keeps_what_was_written(run):
    seen = []

    def third(event):
        seen.append(event)
        return sum(isinstance(event, Text) for event in seen) == 3

    events = run(tokens=60, stop=third)
    assert events[-1].partial and events[-1].result.text == text_of(events) != ""
    assert events[-1].stats["written"] < 10


@pytest.mark.parametrize("after", [0, 20])
def test_an_error_while_writing_keeps_what_was_written(run, monkeypatch, after):
    from longread.engine.sampling import Sampler

    pick, picked = Sampler.pick, []

    def broken(self, logits, generated):
        if len(picked) == after:
            raise ModelError("the model's scores are not numbers", "use --dtype float32")
        picked.append(pick(self, logits, generated))
        return picked[-1]

    monkeypatch.setattr(Sampler, "pick", broken)
    if not after:
        with pytest.raises(ModelError):
            run(tokens=60)
        return
    events = run(tokens=60)
    assert events[-1].partial and events[-1].result.text == text_of(events) != ""
    assert any("not numbers; use --dtype float32" in text for text in events[-1].warnings)


def test_ctrl_c_while_reading_saves_the_reading_and_writes_nothing(run):
    with pytest.raises(Interrupted, match="stopped after"):
        run(tokens=60, stop=lambda event: isinstance(event, Progress) and event.phase == "reading")
    assert run(tokens=5)[-1].stats["resumed_at"] > 0


def test_a_model_that_may_not_write_writes_and_says_what_to_expect(run):
    notes = [event.text for event in run(tokens=10) if isinstance(event, Note)]
    assert sum("too small a model to tell a story" in note for note in notes) == 1


def test_circles_that_cannot_be_broken_are_a_warning(run, monkeypatch):
    from longread.engine import writing

    monkeypatch.setattr(writing, "_CHANCES", 0)
    monkeypatch.setattr(writing.Writing, "token", lambda self, sampler: 300)
    events = run(tokens=400)
    assert "went in circles" in events[-1].warnings[0]
    assert any(isinstance(event, Note) and event.level == "warning" for event in events)


@pytest.mark.parametrize("wish", [{"top_p": 2.0}, {"min_p": 1.5}, {"repetition_penalty": 0.0}])
def test_sampling_that_does_not_exist_is_refused_before_the_text_is_opened(wish):
    with pytest.raises(UsageError):
        next(continue_("no such file", OPTIONS, **wish))


def test_the_estimate_counts_what_is_written(book, monkeypatch):
    monkeypatch.setattr("longread.tasks.estimate.matrix_rate", lambda: 1e11)

    def seconds(**wishes) -> float:
        *_, planned, _ = JOBS["continue"].plan(str(book), OPTIONS, wishes)
        assert isinstance(planned, Planned)
        return planned.seconds

    assert seconds(tokens=100_000) > 10 * seconds()
    assert seconds() == seconds(tokens=task.TOKENS)


def test_from_python(loaded, book, monkeypatch):
    monkeypatch.setattr(reading, "load", lambda job: loaded)
    result = longread.continue_(book, tokens=5, top_p=0.9, min_p=0.01, begin="Then", block=32, window=128)
    assert isinstance(result, Continuation) and result.text.startswith("Then")
    with pytest.raises(UsageError, match="top_p=: '-1'"):
        longread.continue_(book, top_p=-1)
    with pytest.raises(TypeError, match="did you mean top_p"):
        longread.continue_(book, topp=1)


@pytest.mark.parametrize(
    ("tail", "layout", "begins", "wanted"),
    [
        ("she opened the door and", "wrapped", False, ""),
        ("she opened the door and\n", "wrapped", False, ""),
        ("It rained.", "wrapped", False, ""),
        ("It rained.\n", "wrapped", False, "\n"),
        ("“It rained.”\n\n", "wrapped", False, ""),
        ("It was Mr.\n", "wrapped", False, ""),
        ("It rained.", "wrapped", True, "\n\n"),
        ("the door and\n", "wrapped", True, "\n"),
        ("It rained.\n\n\n", "wrapped", True, ""),
        ("下雨了。", "lines", True, "\n"),
        ("下雨了。\n", "lines", False, ""),
        ("下雨了。\n", "lines", True, ""),
    ],
)
def test_where_it_joins(tail, layout, begins, wanted):
    assert seam(tail, layout=layout, language="en", begins=begins) == wanted


def ended(pieces: str, tokens: int, **options) -> tuple[str, str]:
    """What is shown of ``pieces``, parted by "|", each a token; and why it is over."""
    ending, shown = Ending(tokens, **options), ""
    for count, piece in enumerate(pieces.split("|"), start=1):
        shown += ending.take(piece, count)
        if ending.over:
            break
    return shown, ending.over


@pytest.mark.parametrize(
    ("pieces", "tokens", "wanted"),
    [
        ("It| rained|.|\n\n|She| went", 4, ("It rained.", "paragraph")),
        ("It| rained|.|\n\n|She| went", 5, ("It rained.\n\nShe went", "")),  # too early for a paragraph's end
        ("It| rained|.|\n|\n|She", 5, ("It rained.", "paragraph")),
        ("It| rained|.|\n|She| went", 5, ("It rained.\nShe went", "")),  # a line of a paragraph
        ("It| rained|.| She| went|.| He", 3, ("It rained.", "sentence")),
        ("It| rained|.| She| went|.| He", 4, ("It rained. She went.", "sentence")),
        ("It| was| Mr|.| Smith|.| He", 3, ("It was Mr. Smith.", "sentence")),
        ("“|It| rained|.|”| She| went", 3, ("“It rained.”", "sentence")),
        ("so| |on|  ", 90, ("so on", "")),
    ],
)
def test_where_it_stops(pieces, tokens, wanted):
    assert ended(pieces, tokens) == wanted


def test_no_line_begins_with_a_space():
    assert ended(" | it| rained", 90, before="It snowed.\n\n") == ("it rained", "")
    assert ended(" it| rained", 90, before="It snowed.") == (" it rained", "")
    assert ended("　　她| 说", 90, before="下雨了。\n", layout="lines") == ("　　她 说", "")


def test_where_it_stops_in_chinese():
    assert ended("下雨|了|。|\n|　　她", 4, layout="lines", language="zh") == ("下雨了。", "paragraph")
    assert ended("她说|：“|好|。|”|他", 3, layout="lines", language="zh") == ("她说：“好。”", "sentence")


@pytest.mark.parametrize("cut", range(1, 12))
def test_until_is_found_however_it_is_cut(cut):
    text = "and the end. Then"
    pieces = "|".join(text[at : at + cut] for at in range(0, len(text), cut))
    assert ended(pieces, 1000, until="the end") == ("and the end", "until")
    assert ended(pieces, 1000, until="d. T") == ("and the end. T", "until")
