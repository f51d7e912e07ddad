"""What is no text for the reader is none for the writers, and stays; the rest is put where it was."""

from __future__ import annotations

import io
import unicodedata
import zipfile

import pytest
from docx import Document
from docx.oxml import parse_xml

from longread.tasks.translate.outputs.epub import write_epub
from tests.reader import builders
from tests.tasks.test_written_formats import member, mirrored, passages, translated

PAGE = (
    '<!DOCTYPE html [\n<!ENTITY D "&#8212;">\n]>\n<html><head><title/></head><body>'
    '<div class="pagebreak">\n<a id="p1"></a>\n<div class="orn">\n<img/>\n</div>\n<h2>\n<span>I</span>\n'
    "</h2>\n<p>The chapter&D;so.</p></div><script src='a.js'/>"
    "<table><tr><td>Name<div>Detail</div></td><td><dl><dt>A</dt><dd>B</dd></dl></td></tr></table>"
    "<p>So <math><semantics><mi>x</mi><annotation>y</annotation></semantics></math> <epub:switch>"
    "<epub:case>u</epub:case><epub:default>v</epub:default></epub:switch>.</p></body></html>"
)


@pytest.mark.parametrize("layout", ["target", "bilingual"])
def test_a_page_of_xml_by_its_name(tmp_path, layout):
    source, target = builders.write(tmp_path / "a.xhtml", PAGE.encode()), tmp_path / "b.xhtml"
    pairs, placed = translated("html", source, target, layout)
    assert [text for text, _ in pairs] == ["I", "The chapter—so.", "Name Detail | A B", "So x v."]
    assert placed == 4
    said = target.read_text("utf-8")
    assert "<annotation>y</annotation>" in said and "ENTITY" not in said and "&amp;D;" not in said
    texts = passages(target)[0]
    if layout == "target":
        assert texts == [text for _, text in pairs]
        assert all(text == mirrored(source) for source, text in pairs)
    else:
        assert texts[:2] == [f"{source}\n{text}" for source, text in pairs[:2]]


WORD = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def test_hidden_words_cells_in_controls_and_embedded_documents_of_word(tmp_path):
    hidden = "<w:r><w:rPr><w:vanish/></w:rPr><w:t>hid</w:t><w:noBreakHyphen/><w:t>den</w:t></w:r>"
    cell = "<w:tc><w:p><w:r><w:t>{}</w:t></w:r></w:p></w:tc>"
    parts = (
        f"<w:p {WORD}><w:r><w:t>One</w:t></w:r>{hidden}<w:r><w:t>.</w:t></w:r></w:p>",
        f'<w:altChunk {WORD} w:id="x"/>',
        f"<w:tbl {WORD}><w:tr>{cell.format('a')}<w:sdt><w:sdtContent>{cell.format('b')}"
        "</w:sdtContent></w:sdt></w:tr></w:tbl>",
    )
    document = Document()
    for part in parts:
        document.element.body.insert_element_before(parse_xml(part), "w:sectPr")
    document.save(tmp_path / "a.docx")
    pairs, placed = translated("docx", tmp_path / "a.docx", tmp_path / "b.docx", "target")
    assert [text for text, _ in pairs] == ["One.", "a | b"] and placed == 2
    assert passages(tmp_path / "b.docx")[0] == [text for _, text in pairs]
    said = member(tmp_path / "b.docx", "word/document.xml")
    assert "<w:t>hid</w:t><w:noBreakHyphen/><w:t>den</w:t>" in said and "altChunk" in said


def test_chapters_whose_names_are_spelled_otherwise_are_written_once(tmp_path):
    name = "Glück.xhtml"
    data = builders.package({name: builders.page("T", "<p>One.</p>")})
    with zipfile.ZipFile(io.BytesIO(data)) as book:
        members = {unicodedata.normalize("NFD", name): book.read(name) for name in book.namelist()}
    members["OEBPS/book.opf"] = members["OEBPS/book.opf"].replace(b"application/xhtml+xml", b"text/xml")
    source = builders.write(tmp_path / "a.epub", builders.archive(members))
    with open(tmp_path / "b.epub", "wb") as file:
        write_epub(source, [("One.", "Eins.")], file, language="de")
    with zipfile.ZipFile(tmp_path / "b.epub") as book:
        assert sum("Gl" in name for name in book.namelist()) == 1
        package = book.read("OEBPS/book.opf").decode()
        assert "text/xml" not in package and package.count("application/xhtml+xml") == 2
    assert passages(tmp_path / "b.epub")[0] == ["Eins."]
