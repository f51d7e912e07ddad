"""A chat without a terminal: lines in, events out; pocket is trusted to chat where a test says so."""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import replace

import pytest

import longread
from longread.config import Memory, Options
from longread.errors import InputError, Interrupted, ModelError, OutputError, UsageError
from longread.events import BlockRead, Done, Note, Planned, Progress, Text
from longread.store.library import Library
from longread.tasks.chat import voice
from longread.tasks.chat.commands import COMMANDS, parse
from longread.tasks.chat.replies import Evidence, Export, Facts
from longread.tasks.chat.talk import Talk

ASKED = "On day {} the miller Tobias Grange asked {} people in Arley where the lantern was."
HIDDEN = "The captain of the Heron hid the brass lantern under the old stone bridge."
BOOK = "\n\n".join(["CHAPTER ONE", HIDDEN, *(ASKED.format(day, day + 2) for day in range(60))])
OPTIONS = Options(memory=Memory(block=64, window=512, rank=2))


@pytest.fixture
def book(tmp_path):
    path = tmp_path / "a book.txt"
    path.write_text(BOOK, encoding="utf-8")
    return str(path)


@pytest.fixture
def talk(loaded, monkeypatch):
    """``talk(chats=True)``: a chat with a model that is loaded already; closed with the test."""
    monkeypatch.setattr(voice, "LONGEST", 12)
    monkeypatch.setattr(voice, "PIECE", 12)
    opened = []

    def start(*, chats: bool = False, save: bool = True, **named) -> Talk:
        one = Talk(replace(OPTIONS, **named), save=save)
        one._bench.loaded = replace(loaded, trust=replace(loaded.trust, chats=chats))
        opened.append(one)
        return one

    yield start
    for one in opened:
        one.__exit__()


def send(talk, line):
    return list(talk.send(line))


def text(events):
    return "".join(event.text for event in events if isinstance(event, Text))


def notes(events):
    return " | ".join(event.text for event in events if isinstance(event, Note))


def facts(talk):
    (event,) = send(talk, "/status")
    return dict(event.rows)


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("Who is it?", ("", "Who is it?")),
        ("  /help ", ("help", "")),
        ("/open a  b.txt", ("open", "a  b.txt")),
        ("//etc is a folder", ("", "/etc is a folder")),
        ("/continue", ("continue", "")),
        ("/ask\tWho is  it?", ("ask", "Who is  it?")),
        ("/ask\u3000\u3000他是谁？", ("ask", "他是谁？")),
        ("/ask\nWho is\nit?", ("ask", "Who is\nit?")),
    ],
)
def test_lines(line, wanted):
    assert parse(line) == wanted


@pytest.mark.parametrize(
    "line", ["/bogus", "/open", "/help me", "/learn maybe", "/summary huge", "/", "/ ask"]
)
def test_lines_that_make_no_sense(line):
    with pytest.raises(UsageError) as caught:
        parse(line)
    assert caught.value.hint


def test_every_command_can_be_done():
    assert all(callable(getattr(Talk, f"_{name}")) for name in COMMANDS)


def test_a_line_is_answered_as_ask_answers_it(talk, book):
    from longread.tasks.ask import ask

    chat = talk()
    list(chat.open(book))
    question = "What lay under the stone bridge?"
    (asked,) = (event for event in send(chat, question) if isinstance(event, Done))
    *_, done = ask(book, OPTIONS, question=[question])
    assert asked.result == done.result and asked.result.answers[0].found
    (shown,) = send(chat, "/evidence")
    assert (
        isinstance(shown, Evidence) and shown.passages[0]["text"] == done.result.answers[0].evidence[0].text
    )


def test_without_a_book_it_asks_for_one(talk):
    chat = talk()
    assert "/open" in notes(chat.greet())
    for line in ("Who?", "/summary", "/continue", "/evidence", "/undo"):
        with pytest.raises(UsageError):
            send(chat, line)
    assert text(send(chat, "/continue The old man"))


def test_a_book_that_is_not_there_leaves_all_as_it_was(talk, book):
    chat = talk()
    list(chat.open(book))
    with pytest.raises(InputError):
        send(chat, "/open missing.txt")
    assert facts(chat)["book"] == "a book" and send(chat, "Who asked people?")


def test_a_model_that_chats_answers_in_its_own_words(talk, book):
    chat = talk(chats=True)
    list(chat.open(book))
    assert "quotes" not in notes(chat.greet())
    assert text(send(chat, "What lay under the stone bridge?"))
    assert chat._log.turns[0].evidence[0]["chapter"] == "CHAPTER ONE"
    ids = list(chat._voice.conversation._stream)
    said = chat._bench.loaded.encoder.decode(ids)
    assert "brass lantern" in said and "[1]" in said and ids[0] == 0
    before = len(ids)
    assert text(send(chat, "/continue The miller"))
    assert before < len(chat._voice.conversation)
    send(chat, "/undo")
    assert list(chat._voice.conversation._stream) == ids


