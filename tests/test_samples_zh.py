"""The bundled Chinese story: its shape, its translation beside it, its names and its facts."""

from __future__ import annotations

import re
import tomllib
from importlib import resources

import pytest

from longread.reader import open_document
from longread.reader.language import detect

SAMPLES = resources.files("longread.samples")
HAN = re.compile(r"[\u4e00-\u9fff]")


def text(name: str) -> str:
    return (SAMPLES / name).read_text(encoding="utf-8")


def paragraphs(name: str) -> list[str]:
    return text(name).removesuffix("\n").split("\n\n")


STORY, ENGLISH = paragraphs("the_piano_zh.txt"), paragraphs("the_piano_zh_in_english.txt")
NAMES = [line.split("\t") for line in text("names_zh.tsv").splitlines()]
FACTS = tomllib.loads(text("facts_zh.toml"))["fact"]


@pytest.fixture(scope="module")
def story():
    with open_document("sample:zh") as document:
        yield document, "".join(document.text())


def test_it_opens_as_the_story_it_is(story):
    document, whole = story
    assert (document.title, document.author, document.language) == ("鹤嘴的琴", "", "zh-Hans")
    assert [chapter.title.split()[0] for chapter in document.chapters] == [
        f"第{n}章" for n in "一二三四五六七"
    ]
    assert 4_500 <= len(HAN.findall(whole)) <= 5_500
    assert whole.split("\n\n") == [*STORY[:-1], STORY[-1] + whole[len(whole.rstrip()) :]]


def test_every_paragraph_is_one_line_with_nothing_around_it():
    for paragraph in STORY + ENGLISH:
        assert paragraph == paragraph.strip() and paragraph and "\n" not in paragraph


def test_its_punctuation_is_full_width():
    for paragraph in STORY:
        assert not re.search(r"[,;:!?()\"']|(?<!\d)\.", paragraph), paragraph
        assert paragraph.count("“") == paragraph.count("”")


def test_the_translation_stands_beside_it():
    assert len(STORY) == len(ENGLISH)
    for chinese, english in zip(STORY, ENGLISH, strict=True):
        heading = re.match("第.章", chinese)
        assert bool(heading) == english.startswith("Chapter "), (chinese, english)
        assert chinese.startswith("“") == english.startswith("“"), (chinese, english)
        # Of prose, a character makes about one word of English; a sentence left out would show.
        if len(chinese) > 40:
            assert 0.55 < len(english.split()) / len(chinese) < 1.1, (chinese, english)


def test_the_translation_is_english_and_without_rests_of_the_other():
    whole = "\n\n".join(ENGLISH)
    assert detect(whole) == "en" and not HAN.search(whole)


@pytest.mark.parametrize(("chinese", "english"), NAMES)
def test_names_are_the_same_from_the_first_chapter_to_the_last(chinese, english):
    held = [chinese in paragraph for paragraph in STORY]
    assert held == [english in paragraph for paragraph in ENGLISH]


def test_a_dozen_names_recur():
    whole = "\n".join(STORY)
    assert sum(whole.count(chinese) > 1 for chinese, _ in NAMES) >= 12


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact["answer"])
def test_the_facts_stand_where_they_are_said_to(story, fact):
    document, whole = story
    assert {*fact} == {"question", "answer", "chapter", "evidence", "kind"}
    assert whole.count(fact["evidence"]) == 1
    assert "\n" not in fact["evidence"]
    assert document.chapter_at(whole.index(fact["evidence"])) + 1 == fact["chapter"]
    assert detect(fact["question"] * 3).startswith("zh")
    assert not re.search(r"[,;:!?]", fact["question"])


def test_there_are_facts_of_every_chapter():
    assert len(FACTS) >= 25 and {fact["chapter"] for fact in FACTS} == {*range(1, 8)}
    assert len({fact["question"] for fact in FACTS}) == len(FACTS)
