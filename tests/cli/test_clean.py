"""What may be printed. The oracle is Unicode's own table of categories, not the module's list."""

from __future__ import annotations

import json
import sys
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from longread.cli.render.clean import flowing, json_safe, one_line, printable, same_length, unbroken
from longread.cli.render.machine import dumps

# All planes that hold characters: the rest is unassigned, or private and harmless.
EVERYTHING = "".join(map(chr, (*range(0x32000), *range(0xE0000, 0xE0200), sys.maxunicode)))
BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def steers(character: str) -> bool:
    return (
        unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")
        or unicodedata.bidirectional(character) in BIDI
    ) and character != "\n"


def test_nothing_that_steers_comes_through():
    assert not [c for c in printable(EVERYTHING) if steers(c)]
    assert not [c for c in one_line(EVERYTHING) if steers(c) or c == "\n"]
    # A tab moves the cursor no further than text would, and the text as read keeps it.
    assert not [c for c in same_length(EVERYTHING) if steers(c) and c != "\t"]


def test_everything_else_does():
    for character in "aé漢 \u200f\u0301😀[bold]":
        assert character in printable(f"x{character}y")
    kept = {c for c in EVERYTHING if not steers(c)} - {*printable(EVERYTHING)}
    assert all(unicodedata.category(c) in ("Cf", "Cn") for c in kept), [hex(ord(c)) for c in kept]


def test_all_kinds_of_line_breaks_become_one():
    assert printable("a\r\nb\x0bc\x0cd\x85e\u2028f\u2029g") == "a\nb\nc\nd\ne\nf\ng"
    assert one_line("a\r\n\tb\x0c c") == "a b c"
    assert unbroken("/a  b/c\nd") == "/a  b/c d"


def test_lines_of_prose_are_joined_as_their_script_joins_them():
    assert flowing("The miller\n asked\r\neveryone.") == "The miller asked everyone."
    assert flowing("船长把灯\n藏在\u2028桥下。\n　　Tobias 问了\n人。") == "船长把灯藏在桥下。Tobias 问了人。"
    assert flowing("a\x1b[31m\nb") == "a[31m b"


@given(st.text())
def test_offsets_of_the_text_as_read_stay_true(text):
    out = same_length(text)
    assert len(out) == len(text)
    assert all(a == b for a, b in zip(text, out, strict=True) if not steers(a))


def test_json_loses_nothing_and_steers_nothing():
    apart = " ".join(EVERYTHING)  # JSON reads two surrogates side by side as one character
    line = dumps({"x": apart}, indent=None)
    assert json.loads(line) == {"x": apart}
    assert line.count("\n") == 1 and not [c for c in line if steers(c)]
    assert json_safe('"\U000e0001"') == '"\\udb40\\udc01"'
