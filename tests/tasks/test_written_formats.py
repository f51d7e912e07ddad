"""Translations in the format of their source: every paragraph in its place, all else as it was."""

from __future__ import annotations

import io
import zipfile
from urllib.parse import quote, unquote

import pytest
from docx import Document
from docx.oxml import parse_xml
from lxml import etree

from longread.reader import open_document
from longread.tasks.translate.outputs.docx import write_docx
from longread.tasks.translate.outputs.epub import write_epub
from longread.tasks.translate.outputs.html import write_html
from tests.reader import builders

WRITE = {"epub": write_epub, "html": write_html, "docx": write_docx}
BUILD = {"epub": builders.epub, "html": builders.web, "docx": builders.docx}


def mirrored(text):
    """A translation that can be told from its source and told back."""
    return " ".join(text.split())[::-1]


def passages(path):
    with open_document(path) as document:
        return [passage.text for passage in document.passages()], [
            chapter.title for chapter in document.chapters
        ]


def member(path, name):
    with zipfile.ZipFile(path) as archive:
        return archive.read(name).decode()


def translated(form, source, target, layout, count=None):
    texts, _ = passages(source)
    pairs = [(text, mirrored(text)) for text in texts][:count]
    with open(target, "wb") as file:
        placed = WRITE[form](source, pairs, file, layout=layout, language="de").placed
    return pairs, placed


@pytest.mark.parametrize("form", WRITE)
def test_every_paragraph_is_in_its_place(tmp_path, form):
    source = builders.write(tmp_path / f"a.{form}", BUILD[form](builders.novella(3)))
    target = tmp_path / f"b.{form}"
    pairs, placed = translated(form, source, target, "target")
    texts, titles = passages(target)
    assert placed == len(pairs) and texts == [text for _, text in pairs]
    assert titles == [mirrored(title) for title in passages(source)[1]]
    translated(form, source, target, "bilingual")
    assert passages(target)[0] == [f"{source}\n{text}" for source, text in pairs]


@pytest.mark.parametrize("form", WRITE)
def test_what_is_not_translated_stays(tmp_path, form):
    source = builders.write(tmp_path / f"a.{form}", BUILD[form](builders.novella(2)))
    pairs, _ = translated(form, source, tmp_path / f"b.{form}", "target", count=9)
    texts = passages(source)[0]
    assert passages(tmp_path / f"b.{form}")[0] == [text for _, text in pairs] + texts[9:]


RICH = (
    '<h2 id="a">One</h2><p>Some <i>words</i><sup><a href="#n">1</a></sup> and '
    '<a href="http://example.org/">a link</a>.</p><p><a href="#a">All of it</a></p><p>verse<br/>'
    "and verse"
    '</p><p><img src="../i.png" alt="x"/>seen</p><pre>one\n\ntwo</pre>'
    "<table><tr><td>x</td><td>y</td></tr></table>"
    "<svg viewBox='0 0 1 1'></svg><p>a &lt; b</p>"
)


@pytest.mark.parametrize("layout", ["target", "bilingual"])
def test_links_images_styles_and_other_members_are_kept(tmp_path, layout):
    extra = {"OEBPS/i.png": b"\x89PNG", "OEBPS/s.css": "p { color: red }", "META-INF/x/../../../out": "no"}
    nav = {
        "nav.xhtml": builders.page(
            "n", '<nav epub:type="toc"><ol><li><a href="a.xhtml#a">One</a></li></ol></nav>'
        )
    }
    pages = {"a.xhtml": builders.page("T", RICH)}
    source = builders.write(tmp_path / "a.epub", builders.package(pages, nav, extra=extra))
    target = tmp_path / "b.epub"
    translated("epub", source, target, layout)
    with zipfile.ZipFile(target) as book:
        names = book.namelist()
        assert names[0] == "mimetype" and book.infolist()[0].compress_type == zipfile.ZIP_STORED
        assert len(names) == len(set(names)) and not [name for name in names if ".." in name]
        assert book.read("OEBPS/i.png") == b"\x89PNG" and book.read("OEBPS/s.css")
        for name in names:
            if name.endswith((".xhtml", ".opf", ".xml")):
                etree.fromstring(book.read(name))
        page = book.read("OEBPS/a.xhtml").decode()
        assert 'lang="de"' in page and 'xml:lang="de"' in page
        assert 'href="http://example.org/"' in page and 'src="../i.png"' in page and 'href="#n">1<' in page
        assert "enO" in book.read("OEBPS/nav.xhtml").decode()
        opf = book.read("OEBPS/book.opf").decode()
        assert "<dc:language>de</dc:language>" in opf and "svg" in opf
    whole = "\n".join(passages(target)[0])
    assert mirrored("a < b") in whole and ("a < b" in whole) is (layout == "bilingual")


