"""Headings and chapters: what a line says, and which lines are chapters of a book."""

from __future__ import annotations

from itertools import pairwise

import pytest

from longread.reader import headings, numerals
from longread.reader.scan import scan

PROSE = (
    "He walked along the river until the sun went down. He thought of nothing and\n" * 6 + "went home.\n\n"
)
BODY = PROSE * 8


def titles(text, markdown=False, size=None):
    pieces = [text] if size is None else [text[at : at + size] for at in range(0, len(text), size)]
    found = scan(pieces, markdown).chapters
    for before, after in pairwise(found):
        assert before.end == after.start
        assert before.start < before.body <= before.end
    if found:
        assert found[-1].end == len(text)
        assert [chapter.index for chapter in found] == list(range(len(found)))
    return [chapter.title for chapter in found]


@pytest.mark.parametrize(
    ("line", "kind", "number"),
    [
        ("CHAPTER I.", "chapter", 1),
        ("Chapter 1. The Title", "chapter", 1),
        ("CHAPTER XCIX--THE STORY ENDS.", "chapter", 99),
        ("Chapter Twenty-One: Home", "chapter", 21),
        ("BOOK XVIII", "book", 18),
        ("THE FIRST PART", "part", 1),
        ("PART THE SECOND", "part", 2),
        ("LETTER IV", "letter", 4),
        ("第十二回 名士大宴鶯脰腹", "回", 12),
        ("第一百二十回　宋公明神聚蓼儿", "回", 120),
        ("第３章", "章", 3),
        ("一", "numeral", 1),
        ("Erstes Kapitel", "kapitel", 1),
        ("Dreiundzwanzigstes Capitel: Schluß", "capitel", 23),
        ("Chapitre premier", "chapitre", 1),
        ("CHAPITRE XXX.", "chapitre", 30),
        ("Глава I", "глава", 1),
        ("ГЛАВА ДВАДЦАТЬ ПЕРВАЯ", "глава", 21),
        ("ЧАСТЬ ЧЕТВЕРТАЯ", "часть", 4),
        ("  XIV.  ", "numeral", 14),
        ("Epilogue", "named", None),
        ("楔子　张天师祈禳瘟疫", "named", None),
        ("第2章 中秋之夜", "章", 2),
        ("第6章 书生", "章", 6),
        ("第7章　完美的一天", "章", 7),
        ("Erſter Geſang.", "gesang", 1),
        ("The third ſcene", "scene", 3),
        ("Capítulo primero. Que trata de la condición del hidalgo", "capítulo", 1),
        ("CAPITULO DECIMOTERCERO", "capitulo", 13),
        ("PRIMERA PARTE", "parte", 1),
        ("CAPITOLO PRIMO", "capitolo", 1),
        ("Capitolo ventottesimo", "capitolo", 28),
        ("CAPÍTULO PRIMEIRO", "capítulo", 1),
        ("Capítulo vigésimo sétimo", "capítulo", 27),
    ],
)
def test_lines_that_are_headings(line, kind, number):
    said = headings.classify(line)
    assert (said.kind, said.number) == (kind, number)


@pytest.mark.parametrize(
    "line",
    [
        "Part of the house was dark.",
        "Letter I wrote to her yesterday.",
        "Book-keeping by double entry",
        "I went home.",
        "Chapter and verse he knew.",
        "Chapter \u0130",
        "chapter 4 of the same work says so",
        "Notes from him came every week and said little.",
        "MIX",
        "第一回書中說到此人。",
        "第一部 完",
        "第二天他回来了。",
        "",
        "   ",
    ],
)
def test_lines_that_are_none(line):
    assert headings.classify(line) is None


