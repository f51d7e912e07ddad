"""A translation that is killed, stopped or done again in part ends as the unbroken one does."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest

from longread.config import Memory
from longread.errors import OutputError
from longread.places import data_dir
from longread.tasks.translate.corrections import Corrections
from longread.tasks.translate.glossary import Term
from longread.tasks.translate.segments import Translated
from longread.tasks.translate.translator import BLOCK
from tests.tasks.translating import Dictionary, done, english, pairs, run, segments, story

LENGTH = 40


@pytest.fixture
def book(tmp_path):
    path = tmp_path / "book.txt"
    path.write_text(story(LENGTH), encoding="utf-8")
    return path


def _after(count):
    """A ``stop`` that holds once ``count`` segments are done."""
    seen = []
    return lambda event: isinstance(event, Translated) and (seen.append(event) or len(seen) == count)


def _fickle(asked):
    """What is said depends on the sampling, its seed and the context, as a model's words do."""
    number = int("".join(filter(str.isdigit, asked.source)))
    if number % 7 == 0 and asked.greedy:
        return "他。"
    if number % 13 == 0:
        return "**"
    return english(asked.source).replace(
        "saw", "saw" if asked.tokens % 2 else f"saw, {'far ' * (asked.seed % 3)}"
    )


def _files(kind="pairs.jsonl") -> list[Path]:
    return sorted((data_dir() / "translations").glob(f"*/{kind}"))


def test_what_is_done_is_not_asked_again(loaded, book):
    whole = run(loaded, book, Dictionary(loaded.encoder, _fickle), options={"save": False})
    first = Dictionary(loaded.encoder, _fickle)
    run(loaded, book, first, stop=_after(11))
    second = Dictionary(loaded.encoder, _fickle)
    events = run(loaded, book, second)
    assert segments(events) == segments(whole) and done(events).result.glossary == done(whole).result.glossary
    assert not {*first.sources()} & {*second.sources()}
    # The conversation is the one that the unbroken run would have had.
    third = Dictionary(loaded.encoder, _fickle)
    assert segments(run(loaded, book, third)) == segments(whole) and not third.asked


def test_a_torn_line_costs_one_sentence_and_a_damaged_one_is_told(loaded, book):
    run(loaded, book, Dictionary(loaded.encoder))
    (path,) = _files()
    lines = path.read_bytes().splitlines(keepends=True)
    assert len(lines) == LENGTH
    lines[4] = b'{"n": 4, "paragraph": "one"}\n'
    path.write_bytes(b"".join(lines[:-1]) + lines[-1][:9])
    hand = Dictionary(loaded.encoder)
    events = run(loaded, book, hand)
    assert len(hand.asked) == 2 and all(segment.ok for segment in segments(events))
    assert "1 damaged lines" in done(events).warnings[0]


def test_two_at_once_do_not_write_to_one_translation(loaded, book):
    def script(asked):
        with pytest.raises(OutputError, match="another longread is translating"):
            run(loaded, book, Dictionary(loaded.encoder))
        return None

    run(loaded, book, Dictionary(loaded.encoder, script), stop=_after(1))


def test_what_was_kept_is_private(loaded, book):
    run(loaded, book, Dictionary(loaded.encoder), stop=_after(2))
    (path,) = _files()
    assert path.stat().st_mode & 0o077 == 0 and path.parent.stat().st_mode & 0o077 == 0
    other = run(loaded, book, Dictionary(loaded.encoder), options={"save": False}, stop=_after(1))
    assert done(other).partial and len(path.read_bytes().splitlines()) == 2