def test_elements_with_a_prefix_are_declared_or_left_out(tmp_path):
    body = (
        '<p>One<o:p>\u00a0</o:p> <y:z>and two</y:z>.</p><svg:svg><svg:path d="M0"/></svg:svg>'
        '<p>Three <m:math xmlns:m="http://www.w3.org/1998/Math/MathML"><m:mi>x</m:mi></m:math>.</p>'
        '<math xlink:href="#a" q:r="s"><mi>y</mi></math>'
    )
    page = builders.page("T", body).replace(
        "<html ", '<html xmlns:o="urn:office" xmlns:svg="http://www.w3.org/2000/svg" xmlns:no="urn:no" '
    )
    source = builders.write(tmp_path / "a.epub", builders.package({"a.xhtml": page}))
    with open(tmp_path / "b.epub", "wb") as file:
        assert write_epub(source, [("Three x.", "Drei.")], file, layout="bilingual", language="de") == (
            1,
            0,
            (),
        )
    said = member(tmp_path / "b.epub", "OEBPS/a.xhtml")
    root = etree.fromstring(said.encode())
    assert "and two" in said and "y:z" not in said and "q:r" not in said and "urn:no" not in said
    assert root.find(".//{urn:office}p") is not None
    assert root.find(".//{http://www.w3.org/2000/svg}path").get("d") == "M0"
    assert root.find(".//{http://www.w3.org/1998/Math/MathML}mi").text == "x"


PRE = "<html><pre>One.\nMore.\n\n \nTwo.\n\nThree <b>bold.\n\nFour</b>.\n\n</pre><p>Five.</p></html>"


@pytest.mark.parametrize("count", range(6))
def test_a_text_in_one_node_keeps_what_is_not_translated(tmp_path, count):
    source = builders.write(tmp_path / "a.html", PRE.encode())
    texts = passages(source)[0]
    assert texts == ["One.\nMore.", "Two.", "Three bold.", "Four.", "Five."]
    pairs, placed = translated("html", source, tmp_path / "b.html", "target", count)
    assert placed == count
    assert passages(tmp_path / "b.html")[0] == [text for _, text in pairs] + texts[count:]
    translated("html", source, tmp_path / "c.html", "bilingual", count)
    below = [f"{source}\n{text}" for source, text in pairs] + texts[count:]
    assert passages(tmp_path / "c.html")[0] == below


def test_translations_stand_below_their_own_words_within_one_element(tmp_path):
    source = builders.write(tmp_path / "a.html", b"<html><body><p><i>One.<br><br>Two.</i></p></body></html>")
    translated("html", source, tmp_path / "b.html", "bilingual")
    assert passages(tmp_path / "b.html")[0] == ["One.\n.enO", "Two.\n.owT"]