def test_resumed_it_has_the_same_words_in_its_window(talk, book):
    first = talk(chats=True)
    list(first.open(book))
    for line in ("Who asked people?", "And then?"):
        send(first, line)
    stream = list(first._voice.conversation._stream)
    again = talk(chats=True)
    assert "taken up again after 2 turns" in notes(again.resume("a book"))
    list(again._speaker())
    # The model's own ids and those of its text need not be the same ids; the text is.
    decode = first._bench.loaded.encoder.decode
    assert decode(again._voice.conversation._stream) == decode(stream)
    send(again, "Again?")
    assert again._log.path == first._log.path and again._voice.conversation.turns == 3


def test_a_book_that_changed_is_told(talk, book):
    first = talk()
    list(first.open(book))
    send(first, "Who asked people?")
    with open(book, "a", encoding="utf-8") as file:
        file.write("\n\nMore of it.")
    assert "has changed since" in notes(talk().resume("a book"))


def test_learning_reads_the_book_and_keeps_what_it_learned(talk, book, monkeypatch):
    chat = talk()
    list(chat.open(book))
    stopped = []
    with closing(chat.send("/learn on")) as events:
        for event in events:
            if isinstance(event, Progress):
                stopped = [events.throw(Interrupted("interrupted")), *events]
                break
    assert "/learn on reads on" in stopped[-1].text
    begun = chat.status.read
    assert 0 < begun < 1 and chat.status.adapter
    (kept,) = Library().all()
    assert kept.newest().record["share"] == pytest.approx(begun)  # as Ctrl-C leaves any reading
    assert "is read" in notes(send(chat, "/learn on")) and chat.status.read == 1.0
    learned = chat._bench.session().lora.sha256()
    send(chat, "/learn off")
    assert not chat.status.adapter and chat._bench.session().lora is None
    send(chat, "/learn on")
    assert chat._bench.session().lora.sha256() == learned
    monkeypatch.setattr("longread.tasks.estimate.known_speed", lambda *_, **__: 100.0)
    other = talk()
    list(other.open(book))
    (planned,) = (event for event in send(other, "/learn on") if isinstance(event, Planned))
    assert planned.seconds == pytest.approx(planned.tokens / 100 * (1 - begun))  # the rest of what was saved


def test_a_reading_that_another_writes_leaves_learning_off(talk, book):
    one, other = talk(), talk()
    for chat in (one, other):
        list(chat.open(book))
    with closing(one.send("/learn on")) as events:
        next(event for event in events if isinstance(event, BlockRead))
        with pytest.raises(OutputError):
            send(other, "/learn on")
    assert not other.status.adapter and other._bench.untaught


def test_stopped_before_the_first_block_nothing_is_learned(talk, book):
    chat = talk()
    list(chat.open(book))
    events = chat.send("/learn on")
    next(event for event in events if isinstance(event, Planned))
    with pytest.raises(Interrupted):
        events.throw(Interrupted("interrupted"))
    assert not chat.status.adapter


@pytest.mark.parametrize("aside", [False, True])
def test_what_learned_from_the_conversation_is_saved_as_no_reading(talk, book, aside):
    chat = talk()
    list(chat.open(book))
    chat._bench.learn(True)  # as an error before the first block leaves it
    assert chat._bench.untaught
    send(chat, "/continue " + "The miller asked people in Arley about the lantern. " * 60)
    assert chat._bench.session().lora.steps
    if aside:
        send(chat, "/learn off")
    assert "is read" in notes(send(chat, "/learn on"))
    assert not Library().all()


def test_what_leaves_the_window_is_learned_and_unlearned(talk):
    chat = talk(chats=True)
    send(chat, "/learn on")
    states = []
    for turn in range(4):
        send(chat, f"{turn} " + "The miller asked people in Arley about the lantern. " * 18)
        states.append(chat._bench.session().lora.sha256())
    assert len({*states}) >= 3
    send(chat, "/undo")
    assert chat._bench.session().lora.sha256() == states[-2]


def test_a_part_is_of_the_book_that_the_chat_began_with(talk, book, tmp_path):
    chat = talk(part="0%-50%")
    list(chat.open(book))
    assert chat._book.job.options.part == "0%-50%"
    other = tmp_path / "other.txt"
    other.write_text("Nobody asked people in Arley. The miller did.", encoding="utf-8")
    send(chat, f"/open {other}")
    assert chat._book.job.options.part is None


def test_a_summary_beside_the_chat(talk, book):
    chat = talk(chats=True)
    list(chat.open(book))
    send(chat, "Who asked people?")
    planned, *events, done = send(chat, "/summary short")
    assert isinstance(planned, Planned) and planned.seconds > 0 and not planned.read and not planned.writes
    assert any(isinstance(event, BlockRead) for event in events)
    assert done.command == "summarize" and done.result.sections
    again, *_ = send(chat, "/summary short")  # what was read is taken up
    assert again.read == again.tokens == planned.tokens and again.seconds < planned.seconds / 10
    assert text(send(chat, "And then?"))