def test_a_part_is_done_by_itself_and_counts_for_the_whole(loaded, book):
    part = Dictionary(loaded.encoder)
    events = run(loaded, book, part, part="0%-50%")
    numbers = {segment.paragraph for segment in segments(events)}
    assert numbers == {*range(len(numbers))} and len(numbers) < 10
    rest = Dictionary(loaded.encoder)
    whole = run(loaded, book, rest)
    assert len(rest.asked) == LENGTH - len(part.asked) and len(segments(whole)) == LENGTH
    # --fresh does the part again, and nothing else.
    again = Dictionary(loaded.encoder, lambda asked: english(asked.source).replace("saw", "glimpsed"))
    run(loaded, book, again, part="0%-50%", options={"fresh": True})
    assert again.sources() == part.sources()
    targets = [target for _, target in pairs(run(loaded, book, Dictionary(loaded.encoder)))]
    assert any("glimpsed" in text for text in targets[: len(part.asked)])
    assert not any("glimpsed" in text for text in targets[len(part.asked) :])


def test_retry_failed_asks_for_the_failed_alone_and_otherwise_than_before(loaded, book):
    def script(asked):
        return "他。" if "33只" in asked.source else None

    first = Dictionary(loaded.encoder, script)
    assert done(run(loaded, book, first)).stats["segments"]["failed"] == 1
    assert not Dictionary(loaded.encoder).asked
    still = Dictionary(loaded.encoder, script)
    run(loaded, book, still, wish={"retry_failed": True})
    mended = Dictionary(loaded.encoder)
    events = run(loaded, book, mended, wish={"retry_failed": True})
    assert {*mended.sources()} == {*still.sources()} and len(mended.asked) == 1
    seeds = [asked.seed for hand in (first, still, mended) for asked in hand.asked if "33只" in asked.source]
    assert len({*seeds}) == len(seeds) == 7 and not still.asked[0].greedy
    assert all(segment.ok for segment in segments(events))


def test_a_term_that_is_added_has_the_sentences_done_again_that_it_touches(loaded, book):
    run(loaded, book, Dictionary(loaded.encoder))
    hand = Dictionary(loaded.encoder, lambda a: english(a.source).replace("Old Chen", "Chen the Elder"))
    run(loaded, book, hand, wish={"given": (Term("老陈", "Chen the Elder", given=True),)})
    assert hand.asked and all("老陈" in source for source in hand.sources())
    assert len(hand.asked) == sum("老陈" in source for source, _ in pairs(run(loaded, book, hand)))


def test_what_fails_with_a_term_is_what_it_was_without_it(loaded, book):
    whole = segments(run(loaded, book, Dictionary(loaded.encoder)))
    given = {"given": (Term("老陈", "Chen the Elder", given=True),)}
    stubborn = Dictionary(loaded.encoder)
    failed = segments(run(loaded, book, stubborn, wish=given))
    assert [not segment.ok for segment in failed] == ["老陈" in segment.source for segment in whole]
    # The same again tries nothing, and without the term all is as it was.
    again = Dictionary(loaded.encoder)
    assert segments(run(loaded, book, again, wish=given)) == failed and not again.asked
    for wish in ({}, {"retry_failed": True}):
        assert segments(run(loaded, book, again, wish=wish)) == whole and not again.asked


def test_corrected_rows_that_match_nothing_are_told(loaded, book):
    corrected = Corrections()
    first, second, *_ = story(LENGTH, 1).split()
    corrected.add(first, "Corrected.", 0)
    corrected.add("没有这句话。", "No such sentence.", 30)
    corrected.add("也没有这句话。", "Nor this.")
    corrected.add(second, None, 0)
    events = run(loaded, book, Dictionary(loaded.encoder), wish={"corrections": corrected})
    assert segments(events)[0].target == "Corrected." and segments(events)[1].target == english(second)
    assert done(events).warnings == ("2 corrected rows match no sentence of the text and were left out",)
    part = run(loaded, book, Dictionary(loaded.encoder), wish={"corrections": corrected}, part="0%-50%")
    assert done(part).warnings == ()  # they may belong to the rest


def _learning(loaded, book, script, **more):
    from longread.config import Memory

    options = {"memory": Memory(learn=True, rank=2)} | more.pop("options", {})
    return run(loaded, book, Dictionary(loaded.encoder, script), options=options, **more)