@pytest.mark.parametrize(
    ("line", "title"),
    [
        ("第3章 你好，世界！", "你好，世界！"),
        ("第4章 大结局（上）", "大结局（上）"),
        ("第五章　《红楼梦》", "《红楼梦》"),
        ("第一回 甄士隐梦幻识通灵 却说那日，", "甄士隐梦幻识通灵"),
        ("第一回 甄士隐梦幻识通灵。他来了。", "甄士隐梦幻识通灵"),
    ],
)
def test_a_chinese_title_that_a_space_sets_apart_is_taken_whole(line, title):
    assert headings.classify(line).rest == title


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[
            (word, 14)
            for word in ("XIV", "14", "fourteen", "vierzehntes", "quatorze", "четырнадцатая", "十四")
        ],
        *[
            (word, 22)
            for word in (
                "xxii",
                "twenty-second",
                "zweiundzwanzigstes",
                "vingt-deux",
                "двадцать вторая",
                "廿二",
                "vigésima segunda",
                "vigesimo segundo",
                "ventiduesima",
            )
        ],
        ("三百零五", 305),
        ("一二零", 120),
        ("IIX", None),
        ("river", None),
        ("", None),
    ],
)
def test_numerals(text, value):
    assert numerals.parse(text) == value


def test_roman_numerals_there_and_back():
    def write(number):
        pairs = [
            (100, "C"),
            (90, "XC"),
            (50, "L"),
            (40, "XL"),
            (10, "X"),
            (9, "IX"),
            (5, "V"),
            (4, "IV"),
            (1, "I"),
        ]
        text = ""
        for value, letters in pairs:
            text += letters * (number // value)
            number %= value
        return text

    assert [numerals.roman(write(number)) for number in range(1, 400)] == list(range(1, 400))


@pytest.mark.parametrize("size", [None, 1000, 4099])
def test_a_table_of_contents_is_no_chapter(size):
    names = [f"CHAPTER {n}. THE {n}TH DAY" for n in range(1, 13)]
    contents = "CONTENTS\n\n" + "\n\n".join(names) + "\n\n"
    text = "THE BOOK\n\nBy A. Writer\n\n" + contents + "".join(f"{name}\n\n{BODY}" for name in names)
    assert titles(text, size=size) == names


def test_contents_with_arguments_of_each_chapter():
    argument = "How he went to the river, and what he found there, and why he came back again.\n" * 3
    contents = "".join(f"  CHAPTER {n}.\n\n{argument}\n" for n in range(1, 9))
    text = "CONTENTS\n\n" + contents + "".join(f"CHAPTER {n}.\n\n{BODY * 3}" for n in range(1, 9))
    assert titles(text) == [f"CHAPTER {n}" for n in range(1, 9)]


def test_part_and_first_chapter_are_one_heading():
    text = "".join(
        f"BOOK {b}\n\n" + "".join(f"CHAPTER {c}\n\n{BODY}" for c in ("I", "II")) for b in ("ONE", "TWO")
    )
    assert titles(text) == ["BOOK ONE · CHAPTER I", "CHAPTER II", "BOOK TWO · CHAPTER I", "CHAPTER II"]


def test_numerals_alone_count_only_as_a_series_through_the_book():
    series = "".join(f"{n}\n\n{BODY}" for n in ("I", "II", "III", "IV"))
    assert titles(series) == ["I", "II", "III", "IV"]
    inside = "".join(
        f"CHAPTER {c}\n\n" + "".join(f"{n}\n\n{BODY}" for n in ("I", "II", "III")) for c in (1, 2)
    )
    assert titles(inside) == ["CHAPTER 1", "CHAPTER 2"]
    assert titles(BODY + "1904\n\n" + BODY + "III\n\n" + BODY) == []


def test_capitals_count_only_as_a_series():
    names = ["THE RIVER", "THE MILL", "THE ROAD", "THE SEA"]
    assert titles("".join(f"{name}\n\n{BODY}" for name in names)) == names
    assert titles(BODY + "STOP THIEF\n\n" + BODY) == []
    assert titles("".join(f"HAMLET\n\n{BODY}" for _ in range(6))) == []


def test_headings_inside_paragraphs_do_not_count():
    text = (
        "CHAPTER I\n\n" + BODY + "as he had read in\nChapter IV. Of the same book\nand forgotten\n\n" + BODY
    )
    assert titles(text) == ["CHAPTER I"]


def test_prologue_epilogue_and_the_end():
    text = f"PROLOGUE\n\n{BODY}CHAPTER I\n\n{BODY}CHAPTER II\n\n{BODY}EPILOGUE\n\n{BODY}THE END\n"
    assert titles(text) == ["PROLOGUE", "CHAPTER I", "CHAPTER II", "EPILOGUE"]


def test_japanese_sections():
    body = "　吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。\n" * 80
    assert titles("".join(f"{n}\n\n{body}\n" for n in "一二三四")) == list("一二三四")


def test_headings_at_the_top_of_a_page_are_found():
    pages = [f"{name}\n\n{BODY.rstrip()}\n" for name in ("CHAPTER I", "CHAPTER II", "CHAPTER III")]
    assert titles("\f".join(pages)) == ["CHAPTER I", "CHAPTER II", "CHAPTER III"]
    caps = [f"{name}\n\n{BODY.rstrip()}\n" for name in ("THE MILL", "THE RIVER", "THE SEA")]
    assert titles("\f".join(caps)) == ["THE MILL", "THE RIVER", "THE SEA"]


@pytest.mark.parametrize(
    ("code", "inside"),
    [
        ("```a``` is code", False),
        ("```python\n# no\n```", False),
        ("````\n```\n# no\n```\n````", False),
        ("```\n# no\n```b\n# no\n```", False),
        ("~~~ a`b\n# no\n~~~", False),
        ("```\n# no", True),
    ],
)
def test_a_fence_of_code_opens_and_closes_as_in_commonmark(code, inside):
    text = f"# One\n\n{BODY}\n# Two\n\n{code}\n\n# Three\n\n{BODY}"
    assert titles(text, markdown=True) == (["One", "Two"] if inside else ["One", "Two", "Three"])


def test_markdown_headings_by_depth_and_outside_code():
    code = "```\n# no heading\n```\n\n"
    text = f"# The Book\n\n## Author: A. Writer\n\n## One\n\n{code}{BODY}### Deeper\n\n{BODY}## Two\n\n{BODY}"
    assert titles(text, markdown=True) == ["One", "Two"]
    text = f"Title\n=====\n\nOne\n---\n\n{BODY}\nTwo\n---\n\n{BODY}"
    assert titles(text, markdown=True) == ["One", "Two"]
    text = "# A Book\n\n" + "".join(
        f"## Part {p}\n\n### Chapter {p}1\n\n{BODY}### Chapter {p}2\n\n{BODY}" for p in (1, 2)
    )
    assert titles(text, markdown=True) == [
        "Part 1 · Chapter 11",
        "Chapter 12",
        "Part 2 · Chapter 21",
        "Chapter 22",
    ]


def test_a_title_is_short_and_on_one_line():
    text = (
        "CHAPTER I\n\n"
        + "A VERY LONG TITLE\nTHAT GOES ON " * 4
        + "\n\n"
        + BODY
        + "CHAPTER II. \x1b[31mRED\n\n"
        + BODY
    )
    first, second = titles(text)
    assert len(first) <= 120 and "\n" not in first and first.startswith("CHAPTER I. A VERY LONG")
    assert "\x1b" not in second


def test_pieces_make_no_difference():
    text = "".join(f"CHAPTER {n}\n\nTHE {n}TH TITLE\n\n{BODY}" for n in range(1, 15))
    whole = scan([text])
    for size in (997, 5000):
        pieces = scan([text[at : at + size] for at in range(0, len(text), size)])
        assert pieces.chapters == whole.chapters
        assert (pieces.words, pieces.sha256, pieces.characters) == (
            whole.words,
            whole.sha256,
            whole.characters,
        )
