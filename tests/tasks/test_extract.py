from __future__ import annotations

import hashlib
import importlib.util
import random
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

from longread.reader.document import Chapter
from longread.reader.sentences import sentences
from longread.tasks.extract import Collector, Mark, Traits, choose, describe, length_of
from tests.tasks.extracting import add, summarize_extractive

BOOKS = Path(__file__).parents[2] / "../shared/data/books"
WIDTH = 32


def direction(word: str) -> np.ndarray:
    return np.frombuffer(hashlib.blake2b(word.encode(), digest_size=WIDTH).digest(), np.int8) / 64


def bag(text: str) -> np.ndarray:
    """A vector of a sentence that needs no model: its words, each in a direction of its own."""
    vector = np.zeros(WIDTH, np.float32)
    for word in text.lower().split() or [text]:
        vector += direction(word)
    return vector


def summarize(
    text: str, length: int, chapters: tuple[Chapter, ...] = (), language: str = "en", every: bool = False
) -> list[str]:
    spans = sentences(text, language)
    vectors = np.array([bag(text[a:b][:80]) for a, b in spans])
    nll = [3 + (zlib.crc32(text[a:b].encode()) % 1000) / 1000 for a, b in spans]
    chosen = summarize_extractive(text, language, chapters, vectors, nll, spans, length, every)
    assert set(chosen) <= set(spans) and chosen == sorted(set(chosen))
    return [text[a:b] for a, b in chosen]


def novel(chapters: int, paragraphs: int, seed: int = 0) -> tuple[str, tuple[Chapter, ...]]:
    """An invented book: each sentence has words that no other has, a third of them are dialogue."""
    chance = random.Random(seed)
    verbs = ["crossed", "watched", "carried", "painted", "followed", "mended", "counted", "left"]
    text, places = "", []
    for chapter in range(chapters):
        places.append(len(text))
        text += f"CHAPTER {chapter + 1}\n\n"
        for paragraph in range(paragraphs):
            unique = " ".join(
                "".join(chance.choices("abcdeimnorstu", k=7)) for _ in range(chance.randint(5, 18))
            )
            text += f"In the morning Marlow {chance.choice(verbs)} the {unique}. "
            text += f"He said nothing of {unique[:20]} to anyone. But the {unique[5:19]} was gone.\n\n"
            if paragraph % 3 == 0:
                text += f'"You know the {unique[:40]}," said Anne. "It will rain."\n\n'
    ends = [*places[1:], len(text)]
    return text, tuple(
        Chapter(i, f"CHAPTER {i + 1}", a, b) for i, (a, b) in enumerate(zip(places, ends, strict=True))
    )


