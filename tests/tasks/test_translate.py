"""``translate`` with a stand-in at the model's boundary: context, tries, trial, names, corrections."""

from __future__ import annotations

import pytest

from longread.errors import Interrupted, UnsupportedError
from longread.events import Note, Planned, Progress
from longread.tasks.translate.checks import Pair
from longread.tasks.translate.corrections import Corrections
from longread.tasks.translate.glossary import Term
from longread.tasks.translate.segments import Checkpoint, Translated
from longread.tasks.translate.translator import BLOCK
from tests.tasks.translating import NAMES, Dictionary, done, english, pairs, run, segments, story

WINDOW = 512


@pytest.fixture
def book(tmp_path):
    path = tmp_path / "book.txt"
    path.write_text(story(44), encoding="utf-8")
    return path


@pytest.fixture
def hand(loaded):
    return Dictionary(loaded.encoder)


def test_every_sentence_is_asked_once_and_stands_in_its_place(loaded, book, hand):
    events = run(loaded, book, hand)
    whole = "".join(segment.source for segment in segments(events))
    assert whole == "".join(book.read_text(encoding="utf-8").split())
    assert pairs(events) == [(source, english(source)) for source in hand.sources()]
    assert [segment.paragraph for segment in segments(events)] == [n // 4 for n in range(44)]
    assert all(segment.ok and not segment.why for segment in segments(events))
    assert len([event for event in events if isinstance(event, Translated)]) == 44
    stats = done(events).stats
    assert stats["segments"] == {"total": 44, "done": 44, "failed": 0}
    assert stats["tokens"]["unread"] == 0 and not done(events).partial and not done(events).warnings


def test_pairs_before_are_the_context_and_all_of_it_fits_the_window(loaded, book, hand):
    run(loaded, book, hand)
    assert all(asked.tokens + asked.max_tokens <= WINDOW for asked in hand.asked)
    for number, asked in enumerate(hand.asked[1:], start=1):
        before = hand.asked[number - 1].source
        assert f"{before} | {english(before)} | {asked.source}" in asked.text
    opened = [at for at, asked in enumerate(hand.asked) if len(asked.parts) == 2]
    assert opened[0] == 0 and len(opened) > 2
    assert max(b - a for a, b in zip(opened, [*opened[1:], 44], strict=True)) <= BLOCK
    # A block's later questions only add to what was said: the model need not read it again.
    for a, b in zip(hand.asked, hand.asked[1:], strict=False):
        if len(b.parts) > 2:
            assert b.parts[: len(a.parts)] == a.parts


@pytest.mark.parametrize(
    "bad", ["", "Wang Wang Wang Wang Wang Wang Wang Wang Wang", "他在河边。", "**He** saw 20."]
)
def test_a_bad_try_is_tried_again_with_other_sampling(loaded, book, bad):
    failed = []

    def script(asked):
        if "25只" in asked.source and asked.greedy:
            failed.append(asked)
            return bad
        return None

    hand = Dictionary(loaded.encoder, script)
    events = run(loaded, book, hand)
    assert len(failed) == 1 and all(segment.ok for segment in segments(events))
    first, second = (asked for asked in hand.asked if "25只" in asked.source)
    assert first.parts == second.parts and first.seed != second.seed and not second.greedy
    assert done(events).stats["written"]["tries"] == 45


def test_what_never_passes_stays_in_the_source_language_and_is_told(loaded, book):
    def script(asked):
        return "He said nothing of the kind." if "30只" in asked.source else None

    hand = Dictionary(loaded.encoder, script)
    events = run(loaded, book, hand)
    bad = [segment for segment in segments(events) if not segment.ok]
    assert len(bad) == 1 and bad[0].target == bad[0].source and bad[0].why == "lacked a number: 30"
    assert hand.sources().count(bad[0].source) == 3
    after = next(asked for asked in hand.asked if "31只" in asked.source)
    assert bad[0].source not in after.text  # a failure is no example
    (warning,) = done(events).warnings
    assert "1 of 44 segments" in warning and "lacked a number (1)" in warning
    assert any(isinstance(event, Note) and event.text == warning for event in events)


def test_a_model_that_loops_without_end_or_leaks_its_template_fails_its_trial(loaded, book):
    for script in (
        lambda asked: loaded.encoder.encode(" and so it went") * 200,
        lambda asked: [*loaded.encoder.encode("He saw it."), 2, 3],
        lambda asked: "他看见了。",
    ):
        hand = Dictionary(loaded.encoder, script)
        with pytest.raises(UnsupportedError) as error:
            run(loaded, book, hand)
        assert "0 of the first 10" in error.value.message and "--anyway" in error.value.hint
        assert len({asked.source for asked in hand.asked}) == 10
    events = run(loaded, book, Dictionary(loaded.encoder, script), wish={"anyway": True})
    assert done(events).stats["segments"]["failed"] == 44


def test_half_of_the_trial_is_enough(loaded, book):
    def script(asked):
        number = int("".join(filter(str.isdigit, asked.source)))
        return "他。" if number % 2 else None

    events = run(loaded, book, Dictionary(loaded.encoder, script))
    assert done(events).stats["segments"]["failed"] == 22


def test_the_time_that_is_left_is_told_after_the_trial(loaded, book, hand):
    events = run(loaded, book, hand)
    ((at, planned),) = [(at, e) for at, e in enumerate(events) if isinstance(e, Planned)]
    assert planned.seconds > 0
    assert sum(isinstance(event, Translated) for event in events[:at]) == 10
    progress = [event for event in events if isinstance(event, Progress)]
    assert progress[-1].done == progress[-1].total == 44 and progress[-1].unit == "segments"


def test_given_names_are_told_where_they_occur_and_must_be_kept(loaded, book):
    def script(asked):
        if "Autumn" in asked.text and "李秋菊" in asked.source:
            return english(asked.source).replace("Li Qiuju", "Autumn Li")
        return None

    hand = Dictionary(loaded.encoder, script)
    terms = (Term("李秋菊", "Autumn Li", given=True), Term("张三", "Zhang San", given=True))
    events = run(loaded, book, hand, wish={"given": terms})
    assert all(("李秋菊 = Autumn Li" in asked.text) for asked in hand.asked)
    assert not any("Zhang San" in asked.text for asked in hand.asked)
    assert all(segment.ok for segment in segments(events))
    glossary = done(events).result.glossary
    assert glossary["李秋菊"] == {"target": "Autumn Li", "paragraph": 0, "given": True}
    # A model that does not obey loses the sentences that need the name.
    events = run(loaded, book, Dictionary(loaded.encoder), wish={"given": terms}, options={"fresh": True})
    assert {segment.ok for segment in segments(events) if "李秋菊" in segment.source} == {False}


def test_a_name_that_is_a_word_too_is_not_demanded_where_it_opens_a_sentence(loaded, tmp_path):
    path = tmp_path / "will.txt"
    path.write_text("Will you come to the river today? Then Will said that it will rain.", encoding="utf-8")
    answers = {"Will you": "你今天要来河边吗？", "Then Will": "然后威尔说要下雨了。"}
    hand = Dictionary(
        loaded.encoder,
        lambda asked: next(said for opening, said in answers.items() if asked.source.startswith(opening)),
    )
    wish = {"given": (Term("Will", "威尔", given=True),), "anyway": True}
    events = run(loaded, path, hand, pair=Pair("en", "zh"), wish=wish)
    assert [segment.target for segment in segments(events)] == [*answers.values()]
    assert all(segment.ok and not segment.why for segment in segments(events))


def test_names_are_collected_from_what_was_written_and_used_from_then_on(loaded, book):
    def script(asked):
        # Later the model has another name for him, unless it is told.
        if (
            int("".join(filter(str.isdigit, asked.source))) > 50
            and "王小明 = Wang Xiaoming" not in asked.text
        ):
            return english(asked.source).replace("Wang Xiaoming", "Little Ming")
        return None

    hand = Dictionary(loaded.encoder, script)
    events = run(loaded, book, hand)
    glossary = done(events).result.glossary
    assert {name: term["target"] for name, term in glossary.items()} == NAMES
    assert glossary["王小明"]["paragraph"] == 0 and not glossary["王小明"]["given"]
    assert not any("Little" in segment.target for segment in segments(events))
    assert "王小明 = " not in hand.asked[0].text and "王小明 = Wang Xiaoming" in hand.asked[-1].text


def test_a_collected_name_that_is_left_out_is_tried_again_but_no_failure(loaded, book):
    def script(asked):
        late = int("".join(filter(str.isdigit, asked.source))) > 50
        return english(asked.source).replace("Wang Xiaoming", "He") if late else None

    hand = Dictionary(loaded.encoder, script)
    events = run(loaded, book, hand)
    left = [segment for segment in segments(events) if segment.why]
    assert left and all(segment.ok and "王小明" in segment.why for segment in left)
    assert hand.sources().count(left[0].source) == 3
    assert "leave out a name" in done(events).warnings[0]


def test_corrections_stand_word_for_word_and_serve_as_context(loaded, book, hand):
    sources = [source for source, _ in pairs(run(loaded, book, hand))]
    corrected = Corrections()
    corrected.add(sources[5], "A person wrote this.", 1)
    corrected.add("没有这一句。", "There is no such sentence.")
    again = Dictionary(loaded.encoder)
    events = run(loaded, book, again, wish={"corrections": corrected}, options={"fresh": True})
    assert segments(events)[5].target == "A person wrote this." and segments(events)[5].ok
    assert sources[5] not in again.sources() and len(again.asked) == 43
    assert f"{sources[5]} | A person wrote this. | {sources[6]}" in again.asked[5].text


def test_an_interruption_ends_in_what_was_done(loaded, book, hand):
    count = 0

    def stop(event):
        nonlocal count
        count += isinstance(event, Translated)
        return count == 7

    events = run(loaded, book, hand, stop=stop)
    assert done(events).partial and len(segments(events)) == 7
    assert done(events).stats["tokens"]["unread"] > 0
    assert done(events).stats["seconds"]["translating"] > 0  # although no block was done
    with pytest.raises(Interrupted):
        run(loaded, book, hand, stop=lambda event: True, options={"save": False})


def test_an_interruption_after_the_last_sentence_is_too_late_to_stop_anything(loaded, book, hand):
    def end(event):
        return isinstance(event, Checkpoint) and event.done == event.total

    events = run(loaded, book, hand, stop=end, options={"save": False})
    assert not done(events).partial and len(segments(events)) == 44


def test_an_interruption_at_a_closing_remark_keeps_the_translation(loaded, book, hand):
    corrected = Corrections()
    corrected.add("没有这一句。", "There is no such sentence.")
    events = run(
        loaded,
        book,
        hand,
        wish={"corrections": corrected},
        stop=lambda event: isinstance(event, Note) and event.level == "warning",
        options={"save": False},
    )
    assert any("corrected rows" in text for text in done(events).warnings) and len(segments(events)) == 44


def test_checkpoints_hold_a_valid_result_of_what_was_done(loaded, book, hand):
    events = run(loaded, book, hand)
    checks = [event for event in events if isinstance(event, Checkpoint)]
    assert len(checks) > 2 and checks[-1].done == checks[-1].total == 44
    assert checks[0].partial().partial


def test_a_sentence_too_long_for_the_window_is_cut_and_nothing_is_lost(loaded, tmp_path, hand):
    path = tmp_path / "long.txt"
    text = "，".join(f"{[*NAMES][n % 3]}在{n + 20}只船" for n in range(60))
    path.write_text(text + "。\n", encoding="utf-8")
    events = run(loaded, path, hand)
    assert all(asked.tokens + asked.max_tokens <= WINDOW for asked in hand.asked)
    assert "".join(segment.source for segment in segments(events)) == path.read_text("utf-8").strip()
    assert all(segment.ok for segment in segments(events))


def test_two_parts_that_meet_hold_every_sentence(loaded, tmp_path, hand):
    """Of a text whose lines are wrapped, with a paragraph that goes across the middle."""
    path = tmp_path / "wrapped.txt"
    lines = [f"{[*NAMES][n % 3]}在河边看见{n + 20}只船。" for n in range(60)]
    path.write_text("\n\n".join("\n".join(lines[at : at + 30]) for at in (0, 30)) + "\n", encoding="utf-8")
    parts = [segments(run(loaded, path, hand, part=part)) for part in ("0%-30%", "30%-100%")]
    whole = segments(run(loaded, path, hand))
    assert [s.source for part in parts for s in part] == [s.source for s in whole]
    assert all(parts)


def test_what_has_no_words_is_copied_and_never_asked(loaded, tmp_path, hand):
    path = tmp_path / "marks.txt"
    path.write_text("王小明在河边。\n\n* * *\n\n1905\n\n老陈在市场。\n", encoding="utf-8")
    events = run(loaded, path, hand)
    assert len(hand.asked) == 2
    assert [target for _, target in pairs(events)] == ["Wang Xiaoming at the riverside.", "* * *", "1905",
                                                      "Old Chen at the market."]  # fmt: skip
