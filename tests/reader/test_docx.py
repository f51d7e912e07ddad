"""DOCX: what of a Word document is text, and what is damaged or means harm."""

from __future__ import annotations

import io
import zipfile

import pytest
from docx import Document
from docx.oxml import parse_xml

from longread.errors import InputError, UnsupportedError
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


WORD = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
BOX = "<w:pict><w:txbxContent><w:p><w:r><w:t>In the box.</w:t></w:r></w:p></w:txbxContent></w:pict>"


def holding(*inner):
    """A document with a paragraph of each."""
    document = Document()
    for words in inner:
        document.element.body.insert_element_before(parse_xml(f"<w:p {WORD}>{words}</w:p>"), "w:sectPr")
    return document


def test_a_level_makes_a_heading_and_lines_of_contents_are_left_out():
    document = holding('<w:pPr><w:outlineLvl w:val="0"/></w:pPr><w:r><w:t>One</w:t></w:r>')
    document.styles.add_style("toc 1", 1)
    document.add_paragraph("One .... 7", "toc 1")
    document.add_paragraph("prose")
    text = text_of("docx", saved(document))
    text.close()
    assert [(mark.title, mark.depth) for mark in text.contents] == [("One", 1)]
    assert paragraphs("docx", saved(document)) == ["One", "prose"]
    assert left_out("docx", saved(document)) == ("1 line of contents",)


def test_a_box_that_is_there_for_new_and_old_programs_is_read_once():
    space = 'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    both = f'<mc:Choice Requires="wps">{BOX}</mc:Choice><mc:Fallback>{BOX}</mc:Fallback>'
    words = f"<w:r><w:t>Beside it.</w:t><mc:AlternateContent {space}>{both}</mc:AlternateContent></w:r>"
    assert paragraphs("docx", saved(holding(words))) == ["Beside it.", "In the box."]


def test_a_drop_cap_belongs_to_its_paragraph():
    cap = '<w:pPr><w:framePr w:dropCap="drop" w:lines="3"/></w:pPr><w:r><w:t>{}</w:t></w:r>'
    frame = '<w:pPr><w:framePr w:w="9"/></w:pPr><w:r><w:t>Framed.</w:t></w:r>'
    rest = "<w:r><w:t>{}</w:t></w:r>"
    document = holding(
        cap.format("T"), rest.format("he cat sat."), frame, rest.format("Then."), cap.format("I")
    )
    assert paragraphs("docx", saved(document)) == ["The cat sat.", "Framed.", "Then.", "I"]


def test_greek_of_the_font_symbol_is_read_and_other_signs_are_counted():
    signs = [
        ("Symbol", "F061"),
        ("Symbol", "0057"),
        ("Symbol", "F0A9"),
        ("Wingdings", "F061"),
        ("Symbol", "x"),
    ]
    words = "".join(f'<w:r><w:sym w:font="{font}" w:char="{char}"/></w:r>' for font, char in signs)
    content = saved(holding(f"<w:r><w:t>a </w:t></w:r>{words}<w:r><w:t> b</w:t></w:r>"))
    assert paragraphs("docx", content) == ["a αΩ b"]
    assert left_out("docx", content) == ("3 signs of fonts of signs",)


def test_cells_in_content_controls_are_cells():
    def cell(*texts):
        return f"<w:tc>{''.join(f'<w:p>{words(text)}</w:p>' for text in texts)}</w:tc>"

    def controlled(inner):
        return f"<w:sdt><w:sdtPr/><w:sdtContent>{inner}</w:sdtContent></w:sdt>"

    rows = (cell("a") + controlled(cell("b")), controlled(cell("c", "d")) + cell("e"))
    document = Document()
    table = parse_xml(f"<w:tbl {WORD}>{''.join(f'<w:tr>{row}</w:tr>' for row in rows)}</w:tbl>")
    document.element.body.insert_element_before(table, "w:sectPr")
    assert paragraphs("docx", saved(document)) == ["a | b", "c", "d", "e"]


def test_embedded_documents_are_said_to_be_left_out():
    for count in (1, 0):
        document = holding(*[words("One.")] * count)
        document.element.body.insert_element_before(parse_xml(f'<w:altChunk {WORD} w:id="x"/>'), "w:sectPr")
        content = saved(document)
        if count:
            assert left_out("docx", content) == ("1 embedded document",)
            assert paragraphs("docx", content) == ["One."]
        else:
            with pytest.raises(UnsupportedError, match="nothing but embedded documents") as caught:
                text_of("docx", content)
            assert "save it anew" in caught.value.hint