def test_a_summary_that_is_stopped_is_of_what_was_read(talk, book):
    chat = talk()
    list(chat.open(book))
    events = chat.send("/summary short")
    next(event for event in events if isinstance(event, BlockRead) and event.index == 4)
    rest = [events.throw(Interrupted("interrupted")), *events]
    (done,) = (event for event in rest if isinstance(event, Done))
    assert done.partial and done.result.summary and done.stats["tokens"]["unread"] > 0
    assert re.search(r"stopped at \d\d% of the book", notes(rest))


def test_a_line_too_long_to_be_looked_at_is_refused_and_the_chat_goes_on(talk, book):
    chat = talk()
    list(chat.open(book))
    with pytest.raises(UsageError, match="2,000 are the most"):
        send(chat, "Who asked people? " * 200)
    assert any(isinstance(event, Done) for event in send(chat, "Who asked people?"))


def test_a_line_longer_than_the_window_is_told_and_takes_no_passages(talk, book):
    chat = talk(chats=True)
    list(chat.open(book))
    short, long = "Who hid the brass lantern?", "Who hid the brass lantern? " * 100
    assert chat._log.turns == [] and "beginning is lost" not in notes(send(chat, short))
    said = send(chat, long)
    assert "the model sees 512: the beginning is lost" in notes(said)
    room = chat._voice.room
    assert room("") == 512 // 3 > room("Who hid the brass lantern? " * 30) > room(long) == 0


def test_stopped_an_answer_holds_what_was_said(talk):
    chat = talk(chats=True)
    events = chat.send("Who asked people?")
    first = next(event for event in events if isinstance(event, Text))
    rest = [events.throw(Interrupted("interrupted")), *events]
    assert "stopped" in notes(rest) and chat._log.turns[0].answer == first.text
    assert text(send(chat, "And then?"))


def test_stopped_after_its_last_word_a_turn_is_in_the_log_as_in_the_model(talk):
    chat = talk()
    send(chat, "/continue One day")
    events = chat.send("/continue The old man")
    next(event for event in events if isinstance(event, Note) and "goes on" in event.text)
    with pytest.raises(StopIteration):  # there is nothing more to say
        events.throw(Interrupted("interrupted"))
    assert [turn.said for turn in chat._log.turns] == ["One day", "The old man"]
    assert "The old man" in notes(send(chat, "/undo"))
    assert chat._voice.conversation.turns == 1 == len(chat._log.turns)


def test_taken_back_on_a_full_disk_a_turn_is_in_no_memory(talk, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    chat = talk()
    for words in ("One day", "The old man"):
        send(chat, f"/continue {words}")
    monkeypatch.setattr("longread.tasks.chat.transcript.files.append", full)
    with pytest.raises(OutputError, match="nothing is saved"):
        send(chat, "/undo")
    assert chat._voice.conversation.turns == 1 == len(chat._log.turns)
    send(chat, "/undo")
    assert chat._voice.conversation.turns == 0 == len(chat._log.turns)


def test_broken_off_at_once_a_turn_is_in_no_memory(talk):
    """A second Ctrl-C does not wait for the end of anything: what no log holds, the model does not either."""
    chat = talk(chats=True)
    text(send(chat, "Who asked people?"))
    said = chat._voice.conversation.turns
    events = chat.send("Where was the lantern?")
    next(event for event in events if isinstance(event, Text))
    with pytest.raises(KeyboardInterrupt):
        events.throw(KeyboardInterrupt())
    assert chat._voice.conversation.turns == said == len(chat._log.turns)
    send(chat, "/undo")
    assert chat._voice.conversation.turns == 0 and not chat._log.turns


def test_another_book_and_another_model(talk, book):
    chat = talk()
    list(chat.open(book))
    send(chat, "Who asked people?")
    first = chat._log.path
    assert facts(chat)["saved in"] == str(first)
    send(chat, "/open sample:en")
    assert facts(chat)["book"] == "The Mud Book" and facts(chat)["turns"] == "0" and first.exists()
    with pytest.raises(ModelError):
        send(chat, "/model no-such-model")
    assert facts(chat)["model"] == "pocket"


def test_another_model_has_sizes_of_its_own(talk, book, tmp_path, home):
    """Not those of the reading that another model made of the book."""
    from longread.tasks.chat.talk import Workbench
    from tests.tiny import tiny_folder

    longread.read(book, block=64, window=256, rank=2)
    other = tiny_folder(tmp_path / "other", "llama")
    with Talk(Options()) as chat:
        list(chat.open(book))
        assert chat._bench.options.memory.window == 256
        send(chat, f"/model {other}")
        assert chat._bench.options.memory.window is None and isinstance(chat._bench, Workbench)
        assert chat._options.model == str(other)
        send(chat, "/ask Who asked people?")
    with Talk(Options()) as again:
        list(again.resume())
        assert again._bench.options.model == str(other) and again._bench.options.memory.window is None


def test_export_help_and_quit(talk, book):
    chat = talk(save=False)
    list(chat.open(book))
    send(chat, "Who asked people?")
    (export,) = send(chat, '/export "a file.md"')
    assert isinstance(export, Export) and export.path == "a file.md" and "> Who asked people?" in export.text
    (help_,) = send(chat, "/help")
    assert isinstance(help_, Facts) and len(help_.rows) >= len(COMMANDS)
    send(chat, "/quit")
    assert chat.over
