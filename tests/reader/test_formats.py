"""One book in every format: the same words, the same chapters; and files that mean harm."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import sys
from pathlib import Path

import pytest

from longread.errors import InputError, UnsupportedError
from longread.reader import language, open_document
from longread.reader.contents import chapters
from longread.reader.document import Mark
from longread.reader.formats import apart
from longread.reader.open import open_bytes
from tests.reader import builders

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
BUILD = {
    "epub": builders.epub,
    "ncx.epub": lambda book: builders.epub(book, ncx=True),
    "html": builders.web,
    "docx": builders.docx,
    "pdf": builders.pdf,
    "bare.pdf": lambda book: builders.pdf(book, outline=False, indent=False),
}


@pytest.fixture(scope="module")
def book():
    return builders.novella()


def words(text):
    return " ".join(text.split())


@pytest.mark.parametrize("ending", BUILD)
def test_the_novella_is_the_same_in_every_format(tmp_path, book, ending):
    path = builders.write(tmp_path / f"novel.{ending}", BUILD[ending](book))
    with open_document("sample:en") as plain, open_document(path) as document:
        assert document.format == ending.rpartition(".")[2]
        assert words("".join(document.text())) == words("".join(plain.text()))
        assert [chapter.title for chapter in document.chapters] == [
            chapter.title for chapter in plain.chapters
        ]
        assert (document.title, document.language) == ("The Mud Book", "en")
        passages = {words(passage.text) for passage in document.passages()}
        same = sum(words(passage.text) in passages for passage in plain.passages())
        assert same >= (352 if "pdf" not in ending else 345), "of 352 paragraphs"
        first = document.chapters[1]
        assert "".join(document.text(first.start, first.body)).strip() == first.title


@pytest.mark.parametrize("ending", ["txt", "epub", "html", "docx", "pdf"])
def test_each_gzipped_and_through_a_pipe(tmp_path, monkeypatch, ending):
    book = builders.novella(2)
    content = "\n\n".join(
        [*book.front, *(text for title, texts in book.chapters for text in (title, *texts))]
    ).encode()
    content = BUILD[ending](book) if ending in BUILD else content
    whole = builders.write(tmp_path / f"a.{ending}", content)
    packed = builders.write(tmp_path / f"b.{ending}.gz", gzip.compress(content))
    with open_document(whole) as plain, open_document(packed) as unpacked:
        text = "".join(plain.text())
        assert "".join(unpacked.text()) == text
        assert (unpacked.format, len(unpacked.chapters)) == (ending, 2)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(content))))
    with open_document("-") as piped:
        assert "".join(piped.text()) == text
        assert piped.name == "-"


BOMB = gzip.compress(bytes(80 << 20), mtime=0)


# Without a time of day in the bytes: they name the tests, and several workers must find the same ones.
@pytest.mark.parametrize(
    ("content", "what"),
    [
        (gzip.compress(b"A line of a book.\n" * 900, mtime=0)[:-40], "damaged"),
        (b"\x1f\x8b\x08\x00" + bytes(range(200)), "damaged"),
        (BOMB, "as no book does"),
        (gzip.compress(BOMB, mtime=0), "gzip"),
        (gzip.compress(b"", mtime=0), "empty"),
        (gzip.compress(b"x" * 257 + b"ustar\x0000" + bytes(300), mtime=0), "tar archive"),
    ],
)
def test_gzip_that_is_no_book(tmp_path, content, what):
    path = builders.write(tmp_path / "a.txt.gz", content)
    with pytest.raises((InputError, UnsupportedError), match=what) as caught:
        open_document(path)
    assert "a.txt.gz" in caught.value.message and caught.value.hint


def test_a_parser_that_hangs_or_dies_is_one_error(tmp_path):
    deep = builders.write(tmp_path / "deep.html", b"<html>" + b"<div>" * 300_000 + b"text")
    with pytest.raises(InputError, match=r"deep\.html cannot be read: the html parser is not done") as caught:
        apart.extract("html", open_bytes(deep), None, seconds=2)
    assert "harm" in caught.value.hint
    with pytest.raises(InputError, match="breaks off"):
        apart.extract("nothing", open_bytes(deep), None)


def test_a_full_disk_is_not_the_fault_of_the_file(tmp_path):
    resource = pytest.importorskip("resource")
    path = builders.write(tmp_path / "a.html", b"<html><body>" + b"<p>Words.</p>" * 20_000)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    for most in (5, 50_000):  # no room for an answer either, or only for that
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
        try:
            with pytest.raises(InputError, match="no room for temporary files") as caught:
                apart.extract("html", open_bytes(path), None)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert "TMPDIR" in caught.value.hint


def test_no_file_is_left_and_errors_keep_their_kind(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    os.mkdir(tmp_path / "temporary")
    path = builders.write(tmp_path / "a.html", b"<html><body><p>Words.</p></body></html>")
    with open_document(path) as document:
        assert "".join(document.text()).strip() == "Words."
        assert json.dumps(document.as_dict())
    assert not list((tmp_path / "temporary").iterdir())
    drm = builders.write(
        tmp_path / "a.epub", builders.package({"a.xhtml": "x"}, extra={"META-INF/encryption.xml": DRM})
    )
    with pytest.raises(UnsupportedError, match="DRM"):
        open_document(drm)


DRM = (
    '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><EncryptedData><EncryptionMethod '
    'Algorithm="http://www.w3.org/2001/04/xmlenc#aes128-cbc"/><CipherData>'
    '<CipherReference URI="OEBPS/a.xhtml"/>'
    "</CipherData></EncryptedData></encryption>"
)


def titles(*marks, characters=10_000):
    found = chapters([Mark(*mark) for mark in marks], characters)
    return [(chapter.title, chapter.start) for chapter in found]


def test_contents_are_not_all_chapters():
    entries = [("Cover", 1, 0, 0), ("Title Page", 1, 5, 5), ("Contents", 1, 9, 9)]
    entries += [("One", 1, 50, 53), ("Two", 1, 3000, 3003), ("目录", 1, 9000, 9000)]
    assert titles(*entries) == [("One", 50), ("Two", 3000)]


def test_parts_and_two_line_headings_are_joined():
    marks = [
        ("PART ONE", 1, 0, 8),
        ("Chapter I", 2, 10, 19),
        ("The Sea", 3, 21, 28),
        ("Chapter II", 2, 4000, 4010),
    ]
    assert titles(*marks) == [("PART ONE · Chapter I. The Sea", 0), ("Chapter II", 4000)]


def test_short_chapters_are_chapters_and_sections_are_not():
    marks = [("One", 1, 0, 3), ("Two", 1, 30, 33), ("Three", 1, 4000, 4005), ("1.1", 2, 4100, 4103)]
    assert titles(*marks) == [("One", 0), ("Two", 30), ("Three", 4000)]
    assert titles(("Outside", 1, 20_000, 20_000)) == []


@pytest.mark.parametrize(
    ("found", "stated", "code"),
    [
        ("en", "sv", "sv"),
        ("zh-Hans", "en", "zh-Hans"),
        ("zh-Hant", "zh", "zh-Hant"),
        ("und", "eng", "en"),
        ("und", "pt_BR", "pt-BR"),
        ("und", "Latin", "la"),
        ("de", "und", "de"),
        ("en", "Middle English", "en"),
        ("und", "", "und"),
        ("und", "zh-Hant-TW", "zh-Hant-TW"),
        ("und", "en-/../../../../evil/book", "en"),
        ("und", "en-US/../../x", "en"),
        ("und", "en-" + "a" * 300, "en"),
        ("und", "en-a\0b", "en"),
        ("und", "en-\u017fw", "en"),
        ("und", "sv-/../../evil", "und"),
        ("fr", "s" * 300, "fr"),
    ],
)
def test_what_a_file_says_of_its_language_is_weighed(found, stated, code):
    assert language.settle(found, stated) == code


# Chapters counted in the file by hand: entries of nav and NCX, and what they name.
REAL = [
    ("pride_and_prejudice_en.epub", "en", 61, "Chapter 61", "Pride and Prejudice"),
    ("hongloumeng_zh.epub", "zh-Hans", 120, "第一二零回 甄士隐详说太虚情 贾雨村归结红楼梦", "红楼梦"),
    ("Liber_Esther.epub", "la", 5, "APPENDIX CRITICA", "Latin Vulgate, Esther: Liber Esther"),
]


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared data folder is not here")
@pytest.mark.parametrize(("name", "code", "count", "last", "title"), REAL)
def test_real_books(name, code, count, last, title):
    with open_document(DATA / "formats" / name) as document:
        assert (document.language, len(document.chapters), document.chapters[-1].title) == (code, count, last)
        assert document.title == title and not document.notes
        text = "".join(document.text())
        assert not re.search(r"Project Gutenberg|</?\w+>|&\w+;", text)
