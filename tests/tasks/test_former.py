"""A reading made before decides what asks about its text, unless a flag says otherwise."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest

import longread
from longread.config import Memory, Options
from longread.events import BlockRead, Done, Note
from longread.reader import open_document
from longread.store import reading
from longread.store.library import Library
from longread.tasks import reading as reading_task
from longread.tasks import shelf
from longread.tasks.answer.learned import adapter_of
from longread.tasks.ask import ask
from longread.tasks.chat.talk import Talk
from longread.tasks.former import former, taken
from tests.kept import rewrite

SIZES = {"block": 16, "window": 500, "rank": 2}
LINES = [f"On day {n} the ferry from Gull Yard carried {n % 7} barrels and no news.\n\n" for n in range(8)]
QUESTION = "What did the ferry from Gull Yard carry?"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The text, a home that holds a reading of it, and what ``longread read`` said."""
    text, home = tmp_path_factory.mktemp("text") / "log.txt", tmp_path_factory.mktemp("made")
    text.write_text("".join(LINES), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LONGREAD_HOME", str(home))
        return str(text), home, longread.read(text, **SIZES)


@pytest.fixture
def text(made):
    return made[0]


@pytest.fixture
def read(made, home):
    """What ``longread read`` said of the text; its reading lies in this test's home."""
    shutil.copytree(made[1], home, dirs_exist_ok=True)
    return made[2]


def notes(events):
    return " | ".join(event.text for event in events if isinstance(event, Note))


def test_a_reading_gives_model_and_sizes(text, read):
    with open_document(text) as document:
        one = former(document, Options())
        assert one.id == read.reading
        memory = taken(Options(), one).memory
        assert (memory.block, memory.window, memory.rank, memory.learn) == (16, 500, 2, True)
        for options in (Options(fresh=True), Options(save=False)):
            assert former(document, options) is None
        asked = Options(memory=Memory(block=32), named=frozenset({"block"}))
        assert former(document, asked) is None and former(document, replace(asked, named=frozenset()))
        assert former(document, Options(named=frozenset({"model"}))) is not None
        assert former(document, Options(model="./other", named=frozenset({"model"}))) is None
        rewrite(one, memory=one.manifest["memory"] | {"block": "\x1b[2J"})
        assert former(document, Options()) is None


def test_the_reading_used_last_and_whole_comes_first(text, read):
    part = longread.read(text, **SIZES, part="0%-30%")
    assert part.reading != read.reading
    with open_document(text) as document:
        assert former(document, Options()).id == read.reading


def test_questions_are_noted_for_the_map(text, read):
    *_, done = ask(text, Options(), question=(QUESTION, "Why does Captain Ahab hunt the whale?"))
    (one,) = Library().all()
    asked = shelf.account(one).asked
    assert [item.question for item in asked] == [answer.question for answer in done.result.answers]
    assert asked[0].evidence[0] == (
        done.result.answers[0].evidence[0].start,
        done.result.answers[0].evidence[0].end,
    )
    list(ask(text, Options(save=False), question=(QUESTION,)))
    assert len(shelf.account(one).asked) == 2


def test_a_link_in_place_of_the_record_is_not_followed(text, read, tmp_path):
    outside = tmp_path / "outside.txt"
    outside.write_text("mine", encoding="utf-8")
    (Library().all()[0].folder / "asked.jsonl").symlink_to(outside)
    *_, done = ask(text, Options(), question=(QUESTION,))
    assert isinstance(done, Done) and outside.read_text(encoding="utf-8") == "mine"


def test_a_reading_whose_model_is_gone(text, read):
    (one,) = Library().all()
    rewrite(one, model=one.manifest["model"] | {"given": "/no/such/folder"})
    *events, done = ask(text, Options(), question=(QUESTION,))
    assert "made with another model" in notes(events) and done.result.answers[0].found


def test_an_outdated_reading_answers_and_says_what_a_new_one_costs(text, read, monkeypatch):
    monkeypatch.setattr(reading, "EXTRACTOR", reading.EXTRACTOR + 1)
    *events, done = ask(text, Options(), question=(QUESTION,))
    assert "older version" in notes(events) and "tokens" in notes(events) and done.result.answers[0].found
    events = list(longread.stream("read", text, **SIZES))
    assert "stays as it is" in notes(events)
    assert {one.outdated for one in Library().all()} == {True, False}


def test_a_trusted_model_answers_with_what_it_learned(text, read, loaded, monkeypatch):
    one = Library().all()[0]
    adapter = adapter_of(one, loaded)
    assert adapter is not None and adapter_of(None, loaded) is None
    assert adapter_of(one, replace(loaded, weights="other")) is None
    seen = []

    def hand(session, *_):
        seen.append(session.lora.sha256())
        return lambda *_, **__: iter(())

    monkeypatch.setattr(reading_task, "load", lambda job: trusted)
    monkeypatch.setattr("longread.tasks.ask.listed_trust", lambda name: None)
    monkeypatch.setattr("longread.tasks.abstract.hand_of", hand)
    trusted = replace(loaded, trust=replace(loaded.trust, answers=True))
    list(ask(text, Options(), question=(QUESTION,)))
    assert seen == [read.adapter_sha256]


def test_a_chat_takes_the_reading_up(text, read):
    with Talk(Options()) as talk:
        list(talk.open(text))
        events = list(talk.send("/learn on"))
        assert not any(isinstance(event, BlockRead) for event in events)
        assert talk.status.read == 1.0 and talk._bench.session().lora.sha256() == read.adapter_sha256


def test_what_a_chat_reads_is_saved(text):
    with Talk(Options(memory=Memory(**SIZES))) as talk:
        list(talk.open(text))
        assert "saving the reading" in notes(talk.send("/learn on"))
    again = longread.read(text, **SIZES)
    assert again.resumed_at == again.blocks > 0


def test_the_record_is_json_lines_for_this_user_alone(text, read):
    list(ask(text, Options(), question=("Was “Gull Yard” far?",)))
    path = Library().all()[0].folder / "asked.jsonl"
    (line,) = path.read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["question"] == "Was “Gull Yard” far?" and path.stat().st_mode & 0o077 == 0
