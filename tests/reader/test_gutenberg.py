"""Boilerplate is left out and said so; the book is not touched."""

from __future__ import annotations

import time

import pytest

from longread.reader import aozora, open_document
from longread.reader.gutenberg import LIMIT, Boilerplate, strip

BOOK = "THE RIVER\n\nIt was a dark night, and the rain fell on the roof.\n\n" * 50
FIELDS = (
    "The Project Gutenberg eBook of The River\n\nTitle: The River\n       And the Sea\n\n"
    "Author: A. Writer\n\nLanguage: English\n\n"
)
LICENSE = "\n\nUpdated editions will replace the previous one.\n" + "Terms of use, section 1.\n" * 300

HEADS = [
    FIELDS + "*** START OF THE PROJECT GUTENBERG EBOOK THE RIVER ***\n\n\n",
    FIELDS + "*** START OF THIS PROJECT GUTENBERG EBOOK THE RIVER\nAND THE SEA ***\n\n",
    FIELDS + "***START OF THE PROJECT GUTENBERG EBOOK THE RIVER***\n\n",
    FIELDS + "*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*\n\n",
]
TAILS = [
    "*** END OF THE PROJECT GUTENBERG EBOOK THE RIVER ***" + LICENSE,
    "***END OF THIS PROJECT GUTENBERG EBOOK THE RIVER***" + LICENSE,
    "End of Project Gutenberg's The River\n\n*** END OF THIS PROJECT GUTENBERG EBOOK THE RIVER ***" + LICENSE,
    "End of the Project Gutenberg EBook of The River, by A. Writer\n",
    "The End of the Project Gutenberg Etext of The River\n\n",
]


def stripped(text, size):
    found = Boilerplate()
    return "".join(strip((text[at : at + size] for at in range(0, len(text), size)), found)), found


@pytest.mark.parametrize("size", [100, 977, 1 << 20])
@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("head", HEADS)
def test_headers_and_footers(head, tail, size):
    text, found = stripped(head + BOOK + "\n\n" + tail, size)
    assert text.strip() == BOOK.strip()
    assert text.startswith("THE RIVER")
    assert found.header == len(head)
    assert len(text) + found.header + found.footer == len(head + BOOK + "\n\n" + tail)
    assert found.fields["title"] == "The River And the Sea"
    assert found.fields["author"] == "A. Writer"


def test_it_is_said_in_words_and_the_fields_are_used(tmp_path):
    path = tmp_path / "pg1.txt"
    path.write_text(HEADS[0] + "Produced by Someone\nand Others\n\n\n" + BOOK + TAILS[0], encoding="utf-8")
    with open_document(path) as document:
        assert document.title == "The River And the Sea" and document.author == "A. Writer"
        assert document.left_out[0] == f"Project Gutenberg header ({len(HEADS[0])} characters)"
        assert [what.split(" (")[0] for what in document.left_out[1:]] == [
            "Project Gutenberg credits",
            "Project Gutenberg footer",
        ]
        assert "".join(document.text()).startswith("THE RIVER")


@pytest.mark.parametrize(
    "opening",
    [
        "Prepared by years of quiet grief for the worst,\nTom walked down to the river and sat\nthere.\n\n",
        "Produced by years of quiet grief, his calm was hard to bear.\n\n",
        "Transcribed by hand, the letter was long.\n\n",
    ],
)
def test_a_book_may_begin_like_credits(opening):
    assert stripped(opening + BOOK, 977) == (opening + BOOK, Boilerplate())


@pytest.mark.parametrize(
    "credits",
    [
        "\n\nProduced by D.R. Thompson\n\n\n",
        "Produced by Suzanne Shell, David Gundry,\nTonya Allen and PG Distributed Proofreaders\n\n",
        "E-text prepared by A. Person,\nB. Person,\nC. Person\n(http://www.pgdp.net)\n\n",
    ],
)
def test_credits_without_a_header_are_left_out(credits):
    text, found = stripped(credits + BOOK, 977)
    assert text == BOOK and found.credits == len(credits)