def test_an_epub_2_becomes_an_epub_3_with_a_nav(tmp_path):
    source = builders.write(tmp_path / "a.epub", builders.epub(builders.novella(2), ncx=True))
    translated("epub", source, tmp_path / "b.epub", "target")
    with zipfile.ZipFile(tmp_path / "b.epub") as book:
        assert mirrored("Chapter 1. Item One") in book.read("OEBPS/longread-nav.xhtml").decode()
        assert mirrored("Chapter 1. Item One") in book.read("OEBPS/toc.ncx").decode()
        opf = book.read("OEBPS/book.opf").decode()
    assert 'version="3.0"' in opf and 'properties="nav"' in opf and 'toc="' in opf
    assert passages(tmp_path / "b.epub")[1] == [mirrored(title) for title in passages(source)[1]]


def test_points_within_points_of_an_ncx_are_lists_within_lists(tmp_path):
    def point(name, inner=""):
        label = f"<navLabel><text>{name}</text></navLabel>"
        return f'<navPoint>{label}<content src="a.xhtml#{name}"/>{inner}</navPoint>'

    names = ("Book", "One", "Deep", "Two", "End")
    body = "".join(f'<h2 id="{name}">{name}</h2><p>words</p>' for name in names)
    points = point("Book", point("One", point("Deep")) + point("Two")) + point("End")
    data = builders.package(
        {"a.xhtml": builders.page("T", body)}, {"toc.ncx": f"<ncx><navMap>{points}</navMap></ncx>"}
    )
    source = builders.write(tmp_path / "a.epub", data)
    translated("epub", source, tmp_path / "b.epub", "target")
    nav = etree.fromstring(member(tmp_path / "b.epub", "OEBPS/longread-nav.xhtml").encode())
    links = [(link.text, len(list(link.iterancestors("{*}ol")))) for link in nav.iter("{*}a")]
    assert links == [("kooB", 1), ("enO", 2), ("peeD", 3), ("owT", 2), ("dnE", 1)]


@pytest.mark.parametrize("layout", ["target", "bilingual"])
@pytest.mark.parametrize(("here", "there"), [("ja", "en"), ("en", "he"), ("he", "ar")])
def test_pages_turn_as_the_language_of_the_book_runs(tmp_path, layout, here, there):
    turned = ' page-progression-direction="rtl"'
    data = builders.package({"a.xhtml": builders.page("T", "<p>One.</p>", here)}, language=here)
    with zipfile.ZipFile(io.BytesIO(data)) as book:
        members = {name: book.read(name) for name in book.namelist()}
    if here != "en":
        members["OEBPS/book.opf"] = members["OEBPS/book.opf"].replace(b"<spine", f"<spine{turned}".encode())
    source = builders.write(tmp_path / "a.epub", builders.archive(members))
    with open(tmp_path / "b.epub", "wb") as file:
        write_epub(source, [("One.", "Other.")], file, layout=layout, language=there)
    rtl = there != "en" if layout == "target" else here != "en"
    assert (turned in member(tmp_path / "b.epub", "OEBPS/book.opf")) is rtl
    root = etree.fromstring(member(tmp_path / "b.epub", "OEBPS/a.xhtml").encode())
    own = there if layout == "target" else here
    assert root.get("lang") == root.get("{http://www.w3.org/XML/1998/namespace}lang") == own
    if layout == "target":
        assert root.get("dir") == ("ltr" if there == "en" else "rtl")
    else:
        said = next(root.iter("{*}span"))
        assert root.get("dir") is None and (said.get("lang"), said.text) == (there, "Other.")


def spoilt(data, name):
    """The archive with a wrong sum for ``name``."""
    held = bytearray(data)
    at = data.rindex(name.encode())
    held[at - 46 + 16] ^= 0xFF  # in the list at the end
    return bytes(held)