@pytest.mark.parametrize("chapters", [0, 1, 7, 40, 100])
@pytest.mark.parametrize("length", [150, 400, 1200])
def test_the_length_asked_for_is_kept(chapters: int, length: int) -> None:
    text, places = novel(max(1, chapters), 160 // max(1, chapters) + 3)
    chosen = summarize(text, length, places if chapters else ())
    assert abs(sum(len(one.split()) for one in chosen) - length) <= 0.1 * length
    assert all(7 <= len(one.split()) <= 45 for one in chosen)


def test_every_chapter_has_its_share_where_there_is_room() -> None:
    text, places = novel(12, 24)
    chosen = summarize(text, 1200, places)
    per = [sum(one in text[place.start : place.end] for one in chosen) for place in places]
    assert min(per) >= 1 and max(per) <= 2 * 1200 / 12 / 10


def test_a_book_of_a_hundred_chapters_is_sampled_evenly() -> None:
    text, places = novel(100, 5)
    chosen = [text.index(one) / len(text) for one in summarize(text, 400, places)]
    assert 10 <= len(chosen) <= 40
    gaps = np.diff([0.0, *chosen, 1.0])
    assert gaps.max() < 2.5 / len(chosen)


def test_what_leans_or_is_spoken_or_broken_is_left_out() -> None:
    text, places = novel(10, 24)
    bad = [
        "[Illustration: The harbour of Marlow as it stood before the war began there.]",
        "and the whole of the ship went down with the cargo in the morning at Dover.",
        "THE SECOND PART OF THE TALE OF MARLOW AND ANNE AT THE HARBOUR.",
        "In the evening Marlow (who had been ill took the long road to the harbour.",
        "The ship was sold to Marlow in the spring of the year.[14]",
        "Name    Age    Town    Price    Marlow    14    Dover    2.50    in the year then.",
    ]
    text = text.replace("\n\nIn the morning", "\n\n" + "\n\n".join(bad) + "\n\nIn the morning")
    chosen = summarize(text, 1200, places)
    assert len(chosen) > 30
    assert not set(chosen) & set(bad)
    weak = [one for one in chosen if one.split()[0] in {"He", "But", "It"} or '"' in one]
    assert len(weak) <= 0.1 * len(chosen)


def test_no_two_chosen_say_the_same() -> None:
    text, places = novel(10, 24)
    again = "In the evening Marlow painted the harbour wall beside the lighthouse with slow careful strokes"
    for number in range(1, 11):
        text = text.replace(f"CHAPTER {number}\n\n", f"CHAPTER {number}\n\n{again}, day {number}.\n\n", 1)
    edges = [text.index(f"CHAPTER {number}\n") for number in range(1, 11)] + [len(text)]
    places = tuple(Chapter(i, f"CHAPTER {i + 1}", edges[i], edges[i + 1]) for i in range(10))
    chosen = summarize(text, 1200, places)
    words = [set(one.lower().strip(".").split()) for one in chosen]
    alike = [len(a & b) / len(a | b) for i, a in enumerate(words) for b in words[:i]]
    assert max(alike) < 0.6
    assert sum(again in one for one in chosen) <= 1


def test_the_same_book_gives_the_same_summary_and_a_name_counts() -> None:
    text, places = novel(5, 20)
    assert summarize(text, 150, places) == summarize(text, 150, places)
    collected = Collector(4)
    for place in range(60):
        named = place % 10 == 3
        traits = Traits(15, Mark(0), (zlib.crc32(b"Ahab"),) if named else (), (place + 1,))
        add(collected, traits, place * 100, place * 100 + 90, None, np.ones(4) + place % 2, 3.0, 20)
    with_name = choose(collected, length=90, language="en", names=["Captain Ahab"])
    assert with_name and all(start // 100 % 10 == 3 for start, _ in with_name)


def test_facility_location_finds_every_topic() -> None:
    """A chapter about four things is given a sentence of each, however one of them outweighs the rest."""
    collected = Collector(32)
    chance = np.random.default_rng(1)
    shares = [0, 0, 0, 0, 0, 1, 1, 2, 2, 3]
    for place in range(400):
        topic = place // 100 * 4 + shares[place % 10]
        vector = np.eye(32)[topic] + 0.05 * chance.standard_normal(32) + 0.5
        traits = Traits(20, Mark(0), (), tuple(range(place * 10 + 1, place * 10 + 9)))
        add(collected, traits, place * 100, place * 100 + 90, place // 100, vector, 3.0, 25)
    chapters = [Chapter(i, str(i), i * 10_000, i * 10_000 + 10_000) for i in range(4)]
    chosen = choose(collected, length=320, language="en", chapters=chapters)
    topics = [start // 10_000 * 4 + shares[start // 100 % 10] for start, _ in chosen]
    assert sorted(topics) == list(range(16))


@pytest.mark.parametrize(
    "text",
    ["", "   \n\n ", "CHAPTER I", "One.", "He went.", "...", '"Why?"', "a b", "\x00\x1b[31m", "1 2 3 4."],
)
def test_texts_of_next_to_nothing(text: str) -> None:
    chosen = summarize(text, 150)
    assert "".join(chosen) in text


def test_a_short_text_comes_back_whole_but_for_its_headings() -> None:
    text = "CHAPTER I\n\nThe ship left Dover at noon. Marlow stood on the deck and counted the gulls."
    assert summarize(text, 400) == text.split("\n\n")[1].replace("noon. ", "noon.|").split("|")


@pytest.mark.parametrize(("words", "length"), [(42, 15), (400, 150), (2000, 150)])
def test_sentences_too_long_for_the_length_still_give_one(words: int, length: int) -> None:
    """A transcript without a full stop is one sentence a paragraph."""
    chance = random.Random(words)
    said = [" ".join("".join(chance.choices("abcdeimnorstu", k=6)) for _ in range(words)) for _ in range(3)]
    assert summarize("\n\n".join(f"So {one} and so on." for one in said), length)


def test_every_chapter_has_a_sentence_where_it_is_to_have_one() -> None:
    """Of twenty chapters whose sentences are longer than twenty-five words."""
    chance = random.Random(1)
    text, places = "", []
    for chapter in range(20):
        places.append(len(text))
        text += f"CHAPTER {chapter + 1}\n\n"
        for _ in range(8):
            words = ("".join(chance.choices("abcdeimnorstu", k=6)) for _ in range(chance.randint(28, 38)))
            text += f"In the morning Marlow crossed the {' '.join(words)}.\n\n"
    chapters = tuple(
        Chapter(i, f"CHAPTER {i + 1}", a, b)
        for i, (a, b) in enumerate(zip(places, [*places[1:], len(text)], strict=True))
    )
    chosen = [text.index(one) for one in summarize(text, 500, chapters, every=True)]
    assert all(any(c.start <= at < c.end for at in chosen) for c in chapters)
    fewer = [text.index(one) for one in summarize(text, 500, chapters)]
    assert sum(any(c.start <= at < c.end for at in fewer) for c in chapters) < 20


def test_a_play_still_gives_a_summary() -> None:
    chance = random.Random(3)
    lines = []
    for number in range(300):
        said = " ".join("".join(chance.choices("abcdeimnorstu", k=6)) for _ in range(6))
        lines.append(f'"I will bring you the {said}, my lord, in {number} days."')
    chosen = summarize("\n\n".join(lines), 150)
    assert abs(sum(len(one.split()) for one in chosen) - 150) <= 30


def test_chinese_is_counted_in_characters() -> None:
    chance = random.Random(5)
    pool = "山水花鳥風月春秋江湖城門樓臺書劍琴棋茶酒舟車馬牛羊雲雨雪霜星辰金木火土東西南北"
    lines = ["賈政" + "".join(chance.choices(pool, k=chance.randint(12, 40))) + "。" for _ in range(900)]
    for length in (150, 400, 1200):
        chosen = summarize("\n\n".join(lines), length, language="zh")
        assert abs(sum(map(len, chosen)) - length) <= 0.1 * length
        assert length_of(chosen[0], "zh") == len(chosen[0])


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "Marlow crossed the river at dawn.", Mark(0)),
        ("en", "She crossed the river.", Mark.LEANS),
        ("en", "It's raining over Dover.", Mark.LEANS),
        ("en", "But Marlow crossed the river.", Mark.LEANS),
        ("en", "“Cross the river,” he said.", Mark.SPEECH),
        ("en", "Marlow crossed the “river of Kent.", Mark.BROKEN),
        ("en", "Marlow crossed the river with Mr.", Mark.BROKEN),
        ("en", "crossed the river with Anne.", Mark.BROKEN),
        ("en", "The Tale of the Old River.", Mark.HEADING),
        ("en", "[Footnote 3: Marlow crossed it.]", Mark.NOTE),
        ("fr", "Elle traversa la rivière.", Mark.LEANS),
        ("fr", "C’est la rivière de Paul.", Mark.LEANS),
        ("fr", "— Traversez la rivière, Paul.", Mark.SPEECH),
        ("de", "Er ging über den Fluß.", Mark.LEANS),
        ("de", "»Geh über den Fluß«, sagte Paul.", Mark.SPEECH),
        ("ru", "Она перешла реку.", Mark.LEANS),
        ("ru", "- Кто там?", Mark.SPEECH),
        ("zh", "他過了河。", Mark.LEANS),
        ("zh", "寶玉道：過河去罷。", Mark.SPEECH),
        ("zh", "寶玉過了河。", Mark(0)),
        ("ja", "それは川である。", Mark.LEANS),
        ("ja", "「川を渡れ」と言った。", Mark.SPEECH),
    ],
)
def test_marks(language: str, text: str, expected: Mark) -> None:
    seen = describe(text, [(0, len(text))], language)[0].marks
    serious = Mark.LEANS | Mark.SPEECH | Mark.BROKEN | Mark.HEADING | Mark.NOTE
    assert seen & expected == expected
    if not expected:
        assert not seen & serious


def test_the_middle_of_a_speech_is_known_for_one() -> None:
    passage = 'Anne rose. "Hear me. The river is high. Go home," said Anne. The men left Dover.'
    spans = sentences(passage, "en")
    spoken = [bool(traits.marks & Mark.SPEECH) for traits in describe(passage, spans, "en")]
    assert spoken == [False, True, True, True, False]


def test_verse_is_broken() -> None:
    verse = "The sea is calm tonight,\nThe tide is full, the moon\nLies fair upon the straits."
    prose = verse.replace("\nThe tide", " the tide").replace("\nLies", " lies")
    assert describe(verse, [(0, len(verse))], "en")[0].marks & Mark.BROKEN
    assert not describe(prose, [(0, len(prose))], "en")[0].marks & Mark.BROKEN


def filled(count: int, width: int, **options: int) -> Collector:
    collected = Collector(width, **options)
    chance = np.random.default_rng(0)
    vectors = chance.standard_normal((1000, width)).astype(np.float32)
    for place in range(count):
        traits = Traits(
            12 + place % 17, Mark(0), (place % 50 + 1,), tuple(range(place * 4 + 1, place * 4 + 5))
        )
        add(
            collected,
            traits,
            place * 100,
            place * 100 + 90,
            None,
            vectors[place % 1000],
            3 + place % 7 / 7,
            20,
        )
    return collected


def test_a_long_book_is_chosen_from_in_bounded_memory() -> None:
    collected = filled(30_000, 256)
    held = sum(part.nbytes for part in (*collected._rows, *collected._vectors))
    assert held < 120e6 * 30_000 / 100_000
    chosen = choose(collected, length=1200, language="en")
    assert abs(sum(12 + start // 100 % 17 for start, _ in chosen) - 1200) <= 120


def test_above_its_capacity_the_collector_thins_evenly() -> None:
    collected = filled(30_000, 16, capacity=10_000)
    rows = collected.rows()
    assert len(rows) == len(collected) <= 10_000
    assert np.all(np.diff(rows["start"]) > 0)
    early = np.mean(rows["start"] < 1_500_000)
    assert 0.45 < early < 0.55
    place = int(rows["start"][5]) // 100
    raw = np.random.default_rng(0).standard_normal((1000, 16)).astype(np.float32)[place % 1000]
    assert np.allclose(collected.vectors(np.array([5]))[0], raw / np.linalg.norm(raw), atol=2e-3)


def test_wide_and_damaged_vectors() -> None:
    collected = Collector(2048)
    chance = np.random.default_rng(0)
    near = chance.standard_normal(2048)
    for place, vector in enumerate(
        [near, near + 0.1 * chance.standard_normal(2048), -near, near * np.nan, near * 0]
    ):
        add(
            collected,
            Traits(12, Mark(0), (), (place + 1,)),
            place * 100,
            place * 100 + 90,
            None,
            vector,
            3.0,
            9,
        )
    vectors = collected.vectors(np.arange(5))
    assert vectors.shape == (5, 256) and np.isfinite(vectors).all()
    assert vectors[0] @ vectors[1] > 0.95 and vectors[0] @ vectors[2] < -0.95
    assert choose(collected, length=24, language="en")


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(path.name for path in BOOKS.glob("en/*.txt")) or ["none"])
def test_books_keep_to_their_length(name: str) -> None:
    path = BOOKS / "en" / name
    if not path.exists():
        pytest.skip(f"no book at hand: {path}")
    text = path.read_text(encoding="utf-8")
    for length in (150, 400, 1200):
        chosen = summarize(text, length)
        assert abs(sum(len(one.split()) for one in chosen) - length) <= 0.2 * length, length


@pytest.mark.slow
def test_ours_against_the_first_sentences_of_each_chapter() -> None:
    """On what a reader would mind most: names, evenness, and sentences that need the one before them."""
    path = BOOKS / "en" / "43281.txt"
    if not path.exists():
        pytest.skip(f"no book at hand: {path}")
    found = importlib.util.spec_from_file_location(
        "summary_quality", Path(__file__).with_name("summary_quality.py")
    )
    quality = importlib.util.module_from_spec(found)
    sys.modules[found.name] = quality
    found.loader.exec_module(quality)
    text = path.read_text(encoding="utf-8")
    spans = sentences(text, "en")
    vectors = np.array([bag(text[a:b]) for a, b in spans])
    nll = np.full(len(spans), 4.0)
    book = quality.Book(text, "en", quality.outline(text), spans, vectors, nll)
    ours, lead = (quality.measures(book, method(book, 400)) for method in (quality.ours, quality.lead))
    assert ours["names"] >= lead["names"] and ours["tenths"] >= 0.9
    assert ours["leaning"] + ours["spoken"] <= 0.1 < lead["leaning"] + lead["spoken"]
    assert ours["broken"] == 0 and ours["redundancy"] < 0.5


@pytest.mark.parametrize("turned", [False, True])
def test_where_it_thins_the_sound_one_of_two_stays(turned) -> None:
    collected = Collector(4, capacity=4)
    for place in range(16):
        marks = Mark.BROKEN if (place % 2 == 0) != turned else Mark(0)
        add(
            collected,
            Traits(12, marks, (), (place + 1,)),
            place * 100,
            place * 100 + 90,
            None,
            np.ones(4),
            3.0,
            9,
        )
    assert len(collected) and not collected.rows()["marks"].any()


def test_an_index_is_not_quoted_and_neither_is_what_is_strange_to_the_model() -> None:
    def chosen(chapters, nll) -> list[int]:
        collected, chance = Collector(16), np.random.default_rng(3)
        for place in range(200):
            vector = np.ones(16) + 0.3 * chance.standard_normal(16)
            traits = Traits(20, Mark(0), (), (place * 7 + 1, place * 7 + 2, place * 7 + 3))
            add(collected, traits, place * 100, place * 100 + 90, place // 100, vector, nll(place), 25)
        return [start // 100 for start, _ in choose(collected, length=200, language="en", chapters=chapters)]

    def two(title: str) -> list[Chapter]:
        return [Chapter(0, "One", 0, 10_000), Chapter(1, title, 10_000, 20_000)]

    assert max(chosen(two("Two"), lambda place: 3.0)) >= 100 > max(chosen(two("Index"), lambda place: 3.0))
    strange = chosen([], lambda place: 3.0 + 0.01 * (place % 3) + (9.0 if place % 5 == 0 else 0.0))
    assert strange and all(place % 5 for place in strange)
