"""EPUB: spine and contents, what is damaged, and what means harm."""

from __future__ import annotations

import io
import zipfile

import pytest

from longread.errors import InputError, UnsupportedError
from longread.reader import open_document
from longread.reader.formats import epub
from longread.reader.formats.archive import resolve
from tests.reader import builders
from tests.reader.builders import archive, package, page
from tests.reader.held import left_out, paragraphs, text_of

CONTAINER = {"META-INF/container.xml": builders.CONTAINER}


def nav(*items):
    return {"nav.xhtml": page("Contents", f'<nav epub:type="toc"><ol>{"".join(items)}</ol></nav>')}


def test_the_spine_is_the_order_and_the_nav_the_contents():
    pages = {
        "b.xhtml": page("B", '<p>before</p><h1 id="one">One</h1><p>text</p><p id="two">Two</p><p>more</p>'),
        "gone.xhtml": page("A", "<p>Three</p><p>last</p>"),
    }
    entries = nav(
        '<li><a href="b.xhtml#one">One</a><ol><li><a href="b.xhtml#two">Two</a></li></ol></li>',
        '<li><a href="gone.xhtml">Three</a></li><li><a href="../../etc/passwd">Bad</a></li>',
        '<li><a href="http://example.org/">Far</a></li><li><a href="b.xhtml#nowhere">Lost</a></li>',
    )
    with zipfile.ZipFile(io.BytesIO(package(pages, entries))) as source:
        members = {name: source.read(name) for name in source.namelist() if "gone" not in name}
    text = text_of("epub", archive(members))
    whole = "".join(text.pieces())
    text.close()
    assert whole.split() == "before One text Two more".split()
    assert [(mark.title, mark.depth, whole[mark.start : mark.body]) for mark in text.contents] == [
        ("One", 1, "One"),
        ("Two", 2, "Two"),
        ("Lost", 1, ""),
    ]
    assert text.notes == ("1 of the files that this EPUB names are not in it",)


def marked(pages, *items):
    """Titles of the contents, each with the first word of the paragraph that it leads to."""
    text = text_of(
        "epub", package(pages, nav(*(f'<li><a href="{to}">{name}</a></li>' for name, to in items)))
    )
    whole = "".join(text.pieces())
    text.close()
    return [(mark.title, whole[mark.start :].split()[0]) for mark in text.contents]


def test_entries_for_pages_without_words_lead_to_the_next_paragraph():
    pages = {
        "a.xhtml": page("A", "<p>first</p>"),
        "part.xhtml": page("P", '<div id="p"><img src="part.png"/></div>'),
        "b.xhtml": page("B", '<p>second</p><p>third</p><a id="end"/><p hidden>x</p>'),
        "c.xhtml": page("C", '<p>fourth</p><p>fifth</p><hr id="close"/>'),
    }
    found = marked(
        pages,
        ("Part", "part.xhtml"),
        ("Anchored", "part.xhtml#p"),
        ("B", "b.xhtml"),
        ("Late", "b.xhtml#end"),
        ("Unknown", "c.xhtml#nowhere"),
        ("Nothing follows", "c.xhtml#close"),
    )
    assert found == [
        ("Part", "second"),
        ("Anchored", "second"),
        ("B", "second"),
        ("Late", "fourth"),
        ("Unknown", "fourth"),
    ]


@pytest.mark.parametrize(
    ("text", "title", "found"),
    [
        ("Chapter One. The Sea", "CHAPTER ONE", True),
        ("One", "One: The Sea", True),
        ("I", "I.", True),
        ("第一章　风起", "第一章", True),
        ("I was cold when the boat came in.", "I", False),
        ("Chapter 12", "Chapter 1", False),
        ("一天早上他走了。", "一", False),
        ("", "One", False),
        ("* * *", "***", False),
    ],
)
def test_which_paragraph_is_the_heading_that_the_contents_name(text, title, found):
    assert epub.same(text, title) is found


def test_no_chapter_is_empty_where_a_picture_has_a_line_in_the_contents(tmp_path):
    pages = {"map.xhtml": page("Map", '<img src="map.png"/>')}
    pages |= {
        f"{name}.xhtml": page(name, f"<h1>{name}</h1>" + "<p>words</p>" * 50) for name in ("One", "Two")
    }
    entries = nav(*(f'<li><a href="{name}.xhtml">{name}</a></li>' for name in ("map", "One", "Two")))
    path = tmp_path / "book.epub"
    path.write_bytes(package(pages, entries))
    with open_document(path) as document:
        assert [chapter.title for chapter in document.chapters] == ["One", "Two"]


