"""PDF: lines to paragraphs, running heads, hyphens, the outline, and files that are damaged."""

from __future__ import annotations

import io

import pytest
from reportlab.lib import pdfencrypt
from reportlab.pdfgen import canvas

from longread.errors import InputError, UnsupportedError
from longread.reader.formats import pdf
from longread.reader.formats.pdf_layout import Joiner, bare
from longread.reader.formats.pdf_pages import Line
from tests.reader import builders
from tests.reader.held import paragraphs, text_of

WIDTH = 60


def sheet(*rows, top=700.0, size=10.0):
    """Lines of a page: text, or (text, indent), or None for a gap. A line is as wide as its letters."""
    lines, base = [], top
    for row in rows:
        if row is not None:
            text, indent = row if isinstance(row, tuple) else (row, 0)
            left = 50.0 + indent
            lines.append(Line(text, left, left + 5.0 * len(text), base, size))
        base -= 12.0
    return lines


def joined(*pages):
    joiner = Joiner()
    found = [part.text for page in bare(pages) for part in joiner.page(page, {})]
    return found + [part.text for part in joiner.close()]


def wide(words):
    return (words + " ").ljust(WIDTH, "x")


def test_lines_are_joined_and_indents_begin_paragraphs():
    page = sheet(
        (wide("First"), 15), wide("goes on"), "and ends here.", (wide("Second"), 15), wide("goes on")
    )
    assert [text.split()[0] for text in joined(page)] == ["First", "Second"]


def test_gaps_begin_paragraphs():
    assert len(joined(sheet(wide("a"), wide("b"), None, wide("c"), wide("d")))) == 2


def test_hyphens_at_line_ends_go_unless_the_word_is_written_with_one():
    page = sheet(
        wide("He was a well-known man"), wide("who had") + "under-", "stood the well-", wide("known thing")
    )
    text = " ".join(joined(page))
    assert "understood" in text and "well-known thing" in text
    assert "Jean-Paul" in joined(sheet(wide("It was") + " Jean-", wide("Paul who came")))[0]


def test_verse_keeps_its_lines():
    page = sheet(
        wide("Prose that is as wide as the page"),
        wide("and goes on and ends"),
        None,
        "Tiger, tiger,",
        "burning bright",
    )
    assert joined(page)[-1] == "Tiger, tiger,\nburning bright"


def test_a_paragraph_goes_on_over_the_page():
    first = sheet((wide("One"), 15), wide("two"))
    second = sheet(wide("three"), (wide("Four"), 15), wide("five"))
    assert len(joined(first, second)) == 2


def test_columns_have_their_own_margins():
    def column(indent, *rows):
        return [(row, indent) if isinstance(row, str) else (row[0], row[1] + indent) for row in rows]

    left = column(0, wide("One"), wide("two"), wide("three"), (wide("Four"), 15), wide("five"), wide("six"))
    right = column(320, wide("seven"), "eight.", (wide("Nine"), 15), wide("ten"), wide("eleven"), "twelve")
    title = sheet(
        ("A title that is as wide as the page is, over both of its columns " + "x" * 60, 0), top=740
    )
    below = sheet(*column(0, wide("thirteen"), wide("fourteen"), "fifteen."), top=600)
    after = sheet(*column(320, (wide("Sixteen"), 15), wide("seventeen")), top=600)
    parts = joined(title + sheet(*left) + sheet(*right) + below + after)
    words = [[word for word in part.split() if word.strip("x")] for part in parts]
    assert [part[0] for part in words] == ["A", "One", "Four", "Nine", "thirteen", "Sixteen"]
    assert words[2] == "Four five six seven eight.".split()
    assert not any("\n" in part for part in parts)


def test_running_heads_and_page_numbers_are_told_from_chapters():
    pages = []
    for number in range(1, 11):
        head = "THE BOOK" if number % 2 else "CHAPTER ONE"
        rows = [
            (head, 100),
            None,
            *([("III", 120), None] if number == 4 else []),
            wide(f"text {number}"),
            wide("more"),
        ]
        pages.append(sheet(*rows, None, None, (str(number + 6), 130)))
    whole = "\n".join(joined(*pages))
    assert "THE BOOK" not in whole and "CHAPTER ONE" not in whole and "III" in whole
    assert not [number for number in range(7, 17) if f"\n{number}\n" in f"\n{whole}\n"]


