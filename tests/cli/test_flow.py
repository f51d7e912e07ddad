"""Text as it comes, in rows that end between words."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from longread.cli.render.cells import breaks, width_of
from longread.cli.render.flow import Flow

ENGLISH = (
    "The couple at the next table had ordered freshness, and more\nthan anybody could eat.\n\nSo they went.  "
)
CHINESE = "他走了，她没有走。院子里有一棵很老的树，树下坐着三个人，谁也不说话。"
LONG = "x" * 70 + " and y"


def shown(text: str, width: int, size: int) -> str:
    flow, pieces = Flow(width), []
    for at in range(0, len(text), size):
        pieces.append(flow.push(text[at : at + size]))
    return "".join(pieces) + flow.finish()


def rows(text: str, width: int) -> list[str]:
    """The same, had it come whole."""
    found = []
    for line in text.split("\n"):
        cuts = [0, *breaks(line, width), len(line)]
        found += [line[a:b].rstrip(" ") for a, b in pairwise(cuts)]
    return found


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("width", [20, 34, 100])
@pytest.mark.parametrize("text", [ENGLISH, LONG], ids=["English", "long"])
def test_it_is_what_it_would_be_had_it_come_whole(text, width, size):
    assert [row.rstrip(" ") for row in shown(text, width, size).split("\n")] == rows(text, width)


@pytest.mark.parametrize("width", [20, 21, 34])
def test_chinese_ends_where_a_row_is_full(width):
    found = shown(CHINESE, width, 1)
    assert found.replace("\n", "") == CHINESE
    assert all(width_of(row) <= width + 2 for row in found.split("\n"))  # a mark may hang over


def test_nothing_is_lost_or_added_but_line_ends():
    chance = random.Random(7)
    for _ in range(300):
        text = "".join(chance.choice("ab c\n，走x.") for _ in range(chance.randint(0, 80)))
        flow, found = Flow(chance.choice([1, 2, 5, 11])), ""
        at = 0
        while at < len(text):
            step = chance.randint(1, 6)
            found += flow.push(text[at : at + step])
            at += step
        found += flow.finish()
        assert found.replace("\n", "").replace(" ", "") == text.replace("\n", "").replace(" ", "")


@pytest.mark.parametrize("size", [1, 2, 5])
def test_no_row_reaches_beyond_the_width_with_a_space(size):
    text = "of " * 40 + "the end"
    for width in (11, 20, 23):
        assert all(len(row) <= width for row in shown(text, width, size).split("\n"))


def test_a_word_is_shown_once_it_is_whole():
    flow = Flow(20)
    assert [flow.push(piece) for piece in ("The cou", "ple", " a", "te")] == ["The", "", " couple", ""]
    assert flow.finish() == " ate"
