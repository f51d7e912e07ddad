"""Notes and their merging: a real book and reader, a scripted hand in the place of the model's.

No model that can write is at hand, so what is tested is the machinery: what is asked of
the hand, what is done with what it writes, and what happens when it fails.
"""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import pairwise

import pytest

from longread.config import Memory
from longread.engine.drawing import GREEDY
from longread.engine.session import Session
from longread.errors import Interrupted, UnsupportedError
from longread.events import BlockRead, Done, Progress
from longread.events import Note as Remark
from longread.model.catalog import Trust
from longread.model.chat import Chat
from longread.tasks import reading
from longread.tasks.abstract import Pace, hand_of
from longread.tasks.abstract.lengths import Meter
from longread.tasks.abstract.quote import condense
from longread.tasks.extract.traits import length_of
from longread.tasks.outlook import outlook
from tests.tasks.scripted import OPTIONS, WINDOW, Asked, Hand, finish, honest, run, squeezed, writer_of


def test_every_prompt_and_its_answer_fit_the_window(read, loaded):
    hand = read[0]
    assert {asked.kind for asked in hand.asked} >= {"note", "merge"}
    for asked in hand.asked:
        assert len(asked.prompt) + asked.max_tokens <= WINDOW
        assert asked.prompt[: len(loaded.prefix)] == loaded.prefix
        assert asked.closed
    # and the window is used: what a note reads is not a fraction of what it could
    mean = sum(len(loaded.encoder.encode(asked.source)) for asked in hand.of("note")) / len(hand.of("note"))
    assert mean > 0.2 * WINDOW


def test_every_paragraph_is_noted_once_and_in_order(read):
    hand, _, partial, _, _, counts = read
    with reading.opened("sample:en", replace(OPTIONS, part="1-2")) as again:
        book = [p for p in again.document.passages(again.start, again.end) if not p.heading]
    assert squeezed("".join(a.source for a in hand.of("note"))) == squeezed("".join(p.text for p in book))
    assert counts.notes == len(hand.of("note")) > 4
    assert (counts.retried, counts.replaced, counts.cut, partial) == (0, 0, 0, False)


def test_what_is_foreseen_is_about_what_is_written(read, loaded):
    counts = read[-1]
    with reading.opened("sample:en", replace(OPTIONS, part="1-2")) as job:
        text, wishes = (job.document, job.start, job.end, loaded.encoder), {"by": "book", "lang": None}
        notes = outlook(*text, WINDOW, 150, **wishes)
        assert notes.tokens == pytest.approx(counts.tokens, rel=0.25)
        assert notes.prompts == pytest.approx(counts.prompt_tokens, rel=0.25)
        assert outlook(*text, WINDOW, 600, **wishes).tokens > 2 * notes.tokens  # longer notes, longer summary
        assert outlook(*text, 2 * WINDOW, 150, **wishes).prompts < notes.prompts  # fewer notes


def test_a_hand_is_timed_from_the_second_token_of_each_text(loaded):
    chat, pace = Chat(loaded.found.folder, loaded.encoder), Pace()
    shape = reading.shape_of(loaded, OPTIONS)
    with Session(loaded.backbone, loaded.prefix, shape, OPTIONS.memory) as session:
        write = hand_of(session, loaded, chat, pace)
        began, taken = time.perf_counter(), 0
        for _ in range(2):
            ids = write([*loaded.prefix, 300, 301], max_tokens=8, sampling=GREEDY, seed=0)
            taken += len([*ids])
        spent = time.perf_counter() - began
    assert pace.tokens == taken - 2 > 0 and 0 < pace.seconds < spent


def test_a_note_is_given_the_last_notes(read):
    notes = read[0].of("note")
    for before, after in pairwise(notes):
        assert honest(before) in " ".join(after.text.split("-----")[0].split())


def test_notes_are_written_while_the_text_is_read(loaded):
    hand, blocks = Hand(loaded.encoder), []
    read_by_then: list[int] = []

    def script(asked):
        if asked.kind == "note":
            read_by_then.append(len(blocks))
        return honest(asked)

    def watch(event):
        blocks.extend([event] if isinstance(event, BlockRead) else [])
        return False

    hand.script = script
    run(loaded, hand, part="1", stop=watch)
    assert 0 < read_by_then[0] < len(blocks) / 2
    assert read_by_then == sorted(read_by_then)


@pytest.mark.parametrize("by", ["book", "chapter"])
@pytest.mark.parametrize("wanted", [60, 150, 400])
def test_the_length_asked_for_is_kept(loaded, by, wanted):
    hand = Hand(loaded.encoder)
    summary, partial, events, _, _ = run(loaded, hand, wanted, by=by)
    assert 0.8 * wanted <= len(summary.summary.split()) <= 1.2 * wanted
    assert not [event for event in events if isinstance(event, Remark)]
    assert not partial