def test_a_chapter_is_not_taken_for_the_title_page(tmp_path):
    names = ("Титульный лист", "Титул", "Титулярный советник", "Шинель")
    pages = {
        f"{at}.xhtml": page(name, f"<h1>{name}</h1>" + "<p>слова</p>" * 50) for at, name in enumerate(names)
    }
    entries = nav(*(f'<li><a href="{at}.xhtml">{name}</a></li>' for at, name in enumerate(names)))
    path = tmp_path / "book.epub"
    path.write_bytes(package(pages, entries))
    with open_document(path) as document:
        assert [chapter.title for chapter in document.chapters] == ["Титулярный советник", "Шинель"]


def test_files_beside_the_reading_order_are_left_out_and_said_so():
    pages = {f"{name}.xhtml": page(name, f"<p>{name}</p>") for name in ("one", "aside", "two", "both")}
    with zipfile.ZipFile(io.BytesIO(package(pages))) as source:
        members = {name: source.read(name) for name in source.namelist()}
    spine = members[OPF].decode()
    for number in (1, 3):
        spine = spine.replace(f'<itemref idref="i{number}"/>', f'<itemref idref="i{number}" linear="no"/>')
    members[OPF] = spine.replace("</spine>", '<itemref idref="i3"/></spine>')
    content = archive(members)
    assert paragraphs("epub", content) == ["one", "two", "both"]
    assert left_out("epub", content) == ("1 file beside the reading order",)


def test_pages_of_any_kind_are_read_and_what_is_none_is_said():
    pages = {f"{name}.xhtml": page(name, f"<p>{name}</p>") for name in ("one", "two", "three", "four")}
    kinds = ("text/xml", 'Application/XHTML+XML; charset="utf-8"', "application/xml", "image/svg+xml")
    with zipfile.ZipFile(io.BytesIO(package(pages))) as source:
        members = {name: source.read(name) for name in source.namelist()}
    said = members[OPF].decode()
    for name, kind in zip(pages, kinds, strict=True):
        old = f'href="{name}" media-type="application/xhtml+xml"'
        said = said.replace(old, f"href='{name}' media-type='{kind}'")
    content = archive(members | {OPF: said})
    assert paragraphs("epub", content) == ["one", "two", "three"]
    assert left_out("epub", content) == ("1 file of the reading order that is no page",)


@pytest.mark.parametrize(
    ("held", "named", "flagged"),
    [
        ("Glück.xhtml", "Gl%C3%BCck.xhtml", False),
        ("Gl\u00fcck.xhtml", "Glu\u0308ck.xhtml", True),
        ("Glu\u0308ck.xhtml", "Gl%C3%BCck.xhtml", True),
        ("Glu\u0308ck.xhtml", "Gl%C3%BCck.xhtml", False),
        ("a%20b.xhtml", "a%20b.xhtml", False),
    ],
)
def test_names_that_are_spelled_otherwise_where_they_are_named(held, named, flagged):
    entries = nav(f'<li><a href="{named}">One</a></li>', '<li><a href="../../etc/passwd">Bad</a></li>')
    content = package({named: page("x", "<p>One</p><p>words</p>")}, entries)
    with zipfile.ZipFile(io.BytesIO(content)) as source:
        members = {name.replace(named, held): source.read(name) for name in source.namelist()}
    content = archive(members | {f"OEBPS/{held}%2e%2e/%2e%2e/etc/passwd": "root"})
    if not flagged:
        content = content.replace(
            b"PK\x01\x02\x14\x03\x14\x00\x00\x08", b"PK\x01\x02\x14\x03\x14\x00\x00\x00"
        )
        content = content.replace(b"PK\x03\x04\x14\x00\x00\x08", b"PK\x03\x04\x14\x00\x00\x00")
    text = text_of("epub", content)
    assert "".join(text.pieces()).split() == ["One", "words"]
    assert [mark.title for mark in text.contents] == ["One"] and not text.notes
    text.close()


def test_fields_and_headings_without_contents():
    content = package(
        {"a.xhtml": page("x", "<h1>One</h1><p>a</p><h1>Two</h1><p>b</p>")}, None, "T & U", "W. R.", "sv"
    )
    text = text_of("epub", content)
    text.close()
    assert text.fields == {"title": "T & U", "author": "W. R.", "language": "sv"}
    assert [mark.title for mark in text.contents] == ["One", "Two"]


