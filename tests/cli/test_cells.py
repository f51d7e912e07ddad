"""Where rows end: never before a comma, and as Rich ends them where there are spaces."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from longread.cli.render.answers import Line, on_terminal
from longread.cli.render.cells import breaks, width_of


def rows(text: str, width: int) -> list[str]:
    return [text[low:high] for low, high in pairwise([0, *breaks(text, width), len(text)])]


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("他说，那就发吧。", 4, ["他", "说，", "那就", "发", "吧。"]),
        ("他说“那就发吧”。", 7, ["他说“那", "就发", "吧”。"]),
        ("一二三——四", 6, ["一二", "三——四"]),
        ("见到274次列车", 8, ["见到274", "次列车"]),
        ("a longer word", 8, ["a longer ", "word"]),
        ("unbreakable", 4, ["unbr", "eaka", "ble"]),
        ("字", 1, ["字"]),
        ("", 10, [""]),
    ],
)
def test_where_rows_end(text, width, expected):
    assert rows(text, width) == expected


@given(st.text("ab 字，“”。\u0301é", max_size=60), st.integers(2, 30))
def test_nothing_is_lost_and_nothing_is_too_wide(text, width):
    found = rows(text, width)
    assert "".join(found) == text
    assert all(width_of(row.rstrip()) <= width for row in found)


@given(st.lists(st.text("abcdefgh", min_size=1, max_size=12), min_size=1, max_size=30), st.integers(12, 50))
def test_words_are_wrapped_as_rich_wraps_them(words, width):
    text = " ".join(words)
    told = [row.plain.rstrip() for row in Text(text).wrap(Console(width=width), width)]
    assert [row.rstrip() for row in rows(text, width)] == told


def test_a_styled_heading_is_wrapped_the_same_way(capsys):
    line = Line("第五章　" + "正月初七，" * 5, "heading", "57%")
    on_terminal([line], Console(width=20, force_terminal=True, color_system=None), 20)
    shown = capsys.readouterr().out
    assert "\n，" not in shown and "正月初七，" in shown and "(57%)" in shown
