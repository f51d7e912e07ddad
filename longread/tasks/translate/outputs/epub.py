"""A translation as an EPUB 3 made from the EPUB that was translated.

Knows the archive: chapters are rewritten in their places, contents and package file are brought
to the new language, and everything else (images, styles, fonts) is copied as it is. A chapter is
``pages``', the package file and the contents ``book``'s.
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Generator, Iterator, Sequence
from copy import copy
from pathlib import Path
from typing import Any, BinaryIO

from longread.errors import InputError
from longread.reader.formats import epub, gz, opf, stream
from longread.reader.formats.archive import DAMAGE, Absurd, Archive, name_of
from longread.tasks.translate.outputs import book, new_epub, pages, place

BINARY = True
_SIGNED = "META-INF/signatures.xml"  # what is signed there is no longer what it was


def write(translation: Any, layout: str) -> Generator[bytes, None, place.Count | None]:
    """The whole book, from a temporary file; made anew where no EPUB can be read again.

    Returns how many translated paragraphs have no place in it, and what of the book is not there.
    """
    import tempfile

    if not place.rewrites(translation, "epub"):
        yield from new_epub.write(translation, layout)
        return None
    with tempfile.TemporaryFile(prefix="longread-") as held:
        paragraphs = place.pairs(translation)
        count = write_epub(translation.path, paragraphs, held, layout=layout, language=translation.tgt)
        held.seek(0)
        while chunk := held.read(1 << 18):
            yield chunk
    return count


def write_epub(
    source: str | Path,
    paragraphs: Sequence[tuple[str, str]],
    target: BinaryIO,
    *,
    layout: str = "target",
    language: str,
    title: str = "",
) -> place.Count:
    """Write the EPUB at ``source`` to ``target`` with ``paragraphs`` (source, translation) in their places.

    What has no translation stays as it is. ``title`` replaces the book's; without it the title
    is translated where the book itself has it as a paragraph. Raises what reading the book raises.
    """
    data = place.source(source)
    try:
        with Archive(data, "EPUB") as archive:
            package = opf.package(archive)
            blocks = list(_blocks(archive, package))
            spans = place.found(blocks, paragraphs)
            texts = place.said(spans, paragraphs)
            names = book.Names(paragraphs, layout)
            with (
                zipfile.ZipFile(stream.reader(data)) as old,
                zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new,
            ):
                new.writestr(_info("mimetype", zipfile.ZIP_STORED), "application/epub+zip")
                at = 0
                written: set[str] = set()
                drawn: set[str] = set()
                for member in package.spine:
                    page = _page(archive, member)
                    if page is None:
                        continue
                    written.add(member)
                    for number in range(len(page.blocks)):
                        text = texts[at + number]
                        if text is not None:
                            page.put(number, text, layout=layout, language=language)
                    at += len(page.blocks)
                    if page.tree.css_first("svg") is not None:
                        drawn.add(member)
                    new.writestr(_info(member), page.written(language=language, layout=layout))
                made = book.made(archive, package, names, language=language, title=title, drawn=drawn)
                for member, content in made.items():
                    new.writestr(_info(member), content)
                left = _copy(old, new, {"mimetype", *written, *made}, room=gz.most(data.size))
    finally:
        data.close()
    return place.counted(spans, paragraphs, blocks)._replace(left=tuple(left.items()))


def _page(archive: Archive, member: str) -> pages.Page | None:
    """A chapter; None for one that is damaged, which the reader passes over as well."""
    try:
        return pages.Page(epub.tree_of(archive, member)[0], xml=True)
    except Absurd:
        raise
    except InputError:
        return None


def _blocks(archive: Archive, package: opf.Package) -> Iterator[str]:
    for member in package.spine:
        page = _page(archive, member)
        if page is not None:
            yield from (block.text for block in page.blocks)


def _copy(old: zipfile.ZipFile, new: zipfile.ZipFile, done: set[str], room: int) -> dict[str, str]:
    """Every other member as it is; those that stay behind, each with what is wrong with it.

    ``room`` is how many bytes they may unpack to, all together: what holds more was made to fill a disk.
    """
    left: dict[str, str] = {}
    for info in old.infolist():
        name = name_of(info)
        if name in done or name.endswith("/"):
            continue
        done.add(name)
        # A picture with a wrong sum is shown by those who never look at the sum, and is none of ours to drop.
        unsummed = copy(info)
        del unsummed.CRC
        wrong, size = _refused(info), 0
        if not wrong:
            wrong, size = _unpacked(old, unsummed, room)
        if wrong:
            left[name] = wrong
            continue
        room -= size
        stored = zipfile.ZIP_STORED if info.compress_type == zipfile.ZIP_STORED else zipfile.ZIP_DEFLATED
        with old.open(unsummed) as content, new.open(_info(name, stored), "w") as copied:
            shutil.copyfileobj(content, copied, 1 << 18)
    return left


def _refused(info: zipfile.ZipInfo) -> str:
    """Why a member is not even opened, "" for one that may be."""
    if info.filename == _SIGNED:
        return "signs the book as it was"
    if info.filename.startswith("/") or ".." in info.filename.split("/"):
        return "leads out of the book"
    if info.flag_bits & 1:
        return "is encrypted"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # others unpack without a bound
        return "is packed as no EPUB is"
    return ""


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo, room: int) -> tuple[str, int]:
    """What is wrong with a member, "" for nothing, and its bytes; it may hold ``room`` at most.

    It is read to its end, since half of one cannot be taken back from a new archive.
    """
    size = 0
    try:
        with archive.open(info) as content:
            while size <= room and (chunk := content.read(1 << 18)):
                size += len(chunk)
    except (*DAMAGE, RuntimeError):
        return "is damaged", size
    return ("" if size <= room else "grows as no book does"), size


def _info(name: str, how: int = zipfile.ZIP_DEFLATED) -> zipfile.ZipInfo:
    """A member without a date, so that the same translation is the same file."""
    info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    info.compress_type = how
    return info