def test_an_epub_that_is_damaged_in_places_is_written_as_far_as_it_is_read(tmp_path):
    pages = {f"c{number}.xhtml": builders.page("T", f"<p>Number {number}.</p>") for number in range(4)}
    ncx = "<ncx><navMap><navPoint><navLabel><text>A&nbsp;b</text></navLabel></navPoint></navMap></ncx>"
    extra = {"OEBPS/i.png": b"\x89PNG" * 99, "OEBPS/j.png": b"\x00" * 5000}
    data = spoilt(builders.package(pages, {"toc.ncx": ncx}, extra=extra), "OEBPS/i.png")
    data = spoilt(data, "OEBPS/c1.xhtml")
    place_of = data.index(b"OEBPS/j.png") + len("OEBPS/j.png")
    data = data[:place_of] + b"\xff" * 4 + data[place_of + 4 :]
    source = builders.write(tmp_path / "a.epub", data)
    assert passages(source)[0] == ["Number 0.", "Number 2.", "Number 3."]
    _, placed = translated("epub", source, tmp_path / "b.epub", "target")
    assert placed == 3
    with zipfile.ZipFile(tmp_path / "b.epub") as book:
        assert book.testzip() is None and book.read("OEBPS/i.png") == b"\x89PNG" * 99
        assert "OEBPS/j.png" not in book.namelist() and book.read("OEBPS/toc.ncx").decode() == ncx
        assert book.read("OEBPS/c1.xhtml").decode() == pages["c1.xhtml"]
    assert ".2 rebmuN" in passages(tmp_path / "b.epub")[0]


def test_members_made_to_fill_a_disk_stay_behind(tmp_path):
    pages = {"a.xhtml": builders.page("T", "<p>One.</p>")}
    extra = {"OEBPS/i.png": b"\x89PNG", "OEBPS/bomb.png": bytes(65 << 20), "OEBPS/j.png": b"\x89PNG"}
    source = builders.write(tmp_path / "a.epub", builders.package(pages, extra=extra))
    with zipfile.ZipFile(source, "a") as book:
        book.writestr("OEBPS/k.png", b"\x89PNG", zipfile.ZIP_BZIP2)
    translated("epub", source, tmp_path / "b.epub", "target")
    with zipfile.ZipFile(tmp_path / "b.epub") as book:
        assert [name for name in book.namelist() if name.endswith("png")] == ["OEBPS/i.png", "OEBPS/j.png"]


def test_a_package_without_namespace_or_metadata_is_written(tmp_path):
    data = builders.package({"a.xhtml": builders.page("T", "<p>One.</p>")})
    with zipfile.ZipFile(io.BytesIO(data)) as book:
        members = {name: book.read(name) for name in book.namelist()}
    package = members["OEBPS/book.opf"].decode().replace('xmlns="http://www.idpf.org/2007/opf"', "")
    begin, end = package.index("<metadata"), package.index("<manifest")
    members["OEBPS/book.opf"] = package[:begin] + package[end:]
    source = builders.write(tmp_path / "a.epub", builders.archive(members))
    translated("epub", source, tmp_path / "b.epub", "target")
    assert passages(tmp_path / "b.epub")[0] == [".enO"]
    parts = [
        etree.QName(part) for part in etree.fromstring(member(tmp_path / "b.epub", "OEBPS/book.opf").encode())
    ]
    assert sorted(map(str, parts)) == ["manifest", "metadata", "spine"]


def test_word_keeps_its_styles(tmp_path):
    source = builders.write(tmp_path / "a.docx", builders.rich_docx())
    translated("docx", source, tmp_path / "b.docx", "target")
    before, after = (Document(io.BytesIO((tmp_path / name).read_bytes())) for name in ("a.docx", "b.docx"))
    assert [p.style.name for p in after.paragraphs] == [p.style.name for p in before.paragraphs]
    assert after.core_properties.language == "de"
    assert after.paragraphs[1].text == "tsriF"


@pytest.mark.parametrize("layout", ["target", "bilingual"])
def test_notes_of_word_lie_in_a_part_of_their_own_and_are_written_too(tmp_path, layout):
    source = builders.write(tmp_path / "a.docx", builders.rich_docx())
    pairs, placed = translated("docx", source, tmp_path / "b.docx", layout)
    assert placed == len(pairs) and ("The note.", ".eton ehT") in pairs
    texts = {"target": ".eton ehT", "bilingual": "The note.\n.eton ehT"}
    assert texts[layout] in passages(tmp_path / "b.docx")[0]
    notes = member(tmp_path / "b.docx", "word/footnotes.xml")
    assert "<w:footnoteRef/>" in notes and 'w:type="separator"' in notes