def test_sections_say_what_they_cover(read):
    _, summary, _, _, job, _ = read
    spans = [span for section in summary.sections for span in section.spans]
    assert spans == sorted(spans)
    assert job.start <= spans[0][0] < spans[-1][1] <= job.end
    assert {section.chapter for section in summary.sections} <= {c.title for c in job.document.chapters}
    for section in summary.sections:
        for start, _ in section.spans:
            assert job.document.chapters[job.document.chapter_at(start)].title == section.chapter
    assert "\n\n".join(section.text for section in summary.sections) == summary.summary


def test_by_chapter_gives_one_paragraph_a_chapter(loaded):
    summary, _, _, job, _ = run(loaded, Hand(loaded.encoder), 200, by="chapter", part="2-3")
    assert [section.chapter for section in summary.sections] == [c.title for c in job.document.chapters[1:3]]
    assert all("\n" not in section.text and len(section.spans) == 1 for section in summary.sections)
    for section, chapter in zip(summary.sections, job.document.chapters[1:3], strict=True):
        (start, end), *_ = section.spans
        assert chapter.body <= start < chapter.body + 10
        assert chapter.end - 10 < end <= chapter.end


def test_a_large_window_asks_for_the_whole_at_once(loaded):
    """The same merging on notes that fit together: one text over both chapters, titled with both."""
    from longread.tasks.abstract.merge import Merger, Note

    hand = Hand(loaded.encoder)
    with reading.opened("sample:en", OPTIONS) as job:
        writer = writer_of(loaded, hand, job, window=4096)
        merger = Merger(writer, job.document)
        chapters = job.document.chapters
        notes = []
        for i, chapter in enumerate(chapters):
            text = "".join(job.document.text(chapter.body, chapter.end))
            text = honest(Asked("", [], 0, True, "", text, 24))
            notes.append(Note(text, chapter.body, chapter.end, i))
        sections = finish(merger.sections(notes, 60, by="book"))
    assert len(hand.asked) == 1
    assert [section.chapter for section in sections] == [f"{chapters[0].title} – {chapters[-1].title}"]
    assert len(sections[0].spans) == len(chapters)


def test_a_text_shorter_than_its_summary_is_not_blown_up(loaded, tmp_path):
    book = tmp_path / "short.txt"
    book.write_text(
        "Tom found a key in the river. He gave it to Ann. Ann opened the box.\n", encoding="utf-8"
    )
    summary, *_ = run(loaded, Hand(loaded.encoder), 400, path=str(book), part=None)
    assert 0 < len(summary.summary.split()) <= 16


@pytest.mark.parametrize("phase", ["early", "reading", "writing", "merging"])
def test_an_interruption_leaves_what_can_be_had(loaded, phase):
    hand, seen = Hand(loaded.encoder), []

    def stop(event):
        seen.append(event)
        return {
            "early": isinstance(event, BlockRead) and event.index == 1,
            "reading": isinstance(event, BlockRead) and event.index == 3,
            "writing": len(hand.asked) > 2 and not hand.asked[-1].closed,
            "merging": isinstance(event, Progress) and event.phase == "merging notes" and event.done == 2,
        }[phase]

    # More notes than one prompt holds, so that they are merged more than once.
    part = "1-5" if phase == "merging" else "1-2"
    summary, partial, _, job, _ = run(loaded, hand, 100, part=part, stop=stop)
    assert partial
    assert summary.summary
    assert all(asked.closed for asked in hand.asked)
    if phase == "merging":
        assert 80 <= len(summary.summary.split()) <= 120  # from the notes themselves
        assert job.tally.unread == 0
    else:
        assert job.tally.unread > 0
        assert max(end for section in summary.sections for _, end in section.spans) < job.end


@pytest.mark.parametrize("at", ["remark", "end"])
def test_an_interruption_too_late_to_stop_anything_leaves_the_summary_whole(loaded, at):
    def stop(event):
        if at == "remark":
            return isinstance(event, Remark)
        return isinstance(event, Progress) and event.phase == "merging notes" and event.done == event.total

    def script(asked):
        return honest(asked) if asked.kind == "note" else "The mud came up over the road and went."

    summary, partial, events, job, _ = run(loaded, Hand(loaded.encoder, script), stop=stop)
    assert any(map(stop, events)) and not partial and job.warnings
    assert summary == run(loaded, Hand(loaded.encoder, script))[0]


