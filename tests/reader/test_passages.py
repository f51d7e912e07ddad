"""Passages, parts and blocks: every character has one place, and it is the right one."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from longread.errors import UsageError
from longread.reader import files, open_document
from longread.reader.blocks import blocks, cut
from longread.reader.part import part
from longread.reader.passages import LONGEST

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def opened(folder, text, name="book.txt"):
    path = folder / name
    path.write_bytes(text.encode())
    return open_document(path, encoding="utf-8")


def check(document, start=0, end=None):
    """The invariants of ``passages``, against the whole text in one piece."""
    text = "".join(document.text())
    end = len(text) if end is None else end
    last = start
    for passage in document.passages(start, end):
        assert text[passage.start : passage.end] == passage.text == passage.text.strip()
        assert passage.text and len(passage.text) <= LONGEST
        assert last <= passage.start and passage.end <= end
        assert not text[last : passage.start].strip()
        assert passage.chapter == document.chapter_at(passage.start)
        assert passage.chapter == document.chapter_at(passage.end - 1)
        assert passage.share == passage.end / len(text)
        last = passage.end
    assert not text[last:end].strip()


@given(
    st.lists(
        st.sampled_from(
            [
                "\n",
                "\n\n",
                " ",
                "word",
                "A sentence. ",
                "CHAPTER I\n\n",
                "CHAPTER II. The Tall One\n\n",
                "漢字。",
                "　",
            ]
        ),
        max_size=60,
    ),
    st.integers(1, 9),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
def test_every_character_has_its_place(tmp_path, words, size):
    text = "x" + "".join(words)
    before = files.CHUNK
    files.CHUNK = size
    try:
        with opened(tmp_path, text) as document:
            check(document)
            check(document, len(text) // 3, len(text) * 2 // 3 + 1)
    finally:
        files.CHUNK = before


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared data folder is not here")
@pytest.mark.parametrize(
    "name",
    [
        "books/en/36483.txt",
        "books/zh/老殘遊記.txt",
        "books/other/de-verne-20000.txt",
        "formats/untertan_cp1252.txt",
    ],
)
def test_books(name):
    with open_document(DATA / name) as document:
        check(document)
        headings = [passage for passage in document.passages() if passage.heading]
        starts = {chapter.start for chapter in document.chapters}
        assert starts <= {passage.start for passage in headings}


def test_paragraphs_of_a_wrapped_text(tmp_path):
    text = "One line\nand another.\n\n  Second,\n  indented.\n \nThird."
    with opened(tmp_path, text) as document:
        assert [p.text for p in document.passages()] == [
            "One line\nand another.",
            "Second,\n  indented.",
            "Third.",
        ]


def test_every_line_is_a_paragraph_where_lines_end_as_sentences_do(tmp_path):
    lines = [f"第{i}句，这是一个很长很长很长很长很长很长很长很长的句子。" for i in range(10)]
    with opened(tmp_path, "\n".join(lines)) as document:
        assert document.layout == "lines"
        assert [p.text for p in document.passages()] == lines


@pytest.mark.parametrize("sentence", ["This is a sentence with words. ", "这是一句话。", "x"])
def test_a_gigantic_paragraph_is_cut(tmp_path, sentence):
    text = sentence * (100_000 // len(sentence))
    with opened(tmp_path, text) as document:
        check(document)
        found = list(document.passages())
        assert len(found) < 12
        assert all(p.text.endswith(sentence.strip()) for p in found)


def test_heading_and_title_on_two_lines_and_in_one_with_prose(tmp_path):
    prose = "It was a dark night, and the rain fell on the roof.\n\n" * 40
    text = f"CHAPTER I\n\nTHE STORM\n\n{prose}CHAPTER II\n\nTHE CALM\n\n{prose}"
    with opened(tmp_path, text) as document:
        assert [c.title for c in document.chapters] == ["CHAPTER I. THE STORM", "CHAPTER II. THE CALM"]
        found = [p.text for p in document.passages() if p.heading]
        assert found == ["CHAPTER I", "THE STORM", "CHAPTER II", "THE CALM"]
    line = "第{}回土不制水歷年成患風能鼓浪到處可危話說山東登州府東門外有一座大山，名叫蓬萊山。\n"
    body = "山上有個閣子，名叫蓬萊閣，這閣造得畫棟飛雲，珠簾捲雨，十分壯麗。\n" * 60
    with opened(tmp_path, "".join(line.format(n) + body for n in "一二三"), "zh.txt") as document:
        check(document)
        assert len(document.chapters) == 3
        heading = next(p for p in document.passages(document.chapters[1].start) if p.heading)
        assert heading.text == "第二回土不制水歷年成患風能鼓浪到處可危"


def book(folder, chapters=5):
    prose = "A short sentence that says little.\n\n" * 30
    return opened(folder, "".join(f"Chapter {n}. Number {n}\n\n{prose}" for n in range(1, chapters + 1)))


@pytest.mark.parametrize(
    ("wish", "first", "last"), [("2-3", 2, 3), ("4", 4, 4), ("3-", 3, 5), ("-2", 1, 2), (" 1–5 ", 1, 5)]
)
def test_parts_by_chapter(tmp_path, wish, first, last):
    with book(tmp_path) as document:
        start, end = part(document, wish)
        text = "".join(document.text(start, end))
        assert text.startswith(f"Chapter {first}.")
        assert f"Chapter {last}." in text and f"Chapter {last + 1}." not in text


def test_parts_by_share_meet_at_paragraphs(tmp_path):
    with book(tmp_path) as document:
        spans = [part(document, f"{low}%-{low + 10}%") for low in range(0, 100, 10)]
        assert spans[0][0] == 0 and spans[-1][1] == document.characters
        assert all(before[1] == after[0] for before, after in pairwise(spans))
        text = "".join(document.text())
        assert all(text[start - 1] == "\n" for start, _ in spans[1:])
        assert part(document, "50%-") == (part(document, "50%-60%")[0], document.characters)


@pytest.mark.parametrize(
    "wish", ["0", "6", "3-9", "4-2", "x", "", "-", "50%-40%", "10%-200%", "5%", "1-2-3", "3-50%"]
)
def test_a_part_that_is_not_there_names_what_is(tmp_path, wish):
    with book(tmp_path) as document, pytest.raises(UsageError) as caught:
        part(document, wish)
    assert "chapters 1 to 5" in caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "".join(f"Zeile {n} ist ein Absatz für sich und recht lang.\n" for n in range(60)),
        "\n\n".join(f"Zeile {n} steht\nin einem Absatz\nvon dreien." for n in range(60)),
        " ".join(f"word{n}" for n in range(6000)),
    ],
    ids=["lines", "wrapped", "one line"],
)
def test_a_part_begins_with_a_paragraph_or_at_least_a_word(tmp_path, text):
    (tmp_path / "b.txt").write_text(text, encoding="utf-8")
    with open_document(str(tmp_path / "b.txt")) as document:
        whole = "".join(document.text())
        for percent in range(1, 98):
            start, _ = part(document, f"{percent}%-")
            assert whole[start - 1].isspace() and not whole[start].isspace(), percent


def test_a_part_of_a_book_without_chapters(tmp_path):
    with (
        opened(tmp_path, "Only prose here. " * 50) as document,
        pytest.raises(UsageError, match="no chapters"),
    ):
        part(document, "2")


class Words:
    """An encoder whose tokens are words with the space after them; arrays of uneven length."""

    def stream(self, pieces):
        text = "".join(pieces)
        starts = [i for i in range(len(text)) if i == 0 or (text[i - 1].isspace() and not text[i].isspace())]
        rng = random.Random(len(text))
        while starts:
            count = rng.randint(0, 40)
            yield np.arange(min(count, len(starts))), np.array(starts[:count], np.int64)
            starts = starts[count:]


@pytest.mark.parametrize("size", [1, 7, 64, 10_000])
@pytest.mark.parametrize("span", [(0, None), (100, 3000)])
def test_blocks_join_without_gaps(tmp_path, size, span):
    with book(tmp_path) as document:
        text = "".join(document.text())
        start, end = span[0], len(text) if span[1] is None else span[1]
        found = list(blocks(document, Words(), size, start=span[0], end=span[1]))
        assert [len(block) for block in found[:-1]] == [size] * (len(found) - 1)
        assert 0 < len(found[-1]) <= size
        assert [block.index for block in found] == list(range(len(found)))
        assert "".join(text[block.start : block.end] for block in found) == text[start:end]
        expected = np.concatenate([starts for _, starts in Words().stream([text[start:end]])]) + start
        assert np.array_equal(np.concatenate([block.starts for block in found]), expected)
        for block in found:
            assert block.ids.dtype == block.starts.dtype == np.int64
            assert block.start <= block.starts[0] and block.starts[-1] < block.end
            assert block.share == block.end / len(text)
            assert block.chapter == document.chapter_at(block.start)


def test_no_tokens_no_blocks(tmp_path):
    class Nothing:
        def stream(self, pieces):
            return iter([(np.array([], np.int64), np.array([], np.int64))])

    with book(tmp_path) as document:
        assert list(blocks(document, Nothing(), 8)) == []
        with pytest.raises(ValueError, match="at least one"):
            list(blocks(document, Nothing(), 0))


@given(st.lists(st.integers(0, 9), max_size=30), st.integers(1, 12))
def test_cut_regroups(lengths, size):
    total = sum(lengths)
    edges = np.cumsum([0, *lengths])
    stream = [(np.arange(a, b), np.arange(a, b) * 2) for a, b in pairwise(edges)]
    found = list(cut(stream, size))
    assert [len(ids) for ids, _ in found] == [size] * (total // size) + (
        [total % size] if total % size else []
    )
    assert [value for ids, _ in found for value in ids] == list(range(total))
    assert all(np.array_equal(starts, ids * 2) for ids, starts in found)