def test_project_gutenbergs_words_are_left_out_and_places_move_along():
    head = "<p>The Project Gutenberg eBook</p><p>*** START OF THE PROJECT GUTENBERG EBOOK X ***</p>"
    foot = "<p>*** END OF THE PROJECT GUTENBERG EBOOK X ***</p><p>Licence</p>"
    body = f"{head}<h2 id='a'>Alpha</h2><p>text</p><h2 id='b'>Beta</h2><p>text</p>{foot}"
    entries = nav('<li><a href="a.xhtml#a">Alpha</a></li>', '<li><a href="a.xhtml#b">Beta</a></li>')
    text = text_of("epub", package({"a.xhtml": page("x", body)}, entries))
    whole = "".join(text.pieces())
    text.close()
    assert whole.split() == "Alpha text Beta text".split()
    assert [whole[mark.start : mark.body] for mark in text.contents] == ["Alpha", "Beta"]


def test_older_encodings_and_short_elements():
    old = '<?xml version="1.0" encoding="windows-1251"?><html><head><title/></head>'
    old += '<body><p>Привет<a id="x"/></p></body></html>'
    assert paragraphs("epub", package({"a.xhtml": old.encode("cp1251")})) == ["Привет"]


@pytest.mark.parametrize(
    ("stated", "codec", "words"),
    [
        ("gb2312", "gbk", "朱镕基"),
        ("iso-8859-1", "cp1252", "“Déjà”"),
        ("Shift_JIS", "cp932", "①髙橋"),
        ("utf-16", "utf-8", "café"),
        ("utf-32", "utf-8", "café"),
        ("punycode", "utf-8", "café"),
        ("nonsense", "utf-8", "café"),
    ],
)
def test_what_a_page_declares_is_read_widely_and_not_against_its_bytes(stated, codec, words):
    content = f'<?xml version="1.0" encoding="{stated}"?><html><body><p>{words}</p></body></html>'
    assert paragraphs("epub", package({"a.xhtml": content.encode(codec)})) == [words]


LAUGHS = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 9}">' for n in range(1, 30))
ENTITIES = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a0 "ha">{LAUGHS}]><container>&a29;</container>'
OUTSIDE = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><container>&e;</container>'
)
WHOLE = package({"a.xhtml": page("x", "<p>words</p>" * 400)})
OPF = "OEBPS/book.opf"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (WHOLE[: len(WHOLE) // 2], "list of contents"),
        (WHOLE[:-300] + WHOLE[-280:], "damaged EPUB"),
        (WHOLE.replace(b"PK\x01\x02", b"PK\x01\x09"), "damaged EPUB"),
        (archive({"mimetype": "application/epub+zip"}), "container.xml"),
        (archive(CONTAINER), "book.opf"),
        (archive(CONTAINER | {OPF: "no xml"}), "is no XML"),
        (archive(CONTAINER | {OPF: "<package/>"}), "names no chapter"),
        (archive({"META-INF/container.xml": "<c><rootfile full-path='../x'/></c>"}), "no package"),
        (package({"a.xhtml": "x"}, extra={"META-INF/container.xml": ENTITIES}), "declares entities"),
        (package({"a.xhtml": "x"}, extra={"META-INF/container.xml": OUTSIDE}), "declares entities"),
        (package({"a.xhtml": " " * (1 << 25) + "x"}), "no book does that"),
        (package({"a.xhtml": page("x", "<img/>")}), "no text"),
    ],
)  # fmt: skip
def test_what_is_damaged_or_means_harm(content, what):
    with pytest.raises(InputError, match=what) as caught:
        text_of("epub", content)
    assert "book.epub" in caught.value.message and caught.value.hint


def test_many_large_chapters_are_refused_before_they_fill_the_disk(monkeypatch):
    monkeypatch.setattr("longread.reader.formats.archive.WHOLE", 100_000)
    pages = {f"{number}.xhtml": page("x", "word " * 9_000) for number in range(9)}
    with pytest.raises(InputError, match="over 100,000 bytes"):
        text_of("epub", package(pages))


