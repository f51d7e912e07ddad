"""DOCX: what of a Word document is text, and what is damaged or means harm."""

from __future__ import annotations

import io
import zipfile

import pytest
from docx import Document

from longread.errors import InputError
from tests.reader import builders
from tests.reader.held import left_out, paragraphs, text_of


def rewritten(content, change):
    """The package with every member passed through ``change(name, bytes)``; None leaves it out."""
    members = {}
    with zipfile.ZipFile(io.BytesIO(content)) as source:
        for name in source.namelist():
            new = change(name, source.read(name))
            if new is not None:
                members[name] = new
    return builders.archive(members)


def saved(document):
    held = io.BytesIO()
    document.save(held)
    return held.getvalue()


def test_everything_a_document_can_hold():
    assert paragraphs("docx", builders.rich_docx()) == [
        "The Rich Book",
        "First",
        "A sentence goes on.",
        "The note.",
        "Put in.",
        "本を読む。",
        "One line\nand another there.",
        "Beside a box.",
        "In the box.",
        "cell 0 | cell 1",
        "cell 2 | cell 3",
    ]
    assert left_out("docx", builders.rich_docx()) == (
        "1 mark of a note",
        "1 deleted passage",
        "1 reading beside characters",
    )


def test_headings_by_style_by_a_style_based_on_one_and_by_level():
    document = Document()
    document.core_properties.language = "sv"
    document.add_paragraph("My Book", "Title")
    own = document.styles.add_style("Kapitel", 1)
    own.base_style = document.styles["Heading 2"]
    document.add_heading("Part", 1)
    document.add_paragraph("Chapter", "Kapitel")
    document.add_paragraph("prose")
    text = text_of("docx", saved(document))
    text.close()
    assert [(mark.title, mark.depth) for mark in text.contents] == [("Part", 1), ("Chapter", 2)]
    assert (text.fields["title"], text.fields["language"]) == ("My Book", "sv")


def test_what_python_docx_reads_is_read():
    """Another reader of the same paragraphs agrees, word for word."""
    book = builders.novella(3)
    content = builders.docx(book)
    other = [paragraph.text for paragraph in Document(io.BytesIO(content)).paragraphs]
    assert paragraphs("docx", content) == other


WHOLE = builders.rich_docx()
DOCTYPE = b'<!DOCTYPE x [<!ENTITY a "ha">]>'


def with_entities(name, content):
    return content.replace(b"?>", b"?>" + DOCTYPE, 1) if name == "word/document.xml" else content


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (WHOLE[: len(WHOLE) // 2], "damaged DOCX"),
        (rewritten(WHOLE, with_entities), "declares entities"),
        (
            rewritten(WHOLE, lambda name, old: None if name == "word/document.xml" else old),
            "no Word document",
        ),
        (
            rewritten(WHOLE, lambda name, old: old[:-9] if name == "word/document.xml" else old),
            "no Word document",
        ),
        (rewritten(WHOLE, lambda name, old: None if "Types" in name else old), "nothing of its parts"),
        (
            rewritten(WHOLE, lambda name, old: old.replace(b"wordprocessingml.document.main", b"x")),
            "no Word document",
        ),
        (rewritten(WHOLE, lambda name, old: old.replace(b"w:document", b"w:glossary")), "no Word document"),
        (rewritten(WHOLE, lambda name, old: old.replace(b"w:body", b"w:bodice")), "no Word document"),
        (builders.archive({"[Content_Types].xml": "<x/>"}), "no Word document"),
        (saved(Document()), "no text"),
    ],
)
def test_what_is_damaged_or_means_harm(content, what):
    with pytest.raises(InputError, match=what) as caught:
        text_of("docx", content)
    assert "book.docx" in caught.value.message and caught.value.hint


def test_a_bomb_is_refused_unopened():
    big = rewritten(WHOLE, lambda name, old: old + b" " * (1 << 25) if name == "word/document.xml" else old)
    with pytest.raises(InputError, match="no book does that"):
        text_of("docx", big)