@pytest.mark.parametrize("done", [0, 1])
def test_an_interruption_while_sentences_are_chosen_leaves_the_summary_whole(loaded, monkeypatch, done):
    from longread.tasks.summarize import summarize

    monkeypatch.setattr(reading, "load", lambda job: loaded)
    options = replace(OPTIONS, part="0%-10%", save=False)
    task = summarize("sample:en", options, length="short", style="extract")
    late = Progress("choosing sentences", done, 1, "steps")
    events = [next(task)]
    while not (
        isinstance(events[-1], Progress) and (events[-1].phase, events[-1].done) == (late.phase, done)
    ):
        events.append(next(task))
    rest = [task.throw(Interrupted("interrupted")), *task]
    assert isinstance(rest[-1], Done) and not rest[-1].partial and rest[-1].result.summary


def test_an_interruption_before_anything_was_read_is_one(loaded):
    with pytest.raises(Interrupted, match="stopped after"):
        run(loaded, Hand(loaded.encoder), stop=lambda event: isinstance(event, BlockRead), part="1",
            options=replace(OPTIONS, memory=Memory(learn=False, block=4)))  # fmt: skip


def test_another_language_is_asked_for_and_counted_in_its_own_way(loaded):
    def script(asked):
        assert "Simplified Chinese" in asked.text
        assert "characters" in asked.text
        return (
            "潮水退去以后，泥地里露出一本书。" * 2
            if asked.kind == "note"
            else "老人把书拿回家，晾在炉边，一页一页地读。"
        )

    summary, _, _, _, counts = run(loaded, Hand(loaded.encoder, script), 60, lang="zh-Hans", part="1")
    assert counts.replaced == 0
    assert " " not in summary.summary
    assert length_of(summary.summary, "zh") > 0


def test_a_window_too_small_to_write_in_is_said_before_the_reading(loaded):
    hand = Hand(loaded.encoder)
    options = replace(OPTIONS, memory=Memory(learn=False, window=200, block=50))
    with pytest.raises(UnsupportedError, match="200 tokens") as caught:
        run(loaded, hand, options=options)
    assert "--window" in caught.value.hint
    assert not hand.asked


def test_condensing_takes_from_every_text_in_order(loaded):
    meter = Meter(loaded.encoder, "en", "Some words to measure by.", "en")
    texts = [f"First of {i} is here. Second of {i} is here. Third of {i} is here." for i in range(5)]
    assert condense(texts, 25, meter) == " ".join(f"First of {i} is here." for i in range(5))
    assert condense(texts, 1000, meter) == " ".join(texts)
    assert condense(texts, 10, meter).count(".") == 2
    assert condense([], 10, meter) == ""


def test_the_bundled_model_is_let_write_and_the_machinery_holds(loaded, monkeypatch):
    """Pocket cannot write: what it says is rubbish, and must be caught, replaced or cut to size."""
    import torch

    from longread.tasks.summarize import summarize

    trusting = replace(loaded, trust=Trust(True, True, True, True, "for this test"))
    monkeypatch.setattr(reading, "load", lambda job: trusting)
    before = {name: tensor.clone() for name, tensor in loaded.model.state_dict().items()}
    options = replace(OPTIONS, part="0%-3%", memory=Memory(block=128))
    *events, done = summarize("sample:en", options, words=60, style="abstract")
    assert isinstance(done, Done)
    assert not done.partial
    assert done.stats["style"] == "abstract"
    assert 0.8 * 60 <= len(done.result.summary.split()) <= 1.2 * 60 or done.warnings
    assert "<|" not in done.result.summary
    assert [e.phase for e in events if isinstance(e, Progress)][-1] == "merging notes"
    after = loaded.model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("answering", [True, False])
def test_the_adapter_is_on_or_off_as_the_options_say(loaded, answering):
    from longread.engine.session import Session
    from longread.model.chat import Chat, Message
    from longread.tasks.abstract import hand_of

    chat = Chat(loaded.found.folder, loaded.encoder)
    ids = chat.ids([Message("user", "The tide went out and left the boats lying in the mud.")])
    memory = Memory(block=128, rate=0.01, answering_adapter=answering)

    def says(learns: bool) -> list[int]:
        options = replace(OPTIONS, part="0%-3%", memory=replace(memory, learn=learns))
        with reading.opened("sample:en", options) as job:
            shape = reading.shape_of(loaded, options)
            with Session(loaded.backbone, loaded.prefix, shape, options.memory) as session:
                list(reading.read_blocks(job, loaded, session))
                return list(hand_of(session, loaded, chat)(ids, max_tokens=24, sampling=GREEDY, seed=0))

    assert (says(True) == says(False)) is not answering