def test_a_note_may_say_that_it_is_a_normal_one():
    def normal(name, old):
        return (
            old.replace(b'w:id="2"><w:p>', b'w:type="normal" w:id="2"><w:p>') if "footnotes" in name else old
        )

    content = rewritten(builders.rich_docx(), normal)
    assert content != builders.rich_docx() and "The note." in paragraphs("docx", content)


def test_hidden_words_are_left_out_and_counted():
    def hidden(inner, said="<w:vanish/>"):
        return f"<w:r><w:rPr>{said}</w:rPr>{inner}</w:r>"

    field = (
        hidden('<w:fldChar w:fldCharType="begin"/>')
        + words("XE")
        + hidden('<w:fldChar w:fldCharType="end"/>')
    )
    parts = [
        words("a ") + hidden("<w:t>b</w:t><w:tab/>") + hidden("<w:t>c</w:t>", '<w:vanish w:val="0"/>'),
        field + words("d") + hidden("<w:t> </w:t><w:br/>"),
    ]
    content = saved(holding(*parts))
    assert paragraphs("docx", content) == ["a c", "d"]
    assert left_out("docx", content) == ("1 passage that is not shown",)


def test_words_in_a_hidden_style_are_left_out_and_counted():
    """As translation tools mark segments (tw4winMark): the style says it, or the one that it is based on."""
    document = holding(
        '<w:r><w:rPr><w:rStyle w:val="mark"/></w:rPr><w:t>{0&gt;</w:t></w:r>' + words("shown"),
        '<w:r><w:rPr><w:rStyle w:val="mark"/><w:vanish w:val="0"/></w:rPr><w:t>too</w:t></w:r>',
        '<w:pPr><w:pStyle w:val="aside"/></w:pPr>' + words("not this"),
    )
    for own, kind, inner in [
        ("mark", "character", '<w:basedOn w:val="base"/>'),
        ("base", "character", "<w:rPr><w:vanish/></w:rPr>"),
        ("aside", "paragraph", "<w:rPr><w:vanish/></w:rPr>"),
    ]:
        style = f'<w:style {WORD} w:type="{kind}" w:styleId="{own}"><w:name w:val="{own}"/>{inner}</w:style>'
        document.styles.element.append(parse_xml(style))
    content = saved(document)
    assert paragraphs("docx", content) == ["shown", "too"]
    assert left_out("docx", content) == ("2 passages that are not shown",)


def turn(kind):
    return f'<w:r><w:fldChar w:fldCharType="{kind}"/></w:r>'


def words(text):
    return f'<w:r><w:t xml:space="preserve">{text}</w:t></w:r>'


def test_what_a_field_shows_is_read_once_and_its_code_is_not():
    code = '<w:r><w:instrText> HYPERLINK "http://example.org/" </w:instrText></w:r>'
    inner = turn("begin") + code + turn("separate") + words("a.html") + turn("end")
    after = words(" there.")
    link = turn("begin") + code + turn("separate") + words("the site") + turn("end")
    entry = turn("begin") + "<w:r><w:instrText>XE </w:instrText></w:r>" + words("gone") + turn("end")
    nested = turn("begin") + code + inner + turn("separate") + words("the site") + turn("end")
    whole = "<w:r>" + (link + after).replace("<w:r>", "").replace("</w:r>", "") + "</w:r>"
    content = saved(holding(*(words("See ") + part for part in (link + after, nested + after, entry, whole))))
    assert paragraphs("docx", content) == [
        "See the site there.",
        "See the site there.",
        "See",
        "See the site there.",
    ]


def test_a_field_that_is_torn_takes_no_words_with_it():
    torn = [
        words("a ") + turn("begin") + words("b"),
        turn("end") + words("c ") + turn("separate") + words("d"),
        turn("begin") + turn("begin") + words("e ") + turn("sideways") + words("f"),
    ]
    row = "".join(
        f"<w:tc><w:p>{part}</w:p></w:tc>" for part in (turn("begin") + words("g"), turn("end") + words("h"))
    )
    document = holding(*torn)
    table = parse_xml(f"<w:tbl {WORD}><w:tr>{row}</w:tr></w:tbl>")
    document.element.body.insert_element_before(table, "w:sectPr")
    assert paragraphs("docx", saved(document)) == ["a b", "c d", "e f", "g | h"]


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


def test_many_parts_are_refused_unopened(monkeypatch):
    monkeypatch.setattr("longread.reader.formats.docx.WHOLE", 10_000)
    with pytest.raises(InputError, match="no book does that"):
        text_of("docx", WHOLE)


def test_a_bomb_is_refused_unopened():
    big = rewritten(WHOLE, lambda name, old: old + b" " * (1 << 25) if name == "word/document.xml" else old)
    with pytest.raises(InputError, match="no book does that"):
        text_of("docx", big)
