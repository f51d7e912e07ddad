"""What happens when the model's hand fails: tried again, replaced, cut, and said."""

from __future__ import annotations

import re

import pytest

from longread.errors import ModelError
from longread.events import Note as Remark
from longread.tasks import reading
from longread.tasks.abstract.quote import quote
from tests.tasks.scripted import OPTIONS, WINDOW, Hand, finish, honest, run, sentences_of, squeezed, writer_of

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


@pytest.mark.parametrize("kind", ["note", "merge"])
def test_scores_that_are_no_numbers_cost_one_text_and_not_the_summary(loaded, kind):
    hand = Hand(loaded.encoder)

    def script(asked):
        if asked.kind == kind and len(hand.asked) > 1 and failed < 2:
            fail()
        return honest(asked)

    failed = 0

    def fail():
        nonlocal failed
        failed += 1
        raise ModelError("the model's scores are not numbers", "use --dtype float32")

    hand.script = script
    summary, partial, _, job, counts = run(loaded, hand, part="1")
    assert summary.summary and not partial
    assert counts.faults["failed, the model's scores are not numbers"] == 2 and counts.replaced == 1
    assert any("could not be" in text for text in job.warnings)


def test_a_model_that_never_writes_is_told_at_its_first_text(loaded):
    def script(asked):
        raise ModelError("the model's scores are not numbers", "use --dtype float32")

    hand = Hand(loaded.encoder, script)
    with pytest.raises(ModelError, match="not numbers"):
        run(loaded, hand, part="1")
    assert len(hand.asked) == 1


def test_a_text_longer_than_its_source_is_none(loaded):
    said = "Ann gave Tom a key. He kept it in his coat for years and years, and nobody ever knew of it."
    for source, accepted in (("Tom has Ann's key.", False), (said + " So it was.", True)):
        with reading.opened("sample:en", OPTIONS) as job:
            writer = writer_of(loaded, Hand(loaded.encoder, lambda asked: said), job)
            text = finish(writer.text("note", chapter="", before="", source=source, length=20))
        assert text == (said if accepted else "")
        assert writer.counts.faults["was longer than its source"] == (0 if accepted else 2)


def test_what_does_not_fit_the_window_is_left_out_and_counted(loaded):
    hand = Hand(loaded.encoder)
    with reading.opened("sample:en", OPTIONS) as job:
        writer = writer_of(loaded, hand, job)
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
        writer = writer_of(loaded, Hand(loaded.encoder, lambda asked: said), job)
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
