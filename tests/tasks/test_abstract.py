"""Notes and their merging: a real book and reader, a scripted hand in the place of the model's.

No model that can write is at hand, so what is tested is the machinery: what is asked of
the hand, what is done with what it writes, and what happens when it fails.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest

from longread.config import Memory, Options
from longread.engine.sampling import GREEDY
from longread.errors import Interrupted, UnsupportedError
from longread.events import BlockRead, Done, Progress
from longread.events import Note as Remark
from longread.model.catalog import Trust
from longread.reader.sentences import sentences
from longread.tasks import reading
from longread.tasks.abstract import Counts, abstract
from longread.tasks.abstract.lengths import Meter
from longread.tasks.abstract.quote import condense, quote
from longread.tasks.extract.traits import length_of

WINDOW = 512
OPTIONS = Options(memory=Memory(learn=False, block=256))
KINDS = {"Write a note": "note", "Write what these": "merge", "Write it again": "more"}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    import os

    before = os.environ.get("LONGREAD_HOME")
    os.environ["LONGREAD_HOME"] = str(
        tmp_path_factory.mktemp("home")
    )  # the verdict of the probe is kept there
    try:
        with reading.opened("sample:en", OPTIONS) as job:
            return reading.load(job)
    finally:
        os.environ.pop("LONGREAD_HOME") if before is None else os.environ.update(LONGREAD_HOME=before)


@dataclass
class Asked:
    """One prompt that the hand was given."""

    kind: str
    prompt: list[int]
    max_tokens: int
    greedy: bool
    text: str
    source: str
    length: int
    closed: bool = False


@dataclass
class Hand:
    """Writes what ``script(asked)`` says; without one, as long as it was asked to."""

    encoder: object
    script: object = None
    asked: list[Asked] = field(default_factory=list)

    def __call__(self, prompt_ids, *, max_tokens, sampling, seed):
        text = self.encoder.decode(prompt_ids)
        kind = next(kind for words, kind in KINDS.items() if words in text)
        source = text.split("\n-----\n")[1]
        length = int(re.search(r"of about ([\d,]+) (?:words|characters)", text)[1].replace(",", ""))
        asked = Asked(kind, list(prompt_ids), max_tokens, sampling.temperature == 0, text, source, length)
        self.asked.append(asked)
        said = honest(asked) if self.script is None else self.script(asked)
        ids = said if isinstance(said, list) else self.encoder.encode(said)
        try:
            yield from ids[:max_tokens]
            return "length" if len(ids) >= max_tokens else "stop"
        finally:
            asked.closed = True

    def of(self, kind: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.kind == kind]


def honest(asked: Asked, share: float = 1.0) -> str:
    """Sentences of eight words of the source, in its order, spread over it, until the length is reached."""
    words = re.findall(r"[^\W\d_]+", asked.source)
    count = max(1, min(round(asked.length * share / 8), len(words) // 9))
    starts = [int(k * (len(words) - 8) / count) for k in range(count)]
    return " ".join(" ".join(words[at : at + 8]).capitalize() + "." for at in starts)


def run(
    loaded, hand, wanted=150, *, by="book", part="1", lang=None, options=OPTIONS, stop=None, path="sample:en"
):
    """Summary, partial, events, job, counts. Where ``stop(event)`` first holds, Interrupted is thrown in."""
    counts, events, thrown = Counts(), [], False
    with reading.opened(path, replace(options, part=part)) as job:
        task = abstract(job, loaded, wanted, by=by, lang=lang, write=hand, counts=counts)
        try:
            event = next(task)
            while True:
                events.append(event)
                if stop is not None and not thrown and stop(event):
                    thrown = True
                    event = task.throw(Interrupted("interrupted"))
                else:
                    event = next(task)
        except StopIteration as end:
            summary, partial = end.value
    return summary, partial, events, job, counts


def squeezed(text: str) -> str:
    return "".join(text.split())


@pytest.fixture(scope="module")
def read(loaded):
    """A run with an honest hand over two chapters."""
    hand = Hand(loaded.encoder)
    return hand, *run(loaded, hand, part="1-2")


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
        writer = _writer(loaded, hand, job, window=4096)
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


def finish(task):
    """What a generator returns."""
    try:
        while True:
            next(task)
    except StopIteration as end:
        return end.value


def _writer(loaded, hand, job, *, window=WINDOW, language="en"):
    from longread.model.chat import Chat
    from longread.tasks.abstract.writer import Writer

    chat = Chat(loaded.found.folder, loaded.encoder)
    sample = "".join(job.document.text(0, 20_000))
    meter = Meter(loaded.encoder, language, sample, job.document.language)
    titles = [chapter.title for chapter in job.document.chapters]
    return Writer(hand, chat, loaded.encoder, meter, window=window, title="T", chapters=titles)


FAULTS = {
    "went in circles": lambda asked: "the mud and the book and " * 40,
    "was empty": lambda asked: " \n ...",
    "held template marks": lambda asked: "He came. <|im_end|> She went.",
    "said one thing again and again": lambda asked: "He came home to the mud. " * 6,
    "never ended a sentence": lambda asked: " ".join(f"word{i}" for i in range(300)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_failed_note_is_tried_again_in_another_way(loaded, fault):
    def script(asked):
        return FAULTS[fault](asked) if asked.kind == "note" and asked.greedy else honest(asked)

    hand = Hand(loaded.encoder, script)
    _, _, events, _, counts = run(loaded, hand, part="1")
    notes = hand.of("note")
    assert [asked.greedy for asked in notes] == [True, False] * (len(notes) // 2)
    assert counts.retried == counts.notes == len(notes) // 2
    assert counts.faults[fault] >= counts.retried - 1  # a short stretch may be said to be outgrown instead
    assert counts.replaced == 0
    assert not [event for event in events if isinstance(event, Remark)]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_note_that_fails_twice_is_a_sentence_of_the_book(loaded, fault):
    hand = Hand(loaded.encoder, lambda asked: FAULTS[fault](asked) if asked.kind == "note" else honest(asked))
    summary, partial, events, job, counts = run(loaded, hand, part="1")
    stretches = hand.of("note")[::2]
    assert (counts.notes, counts.replaced, counts.retried) == (0, len(stretches), len(stretches))
    remarks = [event.text for event in events if isinstance(event, Remark)]
    assert any(f"{len(stretches)} of {len(stretches)} notes" in text and fault in text for text in remarks)
    assert remarks == job.warnings
    assert summary.summary and not partial
    merged = "\n".join(asked.source for asked in hand.of("merge"))
    for stretch in stretches:
        sentence = quote(stretch.source, "en")
        assert squeezed(sentence) in squeezed(stretch.source)
        assert sentence in merged or len(loaded.encoder.encode(sentence)) > 60


def test_a_text_longer_than_its_source_is_none(loaded):
    said = "Ann gave Tom a key. He kept it in his coat for years and years, and nobody ever knew of it."
    for source, accepted in (("Tom has Ann's key.", False), (said + " So it was.", True)):
        with reading.opened("sample:en", OPTIONS) as job:
            writer = _writer(loaded, Hand(loaded.encoder, lambda asked: said), job)
            text = finish(writer.text("note", chapter="", before="", source=source, length=20))
        assert text == (said if accepted else "")
        assert writer.counts.faults["was longer than its source"] == (0 if accepted else 2)


def test_what_does_not_fit_the_window_is_left_out_and_counted(loaded):
    hand = Hand(loaded.encoder)
    with reading.opened("sample:en", OPTIONS) as job:
        writer = _writer(loaded, hand, job)
        source = "".join(job.document.text(100, 6000))
        finish(writer.text("note", chapter="", before="It was so. " * 50, source=source, length=30))
    asked = hand.asked[0]
    assert len(asked.prompt) + asked.max_tokens <= WINDOW
    assert "It was so" not in asked.text
    assert squeezed(asked.source) in squeezed(source)
    assert len(asked.source) > 600
    assert writer.counts.cut == 1


def test_special_ids_never_reach_a_note(loaded):
    end = loaded.encoder.special_ids() - {1}

    def script(asked):
        return [*loaded.encoder.encode("He came home."), min(end), *loaded.encoder.encode(" She went.")]

    _, _, _, _, counts = run(loaded, Hand(loaded.encoder, script), part="1")
    assert counts.notes == counts.merged == 0
    assert set(counts.faults) == {"held template marks"}


def test_copying_the_source_is_allowed(loaded):
    def script(asked):
        return " ".join(sentence for sentence in sentences_of(asked.source)[:3])

    _, _, _, _, counts = run(loaded, Hand(loaded.encoder, script), part="1")
    assert (counts.retried, counts.replaced) == (0, 0)


def sentences_of(text: str) -> list[str]:
    return [" ".join(text[start:end].split()) for start, end in sentences(text, "en")]


def test_a_short_text_is_asked_for_again_once(loaded):
    def script(asked):
        return honest(asked, 0.4) if asked.kind == "merge" else honest(asked)

    hand = Hand(loaded.encoder, script)
    summary, *_ = run(loaded, hand, 150)
    assert 0.8 * 150 <= len(summary.summary.split()) <= 1.2 * 150
    assert hand.of("more")
    for asked in hand.of("more"):
        at = hand.asked.index(asked)
        assert hand.asked[at - 1].kind == "merge"
        assert honest(hand.asked[at - 1], 0.4) in " ".join(asked.text.split())


def test_a_text_that_stays_short_is_used_and_said(loaded):
    def script(asked):
        return honest(asked) if asked.kind == "note" else "The mud came up over the road and went."

    hand = Hand(loaded.encoder, script)
    summary, _, _, job, _ = run(loaded, hand, 150)
    assert 0 < len(summary.summary.split()) < 0.8 * 150
    assert any("150" in text for text in job.warnings)
    for at, asked in enumerate(hand.asked):
        assert asked.kind != "more" or hand.asked[at - 1].kind == "merge"


def test_a_text_too_long_is_cut_at_a_sentence_end(loaded):
    def script(asked):
        return honest(asked, 1.25 if asked.kind == "note" else 1.3)

    summary, *_ = run(loaded, Hand(loaded.encoder, script), 150)
    assert 0.8 * 150 <= len(summary.summary.split()) <= 1.2 * 150
    assert all(section.text.endswith(".") for section in summary.sections)


def test_a_single_text_too_long_is_cut_to_a_fifth_above(loaded):
    said = " ".join(
        f"{who} {did} it." for who in ("He", "She", "They") for did in ("saw", "had", "took", "made")
    )
    with reading.opened("sample:en", OPTIONS) as job:
        writer = _writer(loaded, Hand(loaded.encoder, lambda asked: said), job)
        text = finish(writer.text("note", chapter="", before="", source=said + " " + said, length=20))
    assert len(said.split()) == 36 > 1.2 * 20
    assert said.startswith(text) and text.endswith(" it.")
    assert 16 <= len(text.split()) <= 24


def test_headings_labels_and_lists_are_made_prose(loaded):
    def script(asked):
        return f"Here is the text you want:\n\n## Summary\n**Part**\n\n- {honest(asked)}\n- It **ended**."

    summary, _, _, _, counts = run(loaded, Hand(loaded.encoder, script), 150)
    assert not re.search(r"[#*:\n-]", summary.summary.replace("\n\n", ""))
    assert counts.replaced == 0


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
            "writing": len(hand.asked) > 5 and not hand.asked[-1].closed,
            "merging": isinstance(event, Progress) and event.phase == "merging notes" and event.done == 2,
        }[phase]

    summary, partial, _, job, _ = run(loaded, hand, 100, stop=stop)
    assert partial
    assert summary.summary
    assert all(asked.closed for asked in hand.asked)
    if phase == "merging":
        assert 80 <= len(summary.summary.split()) <= 120  # from the notes themselves
        assert job.tally.unread == 0
    else:
        assert job.tally.unread > 0
        assert max(end for section in summary.sections for _, end in section.spans) < job.end


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