@pytest.mark.parametrize("size", [977, 1 << 20])
def test_two_books_in_one_file(size):
    text, found = stripped((HEADS[0] + BOOK + TAILS[0] + "\n\n") * 2, size)
    assert text.count("It was a dark night") == 100
    assert "Terms of use" not in text and "PROJECT GUTENBERG" not in text
    assert found.between and found.footer


def test_a_marker_in_the_middle_of_a_book_loses_nothing():
    text = (
        BOOK
        + "\nEnd of Project Gutenberg's fame was near, he said.\n\n"
        + "More of the book.\n" * (LIMIT // 10)
    )
    assert stripped(text, 5000)[0] == text


@pytest.mark.parametrize("line", ["word " * 60_000, " " * 300_000, "\t \r" * 100_000, "***" * 100_000])
def test_credits_before_an_endless_line_take_no_endless_time(line):
    text = f"Produced by A. Writer\nand Others\n\n{line}" if line.strip() else line + "x"
    credit = (
        f"Produced by A. Writer\nand Others\n{line}x" if line.strip() else "Produced by A.\n" + line + "x"
    )
    began = time.process_time()
    stripped(text, 1 << 18)
    stripped(credit, 1 << 18)
    assert time.process_time() - began < 10  # a line gone through from each of its characters takes minutes


@pytest.mark.parametrize("size", [1, 7, 5000])
def test_other_texts_are_not_touched(size):
    for text in (
        "",
        "x",
        "\n\n",
        BOOK,
        "*** A star line ***\n" + BOOK,
        "Project Gutenberg is a library.\n" * 9,
    ):
        assert stripped(text, size)[0] == text


@pytest.mark.parametrize("size", [7, 1 << 20])
def test_annotations_of_aozora_are_left_out_where_a_legend_announces_them(size):
    line = "-" * 55 + "\n"
    legend = f"{line}【テキスト中に現れる記号について】\n\n《》：ルビ\n（例）邸《やしき》\n\n{line}"
    body = "邸《やしき》の｜前《まえ》。\n［＃地から１字上げ］終り\n二行目。\n"
    plain = "邸の前。\n終り\n二行目。\n"
    found = aozora.Annotations()
    whole = "題\n" + legend + body
    pieces = (whole[at : at + size] for at in range(0, len(whole), size))
    assert "".join(aozora.strip(pieces, found)) == "題\n" + plain
    assert (found.legend, found.marks) == (len(legend), len(body) - len(plain))
    assert "".join(aozora.strip([body])) == body


def test_front_matter_of_markdown(tmp_path):
    path = tmp_path / "a.md"
    path.write_text('---\ntitle: "The Mill"\nauthor: B. Writer\n---\n\n# One\n\nText.\n', encoding="utf-8")
    with open_document(path) as document:
        assert (document.title, document.author, document.format) == ("The Mill", "B. Writer", "md")
        assert "".join(document.text()) == "# One\n\nText.\n"
        assert "front matter" in document.left_out[0]


@pytest.mark.parametrize(
    "text",
    [
        "---\n\n# One\n\nThe first part.\n\n---\n\n# Two\n\nThe second.\n",
        "---\nIt was: a dark night.\n\n---\n\nMore.\n",
        "---\n---\n\n# One\n\nText.\n",
    ],
)
def test_a_line_across_the_page_begins_no_front_matter(tmp_path, text):
    path = tmp_path / "a.md"
    path.write_text(text, encoding="utf-8")
    with open_document(path) as document:
        assert "".join(document.text()) == text and not document.left_out


def test_front_matter_may_hold_lists_and_blank_lines(tmp_path):
    path = tmp_path / "a.md"
    front = '---\n"title": The Mill\ntags:\n- a\n\n# a comment\nlang: sv\n...\n'
    path.write_text(front + "Text.\n", encoding="utf-8")
    with open_document(path) as document:
        assert "".join(document.text()) == "Text.\n" and document.language == "sv"