RUBY = (
    "<p>A <ruby><rb>東京</rb><rp>(</rp><rt>とうきょう</rt><rp>)</rp></ruby>で"
    "<ruby>雨<rt>あめ</rt></ruby>。</p>"
)


@pytest.mark.parametrize("form", ["epub", "html"])
def test_readings_go_with_the_words_that_they_were_beside(tmp_path, form):
    both = f"{RUBY}<p>次の<ruby>文<rt>ぶん</rt></ruby>。</p>"
    page = builders.page("T", both, "ja")
    held = builders.package({"a.xhtml": page}) if form == "epub" else page.encode()
    source = builders.write(tmp_path / f"a.{form}", held)
    for layout in ("target", "bilingual"):
        target = tmp_path / f"{layout}.{form}"
        with open(target, "wb") as file:
            WRITE[form](source, [("A 東京で雨。", "It rains.")], file, layout=layout, language="en")
        said = target.read_text("utf-8") if form == "html" else member(target, "OEBPS/a.xhtml")
        kept = layout == "bilingual"
        assert ("とうきょう" in said) is kept and ("あめ" in said) is kept and "<rt>ぶん</rt>" in said
        assert said.count("<ruby>") == (3 if kept else 1)
        assert kept or "<p>It rains.</p>" in said


def test_readings_in_word_go_too(tmp_path):
    source = builders.write(tmp_path / "a.docx", builders.rich_docx())
    with open(tmp_path / "b.docx", "wb") as file:
        write_docx(source, [("本を読む。", "Reads a book.")], file, layout="target", language="en")
    said = member(tmp_path / "b.docx", "word/document.xml")
    assert "Reads a book." in said and "ほん" not in said and "w:ruby" not in said


@pytest.mark.parametrize("layout", ["target", "bilingual"])
def test_a_row_of_a_table_is_shared_among_its_cells(tmp_path, layout):
    table = (
        "<table><tr><th>One</th><td></td><td><b>Two</b> three</td></tr><tr><td>x</td><td>y</td></tr></table>"
    )
    web = builders.write(tmp_path / "a.html", f"<html><body>{table}</body></html>".encode())
    assert passages(web)[0] == ["One | | Two three", "x | y"]
    pairs = [("One | | Two three", "Eins | | Zwei drei"), ("x | y", "x und y")]
    with open(tmp_path / "b.html", "wb") as file:
        write_html(web, pairs, file, layout=layout, language="de")
    word = builders.write(tmp_path / "a.docx", builders.rich_docx())
    with open(tmp_path / "b.docx", "wb") as file:
        write_docx(word, [("cell 0 | cell 1", "Zelle 0 | Zelle 1")], file, layout=layout, language="de")
    rows = Document(str(tmp_path / "b.docx")).tables[0].rows
    said = (tmp_path / "b.html").read_text("utf-8")
    if layout == "target":
        assert "<th>Eins</th><td></td><td><b></b>Zwei drei</td>" in said
        assert "<td>x und y</td><td></td>" in said
        assert [cell.text for cell in rows[0].cells] == ["Zelle 0", "Zelle 1"]
    else:
        assert "One<br><span" in said and "Zwei drei</span></td>" in said and "y<br><span" in said
        assert [cell.text for cell in rows[0].cells] == ["cell 0\nZelle 0", "cell 1\nZelle 1"]
    assert [cell.text for cell in rows[1].cells] == ["cell 2", "cell 3"]