def test_learning_resumes_from_its_save_and_ends_with_the_same_adapter(loaded, book, monkeypatch):
    import torch

    from longread.tasks.translate import lessons

    monkeypatch.setattr(lessons, "EVERY", 2)
    adapters = []
    learn = lessons.Pupil.learn

    def watched(self, lesson):
        yield from learn(self, lesson)
        adapters.append(self._session.lora.sha256())

    monkeypatch.setattr(lessons.Pupil, "learn", watched)
    corrected = Corrections()
    corrected.add("老陈今天在市场数了40只船。", "Today Old Chen counted 40 boats at the market.")
    wish = {"corrections": corrected}
    before = {name: p.clone() for name, p in loaded.model.named_parameters()}
    whole = _learning(loaded, book, _fickle, wish=wish, options={"save": False})
    final, adapters[:] = adapters[-1], []
    assert done(whole).stats["tokens"]["learned"] > 100
    _learning(loaded, book, _fickle, wish=wish, stop=_after(30))
    assert _files("saves-*/*/state.json")
    steps, adapters[:] = [*adapters], []
    assert segments(_learning(loaded, book, _fickle, wish=wish)) == segments(whole)
    assert adapters[-1] == final and adapters[0] != steps[0]  # begun from a save, not from nothing
    assert all(torch.equal(p, before[name]) for name, p in loaded.model.named_parameters())
    # --fresh begins from nothing, and so does whoever goes on with it.
    adapters[:] = []
    fresh = {"fresh": True}
    assert segments(_learning(loaded, book, _fickle, wish=wish, options=fresh)) == segments(whole)
    assert adapters[0] == steps[0] and adapters[-1] == final
    _learning(loaded, book, _fickle, wish=wish, options=fresh, stop=_after(1))
    assert not _files("saves-*/*/state.json")