def test_one_damaged_chapter_is_missing_and_said_so():
    pages = {f"{name}.xhtml": page("x", f"<p>chapter {name} {name * 3000}</p>") for name in "abc"}
    content = bytearray(package(pages))
    with zipfile.ZipFile(io.BytesIO(content)) as source:
        at = source.getinfo("OEBPS/b.xhtml").header_offset
    content[at + 60] ^= 0xFF
    text = text_of("epub", bytes(content))
    assert text.notes == ("1 of 3 chapters are damaged and missing from the text",)
    whole = "".join(text.pieces())
    text.close()
    assert "chapter a" in whole and "chapter b" not in whole and "chapter c" in whole


def test_what_cannot_be_decoded_is_counted_and_too_much_of_it_is_damage():
    def held(*pages):
        text = text_of("epub", package({f"{at}.xhtml": body for at, body in enumerate(pages)}))
        whole = "".join(text.pieces())
        text.close()
        return whole, text.notes

    good, own = page("x", "<p>café</p>").encode(), page("x", "<p>\ufffd&#xfffd;</p>").encode()
    one = page("x", "<p>wrong~</p>").encode().replace(b"~", b"\xe9")
    whole, notes = held(good, one, own, one)
    assert whole.split() == ["café", "wrong\ufffd", "\ufffd\ufffd", "wrong\ufffd"]
    assert notes == ("2 characters are not valid in the encoding of its chapter and shown as \ufffd",)
    assert held(good, own)[1] == ()
    latin = page("x", "<p>déjà vu</p>").encode("latin-1")
    whole, notes = held(good, latin, good)
    assert whole.split() == ["café", "café"]
    assert notes == ("1 of 3 chapters are damaged and missing from the text",)
    with pytest.raises(InputError, match=r"2 characters of 'OEBPS/1\.xhtml' cannot be decoded"):
        text_of("epub", package({"1.xhtml": latin}))


def encrypted(algorithm, member):
    return {
        "META-INF/encryption.xml": "<encryption><EncryptedData>"
        f'<EncryptionMethod Algorithm="{algorithm}"/><CipherData><CipherReference URI="{member}"/>'
        "</CipherData></EncryptedData></encryption>"
    }


def test_what_is_packed_in_another_way_is_refused():
    held = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(WHOLE)) as source, zipfile.ZipFile(held, "w") as target:
        for name in source.namelist():
            packed = zipfile.ZIP_BZIP2 if name == "OEBPS/a.xhtml" else zipfile.ZIP_DEFLATED
            target.writestr(name, source.read(name), packed)
    with pytest.raises(InputError, match="packed in a way that no EPUB is"):
        text_of("epub", held.getvalue())


def test_drm_is_refused_and_scrambled_fonts_are_not():
    pages = {"a.xhtml": page("x", "<p>words</p>")}
    aes, font = "http://www.w3.org/2001/04/xmlenc#aes128-cbc", "http://www.idpf.org/2008/embedding"
    both = encrypted(font, "OEBPS/f.otf"), encrypted(aes, "OEBPS/a.xhtml")
    (name,) = both[0]
    joined = "".join(one[name] for one in both).replace("</encryption><encryption>", "")
    with pytest.raises(UnsupportedError, match="DRM"):
        text_of("epub", package(pages, extra={name: joined}))
    with pytest.raises(UnsupportedError, match="DRM"):
        text_of("epub", package(pages, extra=encrypted(aes, "OEBPS/a.xhtml")))
    for algorithm, other in ((font, "OEBPS/f.otf"), (aes, "OEBPS/i.png")):
        assert paragraphs("epub", package(pages, extra=encrypted(algorithm, other))) == ["words"]


def test_a_password_is_said_to_be_one():
    content = bytearray(WHOLE)
    for at in range(len(content) - 10):
        if content[at : at + 4] == b"PK\x01\x02":
            content[at + 8] |= 1
    with pytest.raises(UnsupportedError, match="password"):
        text_of("epub", bytes(content))


@pytest.mark.parametrize(
    ("href", "place"),
    [
        ("b.xhtml#x", ("OEBPS/text/b.xhtml", "x")),
        ("../c.xhtml", ("OEBPS/c.xhtml", "")),
        ("#y", ("OEBPS/text/a.xhtml", "y")),
        ("a%20b.xhtml", ("OEBPS/text/a b.xhtml", "")),
        ("../../../etc/passwd", None),
        ("/etc/passwd", None),
        ("%2e%2e/%2e%2e/%2e%2e/x", None),
        ("file:///etc/passwd", None),
        ("//host/x", None),
        ("http://[", None),
    ],
)
def test_places_never_leave_the_archive(href, place):
    assert resolve("OEBPS/text/a.xhtml", href) == place