def test_running_heads_that_are_titles_stay_where_they_are_titles():
    pages = [sheet("THE BOOK", None, wide("a"), wide("b"), top=600)]
    pages += [sheet("THE BOOK", None, wide("c"), wide("d")) for _ in range(5)]
    assert "\n".join(joined(*pages)).count("THE BOOK") == 1


def test_a_page_where_no_two_lines_begin_alike_is_read():
    assert len(joined(sheet(*((wide(f"line {number}"), 3 * number) for number in range(12))))) >= 1


def test_lines_of_a_hundred_thousand_letters_take_no_time():
    assert len(joined(sheet("A" * 100_000, "b" * 100_000, "." * 100_000, "c" * 100_000 + "-", "d"))) >= 1


def test_chinese_lines_join_without_spaces():
    lines = [Line("他沿着河走了很久很久很久很久很久" * 2, 50, 400, 700 - 12 * n, 10) for n in range(3)]
    assert " " not in joined(lines)[0]


def drawn(*texts, **options):
    held = io.BytesIO()
    page = canvas.Canvas(held, invariant=1, **options)
    for text in texts:
        page.drawString(72, 700, text)
        page.showPage()
    page.save()
    return held.getvalue()


WHOLE = builders.pdf(builders.novella(1))


def test_the_outline_is_the_contents():
    text = text_of("pdf", builders.pdf(builders.novella(3)))
    whole = "".join(text.pieces())
    text.close()
    assert [whole[mark.start : mark.body] for mark in text.contents] == [mark.title for mark in text.contents]
    assert len(text.contents) == 3 and text.fields["title"] == "The Mud Book"


def test_a_password_and_pictures_are_said_to_be_such():
    with pytest.raises(UnsupportedError, match="password"):
        text_of("pdf", drawn("secret", encrypt=pdfencrypt.StandardEncryption("user", "owner")))
    with pytest.raises(UnsupportedError, match="pictures") as caught:
        text_of("pdf", drawn(""))
    assert "ocrmypdf" in caught.value.hint
    assert paragraphs("pdf", drawn("open", encrypt=pdfencrypt.StandardEncryption("", "owner"))) == ["open"]


@pytest.mark.parametrize(
    "content",
    [
        b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + bytes(99),
        WHOLE[:200],
        drawn("x").replace(b"/Type /Pages", b"/Type /Pagan"),
        drawn("x").replace(b"/Kids [", b"/Kids [ 99 0 R "),
    ],
)
def test_damage_is_one_error_or_none(content):
    try:
        assert paragraphs("pdf", content)
    except InputError as error:
        assert "book.pdf is a damaged PDF" in error.message and error.hint


def test_a_broken_list_of_places_is_mended():
    broken = WHOLE[: WHOLE.rfind(b"startxref")] + b"startxref\n7\n%%EOF"
    assert paragraphs("pdf", broken) == paragraphs("pdf", WHOLE)


def test_absurd_numbers_of_pages_are_refused_or_not_believed(monkeypatch):
    assert paragraphs("pdf", drawn("x").replace(b"/Count 1", b"/Count 2147483647")) == ["x"]
    monkeypatch.setattr("longread.reader.formats.pdf_pages.PAGES", 3)
    with pytest.raises(InputError, match="claims 4 pages"):
        text_of("pdf", drawn(*"abcd"))


def test_a_title_that_is_no_text_is_none():
    content = drawn("words").replace(b"/Title (untitled)", b"/Title <FEFFD800>")
    assert b"FEFFD800" in content
    text = text_of("pdf", content)
    assert (text.fields.get("title", ""), "".join(text.pieces()).strip()) == ("", "words")
    text.close()


@pytest.mark.parametrize(
    ("name", "head", "is_pdf"),
    [
        ("a.txt", b"%PDF-1.7\n", True),
        ("a.txt", b"A file that begins with %PDF-1.7 is a PDF.\n", False),
        ("a.md", b"# Notes\n\n%PDF-1.7 is how it begins.\n", False),
        ("a.pdf", b"X-Mailer: none\n\n%PDF-1.7\n1 0 obj\n", True),
        ("-", b"X-Mailer: none\n\n%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n" + b"words " * 60, True),
        ("-", b"\0\1\2\3\n%PDF-1.7\n1 0 obj\n", True),
    ],
)
def test_a_text_that_speaks_of_a_pdf_is_none(name, head, is_pdf):
    assert pdf.recognises(name, head) == is_pdf


def test_lost_pages_are_told():
    text = text_of("pdf", drawn(*"abcde", "", "", "", ""))
    text.close()
    assert text.notes == ("4 of 9 pages hold no text (blank, or pictures)",)
