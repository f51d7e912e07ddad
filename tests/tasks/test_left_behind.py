"""The files of an EPUB that its translation is without, and what is said of them."""

from __future__ import annotations

import zipfile

import pytest

from longread.tasks.translate.outputs.epub import write_epub
from longread.tasks.translate.report import without
from tests.reader import builders

PAGES = {"a.xhtml": builders.page("T", "<p>One.</p>")}


def locked(data, name):
    """The archive with ``name`` marked as encrypted, before its content and in the list at the end."""
    held, sign = bytearray(data), name.encode()
    held[data.index(sign) - 30 + 6] |= 1
    held[data.rindex(sign) - 46 + 8] |= 1
    return bytes(held)


def written(folder, data):
    """The names in the translation of the EPUB ``data``, and what it is without."""
    source = builders.write(folder / "a.epub", data)
    with open(folder / "b.epub", "wb") as file:
        count = write_epub(source, [("One.", "Eins.")], file, language="de")
    with zipfile.ZipFile(folder / "b.epub") as book:
        assert book.testzip() is None and count[:2] == (1, 0)
        return book.namelist(), count.left


def test_files_that_stay_behind_are_named_each_with_what_is_wrong(tmp_path):
    extra = {
        "OEBPS/images/": "",
        "OEBPS/images/i.png": b"\x89PNG" * 9,
        "META-INF/x/../../../out": "no",
        "/etc/passwd": "no",
        "/etc/": "",
        "META-INF/signatures.xml": "<signatures/>",
        "OEBPS/secret.png": b"\x89PNG" * 9,
        "OEBPS/torn.png": b"\x00" * 5000,
        "OEBPS/bomb.png": bytes(65 << 20),
    }
    data = locked(builders.package(PAGES, extra=extra), "OEBPS/secret.png")
    at = data.index(b"OEBPS/torn.png") + len("OEBPS/torn.png")
    source = builders.write(tmp_path / "a.epub", data[:at] + b"\xff" * 4 + data[at + 4 :])
    with zipfile.ZipFile(source, "a") as book:
        book.writestr("OEBPS/k.png", b"\x89PNG", zipfile.ZIP_BZIP2)
    names, left = written(tmp_path, source.read_bytes())
    assert left == (
        ("META-INF/x/../../../out", "leads out of the book"),
        ("/etc/passwd", "leads out of the book"),
        ("META-INF/signatures.xml", "signs the book as it was"),
        ("OEBPS/secret.png", "is encrypted"),
        ("OEBPS/torn.png", "is damaged"),
        ("OEBPS/bomb.png", "grows as no book does"),
        ("OEBPS/k.png", "is packed as no EPUB is"),
    )
    assert "OEBPS/images/i.png" in names and not {*names} & {name for name, _ in left}


@pytest.mark.parametrize("ncx", [False, True])
def test_a_book_that_is_sound_leaves_nothing_behind(tmp_path, ncx):
    names, left = written(tmp_path, builders.package(PAGES, {"toc.ncx": "<ncx/>"} if ncx else None))
    assert left == () and "OEBPS/a.xhtml" in names


def test_few_files_are_named_many_are_counted_and_no_name_steers():
    assert without([("a.png", "is damaged")]) == (
        "1 file of the book is not in its translation: 'a.png' is damaged"
    )
    many = [(f"{number}.png", "is encrypted") for number in range(1_003)]
    assert without(many) == (
        "1,003 files of the book are not in its translation: '0.png' is encrypted, '1.png' is encrypted, "
        "'2.png' is encrypted, and 1,000 more"
    )
    assert "more" not in without(many[:3])
    said = without([("\x1b[31m\u202e\n'\udce9.png", "is damaged"), ("x" * 65_000 + ".png", "is damaged")])
    assert said.isprintable() and len(said) < 250 and "\\x1b[31m\\u202e\\n" in said and "…" in said
    assert ".png' is damaged" in said[-20:]