def test_tabs_breaks_and_hyphens_of_words_that_are_gone_go_too(tmp_path):
    word = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    document = Document()
    runs = (
        '<w:pPr><w:tabs><w:tab w:val="left" w:pos="9"/></w:tabs></w:pPr><w:r><w:tab/><w:t>well</w:t>'
        "<w:noBreakHyphen/><w:t>known</w:t><w:tab/><w:t>and</w:t></w:r><w:r><w:br/></w:r>"
        '<w:r><w:br w:type="page"/><w:t>on</w:t><w:br/></w:r>'
    )
    document.element.body.insert_element_before(parse_xml(f"<w:p {word}>{runs}</w:p>"), "w:sectPr")
    document.save(tmp_path / "a.docx")
    with open(tmp_path / "b.docx", "wb") as file:
        pairs = [("well-known and on", "bekannt\x0b und\x00 weiter")]
        assert write_docx(tmp_path / "a.docx", pairs, file, language="de", title="T\x01") == (1, 0, ())
    after = Document(str(tmp_path / "b.docx"))
    signs = [etree.QName(node).localname for node in after.paragraphs[0]._p.iter("{*}tab", "{*}br", "{*}t")]
    assert signs == ["tab", "tab", "t", "t", "t", "br", "t", "br"]
    assert after.paragraphs[0].text.strip() == "bekannt und weiter" and after.core_properties.title == "T"
    assert "noBreakHyphen" not in member(tmp_path / "b.docx", "word/document.xml")


def test_places_in_a_new_nav_are_escaped(tmp_path):
    names = ("a#b.xhtml", "chapter 1.xhtml")
    pages = {quote(name): builders.page("T", f'<h1 id="x y">{name}</h1><p>words</p>') for name in names}
    points = "".join(
        f'<navPoint><navLabel><text>{name}</text></navLabel><content src="{quote(name)}#x%20y"/></navPoint>'
        for name in names
    )
    data = builders.package(pages, {"toc.ncx": f"<ncx><navMap>{points}</navMap></ncx>"})
    with zipfile.ZipFile(io.BytesIO(data)) as book:
        members = {unquote(name): book.read(name) for name in book.namelist()}
    source = builders.write(tmp_path / "a.epub", builders.archive(members))
    translated("epub", source, tmp_path / "b.epub", "target")
    nav = member(tmp_path / "b.epub", "OEBPS/longread-nav.xhtml")
    assert 'href="a%23b.xhtml#x%20y"' in nav and 'href="chapter%201.xhtml#x%20y"' in nav
    assert passages(tmp_path / "b.epub")[1] == [mirrored(name) for name in names]


def test_contents_take_no_sign_that_xml_does_not_allow(tmp_path):
    source = builders.write(tmp_path / "a.epub", builders.epub(builders.novella(1), ncx=True))
    pairs = [(text, f"\x02{text}\ufffe") for text in passages(source)[0]]
    with open(tmp_path / "b.epub", "wb") as file:
        write_epub(source, pairs, file, language="de", title="\x03New")
    assert "<text>Chapter 1" in member(tmp_path / "b.epub", "OEBPS/toc.ncx")
    assert "<dc:title>New<" in member(tmp_path / "b.epub", "OEBPS/book.opf")


PAGE = (
    '<html><head prefix="og: http://ogp.me/ns#"><META HTTP-EQUIV="Content-Type" content="text/html; '
    'charset=windows-1252"><title>t</title></head><body><p>Привет, мир.</p><p>Два.</p></body></html>'
)


def test_a_page_in_another_encoding_is_read_as_it_was_and_says_utf_8(tmp_path):
    source = builders.write(tmp_path / "a.html", PAGE.encode("cp1251"))
    with open(tmp_path / "b.html", "wb") as file:
        pairs = [("Привет, мир.", "Hello.")]
        count = write_html(source, pairs, file, language="en", encoding="windows-1251")
    said = (tmp_path / "b.html").read_text("utf-8")
    assert count == (1, 0, ()) and "<p>Hello.</p><p>Два.</p>" in said
    assert said.count("charset") == 1 and '#"><meta charset="utf-8"><title>' in said