def _start(loaded, book: Path, home: Path, script=_fickle, **more) -> int:
    """Translate in a child, forked so that nothing need be loaded again; its process id."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    try:
        os.environ["LONGREAD_HOME"] = str(home)

        def slow(asked):
            time.sleep(0.004)
            return script(asked)

        run(loaded, book, Dictionary(loaded.encoder, slow), **more)
        os._exit(0)
    except BaseException:
        os._exit(1)


def _trial(loaded, book: Path, folder: Path, kills: int) -> None:
    whole = run(loaded, book, Dictionary(loaded.encoder, _fickle), options={"save": False})
    chance, home, left = random.Random(kills), folder / "killed", []
    length = len(segments(whole))
    os.environ["LONGREAD_HOME"] = str(home)  # put back by the fixture that set it
    for _ in range(kills):
        child = _start(loaded, book, home)
        seen = left[-1] if left else []
        wanted, patience = len(seen) + chance.randint(1, max(1, length // kills - 1)), time.monotonic() + 60
        while time.monotonic() < patience:  # killed somewhere after so many lines, in whatever it does then
            lines = b"".join(path.read_bytes() for path in _files())
            if lines.count(b"\n") >= min(wanted, length - 1):
                break
            time.sleep(0.002)
        time.sleep(chance.uniform(0, 0.01))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        left.append([line for path in _files() for line in path.read_bytes().splitlines()])
    hand = Dictionary(loaded.encoder, _fickle)
    events = run(loaded, book, hand)
    assert segments(events) == segments(whole) and done(events).result.glossary == done(whole).result.glossary
    assert len({*hand.sources()}) < length
    print(f"\n{kills} kills; lines kept after each: {[len(lines) for lines in left]}")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_and_resumed_is_unbroken(loaded, book, tmp_path):
    _trial(loaded, book, tmp_path, 3)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_fifty_kills(loaded, book, tmp_path):
    book.write_text(story(200), encoding="utf-8")
    _trial(loaded, book, tmp_path, 50)


def _number(asked):
    return int("".join(filter(str.isdigit, asked.source)))


def _half(asked):
    return "**" if _number(asked) % 2 else None


def _stubborn(asked):
    """A third of what failed fails again, and the rest follows from seed and context."""
    return "**" if _number(asked) % 6 == 3 else _fickle(asked)


AGAIN = [
    ({"wish": {"retry_failed": True}}, 20),
    ({"part": "50%-100%", "options": {"fresh": True, "seed": 5}}, 20),
]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize(("again", "length"), AGAIN)
def test_a_round_that_is_killed_goes_on_where_it_stopped(loaded, book, tmp_path, monkeypatch, again, length):
    run(loaded, book, Dictionary(loaded.encoder, _half))
    begun, killed = data_dir(), tmp_path / "killed"
    shutil.copytree(begun, killed)
    first = Dictionary(loaded.encoder, _stubborn)
    whole = run(loaded, book, first, **again)
    failed = [segment for segment in segments(whole) if not segment.ok]
    assert len({*first.sources()}) == length and len(failed) > 2

    monkeypatch.setenv("LONGREAD_HOME", str(killed))
    (path,) = _files()
    before = path.read_bytes().count(b"\n")
    child, patience = _start(loaded, book, killed, _stubborn, **again), time.monotonic() + 60
    while path.read_bytes().count(b"\n") < before + length // 2 and time.monotonic() < patience:
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    kept = {json.loads(line)["source"] for line in path.read_bytes().splitlines()[before:]}
    assert length // 2 <= len(kept) < length

    hand = Dictionary(loaded.encoder, _stubborn)
    assert segments(run(loaded, book, hand, **again)) == segments(whole)
    assert not kept & {*hand.sources()} and len({*hand.sources()}) == length - len(kept)
    assert kept & {segment.source for segment in failed}  # what failed twice is not tried a third time
    # That round is over: whoever asks again gets another.
    hand = Dictionary(loaded.encoder, _stubborn)
    run(loaded, book, hand, **again)
    assert len({*hand.sources()}) == (len(failed) if "wish" in again else length)


def test_a_round_that_was_stopped_is_that_of_the_same_wish_alone(loaded, book):
    run(loaded, book, Dictionary(loaded.encoder, _half))

    def again(stop=None, script=_half, **more):
        hand = Dictionary(loaded.encoder, script)
        run(loaded, book, hand, stop=stop, **more)
        return {*hand.sources()}

    retry = {"wish": {"retry_failed": True}}
    assert len(again(_after(30), **retry)) == 15
    assert len(again(options={"seed": 5}, **retry)) == 20  # another draw of the dice
    assert len(again(**retry)) == 20  # which had the last word: nothing is left of the round before
    assert len(again(_after(30), **retry)) == 15
    assert not again()  # whoever only wants what there is ends nothing
    assert len(again(lambda asked: False, None, **retry)) == 5
    assert len(again(**retry)) == 15
    fresh = {"options": {"fresh": True}}
    assert len(again(_after(30), None, **fresh)) == 30
    assert len(again(_after(10), None, part="50%-100%", **fresh)) == 10
    # Of the whole's round nothing counts that the part's has done again since.
    assert len(again(script=None, **fresh)) == 20


def test_a_model_that_learns_goes_on_as_if_it_had_never_stopped(loaded, tmp_path, monkeypatch):
    """The real hand and the real lessons: what is written after a block depends on what it taught."""
    path = tmp_path / "book.txt"
    path.write_text(story(BLOCK + 6), encoding="utf-8")
    wish = {"anyway": True}

    def told(stop=None, **memory):
        memory = Memory(rank=2, rate=1e-2, block=128, window=512, **memory)
        return run(loaded, path, None, wish=wish, stop=stop, options={"memory": memory})

    def elsewhere(name):
        monkeypatch.setenv("LONGREAD_HOME", str(tmp_path / name))

    # Whatever the model says counts, so that there is something to learn.
    monkeypatch.setattr("longread.tasks.translate.translator.wrong", lambda *_: "")
    monkeypatch.setattr("longread.tasks.translate.translator._TIMES", 0)
    whole = told()
    assert done(whole).stats["tokens"]["learned"] > 0
    elsewhere("stopped")
    told(_after(BLOCK + 3))
    assert segments(told()) == segments(whole)
    elsewhere("off")
    off = segments(told(answering_adapter=False))
    assert off[:9] == segments(whole)[:9] and off != segments(whole)
