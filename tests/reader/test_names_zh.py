"""Names in Chinese: who is found, from where on, and what is not taken for a name."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from longread.reader import open_document
from longread.reader.names import NameCounter, name_counter
from longread.reader.names_zh import ChineseNames
from longread.reader.sentences import sentences


def count(*chapters: Iterable[str]) -> dict[str, tuple[int, int | None]]:
    counter = ChineseNames()
    for chapter, lines in enumerate(chapters):
        for line in lines:
            counter.add(line, chapter)
    return {name: (times, first) for name, times, first in counter.top(50)}


@pytest.fixture(scope="module")
def story() -> list[tuple[str, int, int | None]]:
    counter = name_counter("zh-Hans")
    with open_document("sample:zh") as document:
        for passage in document.passages():
            for low, high in sentences(passage.text, "zh") if not passage.heading else ():
                counter.add(passage.text[low:high], passage.chapter)
    return counter.top(12)


def test_the_persons_of_the_story_and_nothing_else(story):
    persons = {"谭允真", "魏小岩", "柳敬堂", "费有余", "孟大川", "巩三全", "佟振海", "秦立"}
    found = {name for name, _, _ in story}
    assert found <= persons and len(found) >= 7
    assert story[0][0] == "谭允真" and story[0][2] == 0
    assert {name: chapter for name, _, chapter in story}["秦立"] == 5


def test_times_are_those_in_the_text(story):
    with open_document("sample:zh") as document:
        whole = "".join(document.text())
    assert all(times == whole.count(name) for name, times, _ in story)


def test_a_teacher_is_counted_under_her_name():
    lines = [
        "王秀英说早。",
        "王秀英走进门。",
        "后来王秀英笑起来。",
        "他问王老师。",
        "王老师说好。",
        "王老师，再见。",
        "王老师点头。",
        "王老师写字。",
    ]
    assert count(lines[:3], lines[3:]) == {"王秀英": (8, 0)}
    assert "王老师" in count([*lines, *(line.replace("秀英", "建国") for line in lines)])


def test_a_surname_of_two_characters_is_one():
    lines = ["公孙策说是。", "公孙策走过来。", "众人看公孙策写字。", "公孙策想了想。"]
    assert count(lines * 2) == {"公孙策": (8, 0)}


def test_words_that_begin_like_names_are_none():
    lines = [
        "于是他说了。",
        "方才有人来。",
        "马上就走。",
        "时候不早，金子还在。",
        "高兴得很。",
        "石头上坐着人。",
    ]
    assert not count(lines * 5)


def test_who_is_met_twice_is_not_known_yet():
    assert not count(["秦立说早。", "秦立走了。"])


def test_memory_is_bounded():
    chance = random.Random(0)
    counter = ChineseNames(capacity=50)
    for _ in range(3000):
        counter.add(
            "王" + chr(chance.randrange(0x4E00, 0x9FA5)) + chr(chance.randrange(0x4E00, 0x9FA5)) + "来。"
        )
        assert len(counter._forms) <= 2 * 50 + 2 and len(counter._pairs) <= 8 * 50 + 8


def test_which_counter_a_language_gets():
    assert isinstance(name_counter("zh-Hant"), ChineseNames) and isinstance(name_counter("en"), NameCounter)
