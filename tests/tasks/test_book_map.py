"""The map of the book as a page: complete, well formed, and deaf to what the book says."""

from __future__ import annotations

import math
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from longread.tasks import book_map
from longread.tasks.shelf import account
from tests.kept import CHARACTERS, ask, keep

VOID = {"meta", "br", "hr", "img", "link", "input"}
HOSTILE = '</title><script>alert(1)</script><img src=x onerror="a()">\x1b[31m\u202e&amp;\x00\ud800\'"`'


class Page(HTMLParser):
    """Checks that tags nest, and collects them and the text."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict]] = []
        self.text: list[str] = []
        self.feed(source)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text.append(data)

    def all(self, tag: str, cls: str = "") -> list[dict]:
        return [a for name, a in self.tags if name == tag and (not cls or a.get("class") == cls)]


def drawn(**rest) -> tuple[str, Page]:
    asked = rest.pop("asked", ())
    made = keep(**rest)
    if asked:
        ask(made, *asked)
    source = book_map.page(account(made))
    return source, Page(source)


def test_it_says_in_words_all_that_it_draws():
    asked = [{"question": "Who dug?", "evidence": [{"start": 600, "end": 650, "share": 0.65}]},
             {"question": "Why?", "evidence": []}]  # fmt: skip
    _, page = drawn(bits=(6.0, 5.0), without=(math.nan, 6.0), read=500, asked=asked)
    text = " ".join(" ".join(page.text).split())
    for words in (
        "The Mud Book", "A. Writer", "50% of the book, not finished", "202 tokens",
        "between 5.00 and 6.00 bits a token", "read: 0% to 50%", "evidence: 1 place, for 2 questions",
        "Who dug? evidence at 60%", "Why? no evidence found", "1 One 0% 100% 5.50", "2 Two 50% 0% not read 1",
        f"{2**5.5:.2f}", f"{2**5.0:.2f} with the adapter, {2**6.0:.2f} without",
    ):  # fmt: skip
        assert words in text, words
    assert len(page.all("line", "evidence")) == 1 and len(page.all("line", "border")) == 2


def test_the_curve_goes_through_the_figures():
    """Back from the page's own units to bits a token."""
    _, page = drawn(bits=(6.0, 3.0, 4.5, 4.5))
    path = page.all("path", "curve")[0]["d"]
    points = [tuple(map(float, pair)) for pair in re.findall(r"([\d.]+) ([\d.]+)", path)]
    assert [x for x, _ in points] == sorted(x for x, _ in points) and points[-1][0] == book_map.FINE
    heights = dict(points[::2])  # each piece's left end
    top, bottom = min(heights.values()), max(heights.values())

    def bits(x: int) -> float:
        return 6.0 - 3.0 * (heights[x] - top) / (bottom - top)

    quarter = book_map.FINE // 4
    for at, wanted in enumerate((6.0, 3.0, 4.5, 4.5)):
        assert bits(at * quarter + quarter // 2) == pytest.approx(wanted, abs=0.02)


def test_it_needs_nothing_from_elsewhere_and_runs_nothing():
    source, page = drawn()
    assert not re.search(r"https?:|//\w|@import|url\(", source.replace("<!doctype html>", ""))
    assert not {"script", "link", "iframe", "object", "img", "base", "form"} & {tag for tag, _ in page.tags}
    names = {name for _, attributes in page.tags for name in attributes}
    assert not {name for name in names if name.startswith("on") or name in ("src", "href", "srcset")}
    policy = next(a["content"] for a in page.all("meta") if a.get("http-equiv"))
    assert "default-src 'none'" in policy


def test_titles_questions_and_names_are_text_and_nothing_else():
    source, page = drawn(
        text={"title": HOSTILE, "author": HOSTILE, "language": "en", "characters": CHARACTERS},
        chapters=[[HOSTILE, 0, CHARACTERS]],
        model={"name": HOSTILE, "parameters": 1, "weights": HOSTILE},
        asked=[{"question": HOSTILE, "evidence": [{"start": 1, "end": 2}]}],
    )
    assert not page.all("script") and not page.all("img")
    assert (
        "".join(page.text).count("<script>alert(1)</script>") == 6
    )  # <title>, <h1>, author, model, chapter, question
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", source)
    source.encode("utf-8")


@pytest.mark.parametrize("code", ['en" onload="x', "<b>", "", 7])
def test_a_language_that_is_none_breaks_nothing(code):
    made = keep(text={"title": "T", "language": code, "characters": CHARACTERS})
    Page(book_map.page(account(made)))


def test_language_and_direction_are_set():
    _, page = drawn(title="دفتر", text={"title": "دفتر", "language": "fa", "characters": CHARACTERS})
    assert page.all("html")[0] == {"lang": "en", "dir": "ltr"}
    assert page.all("h1")[0] == {"lang": "fa", "dir": "rtl"}


def test_dark_light_paper_and_no_colour():
    source, page = drawn()
    assert "prefers-color-scheme: dark" in source and "@media print" in source
    # Every picture has a name; what it shows stands beside it in words (see the first test).
    assert all(a["role"] == "img" and a["aria-label"] for a in page.all("svg"))


@pytest.mark.parametrize(
    "rest",
    [
        {"saved": ""},
        {"read": 0, "bits": (5.0,), "without": (math.nan,)},
        {"bits": (math.nan, 5.0), "without": (math.nan, math.nan)},
        {"chapters": []},
        {"chapters": [["a", 0, 0], ["b", 900, 5000], "c", ["d", "e", 1], ["f", -1, 5], ["g", 2**80, 2**81]]},
        {"text": {"title": "", "characters": 0}},
        {"text": 5, "model": [], "memory": None, "part": "x", "created": "yesterday", "chapters": 3},
        {"asked": ["not json", {"question": 3, "evidence": []}, {"evidence": [{}]}, "[" * 100_000, "null"]},
        {"asked": [{"question": "q", "evidence": [{"start": 10**30, "end": 1}]}]},
    ],
)
def test_what_is_missing_or_wrong_leaves_a_page(rest):
    drawn(**rest)


def test_a_book_of_a_thousand_chapters_is_one_page_of_modest_size():
    chapters = [[f"Chapter {at}", at, at + 1] for at in range(CHARACTERS)]
    source, _ = drawn(chapters=chapters)
    assert len(source) < 400_000


def test_the_style_is_a_file_of_the_package():
    assert (Path(book_map.__file__).parent / "book_map.css").is_file()
