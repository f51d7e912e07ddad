"""What an EPUB says about itself: ``container.xml``, the package file, nav and NCX.

Knows the order of the chapters' files (the spine), the book's title, author and language,
and its table of contents. Knows nothing of what is in the chapters.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import defusedxml.ElementTree
from defusedxml.common import DefusedXmlException

from longread.errors import InputError, UnsupportedError
from longread.reader.formats import markup
from longread.reader.formats.archive import Archive, resolve

CONTAINER, ENCRYPTION = "META-INF/container.xml", "META-INF/encryption.xml"
_PAGES = (
    "application/xhtml+xml",
    "text/html",
    "application/x-dtbook+xml",
    "text/x-oeb1-document",
    "text/xml",
    "application/xml",
)
_ENTRIES, _DEPTH = 50_000, 30


@dataclass(frozen=True)
class Entry:
    """A line of the table of contents: ``member`` and ``fragment`` say where, ``depth`` counts from 1."""

    title: str
    depth: int
    member: str
    fragment: str


@dataclass
class Package:
    """A book's parts. ``spine`` are the members with its text in order, ``nav`` and ``ncx`` the contents'.

    ``missing`` counts the files that are named and not there, ``aside`` those beside the reading order,
    ``others`` those of the reading order that are no pages.
    """

    path: str
    fields: dict[str, str] = field(default_factory=dict)
    spine: list[str] = field(default_factory=list)
    nav: str = ""
    ncx: str = ""
    missing: int = 0
    aside: int = 0
    others: int = 0


def package(archive: Archive) -> Package:
    """The package that ``archive`` holds. Raises ``InputError``, and ``UnsupportedError`` for DRM."""
    found = Package(_package_path(archive))
    root = xml(archive, found.path)
    items: dict[str, ElementTree.Element] = {}
    pages: dict[str, str] = {}
    aside: set[str] = set()
    others: set[str] = set()
    for node in root.iter():
        name = _local(node)
        if name in ("title", "creator", "language") and node.text and node.text.strip():
            found.fields.setdefault({"creator": "author"}.get(name, name), node.text)
        elif name == "item":
            items.setdefault(node.get("id", ""), node)
            if "nav" in (node.get("properties") or "").split():
                found.nav = found.nav or _member(archive, found.path, node)
            if _kind(node) == "application/x-dtbncx+xml":
                found.ncx = found.ncx or _member(archive, found.path, node)
        elif name == "itemref":
            item = items.get(node.get("idref", ""))
            member = _member(archive, found.path, item) if item is not None else ""
            if not member or member not in archive:
                found.missing += 1
            elif item is not None and _kind(item) not in _PAGES:
                others.add(member)
            elif node.get("linear") != "no":
                pages.setdefault(member, member)
            else:
                aside.add(member)
    found.spine = list(pages)
    found.aside = len(aside - {*pages, found.nav})
    found.others = len(others - {*pages})
    if not found.spine:
        raise archive.damaged("it names no chapter that is there")
    _refuse_drm(archive, found)
    return found


def contents(archive: Archive, book: Package) -> list[Entry]:
    """The table of contents, from nav or else from the NCX; empty where neither can be used."""
    for member, read in ((book.nav, _nav), (book.ncx, _ncx)):
        if member in archive:
            try:
                entries = [entry for entry, _ in zip(read(archive, member), range(_ENTRIES), strict=False)]
            except InputError:
                continue  # contents that cannot be read do not make the book unreadable
            if entries:
                return [replace(entry, member=archive.own(entry.member)) for entry in entries]
    return []


def xml(archive: Archive, member: str) -> ElementTree.Element:
    """The root of an XML member; entities and anything outside are refused. Raises ``InputError``."""
    content = archive.read(member)
    try:
        return defusedxml.ElementTree.fromstring(content)
    except DefusedXmlException as error:
        raise InputError(
            f"{archive.name}: {member!r} declares entities, which a book has no need of",
            "do not trust this file",
        ) from error
    except (ElementTree.ParseError, ValueError, LookupError, RecursionError) as error:
        raise archive.damaged(f"{member[:200]!r} is no XML") from error


def _package_path(archive: Archive) -> str:
    for node in xml(archive, CONTAINER).iter():
        if _local(node) == "rootfile" and (place := resolve("", node.get("full-path", ""))):
            return archive.own(place[0])
    raise archive.damaged(f"{CONTAINER} names no package")


def _refuse_drm(archive: Archive, book: Package) -> None:
    """Refuse a book whose words are encrypted; scrambled fonts are no DRM."""
    if ENCRYPTION not in archive:
        return
    words = {*book.spine, book.path}
    for node in xml(archive, ENCRYPTION).iter():
        if _local(node) == "CipherReference":
            place = resolve("", node.get("URI", ""))
            if place and archive.own(place[0]) in words:
                raise UnsupportedError(
                    f"{archive.name} is locked with DRM: its chapters are encrypted",
                    "longread reads books without DRM; ask the seller for one",
                )


def _nav(archive: Archive, member: str) -> Iterator[Entry]:
    """The entries of an EPUB 3 navigation page."""
    tree = markup.parse(markup.decoded(archive.read(member)), xml=True)
    lists = tree.css("nav")
    wanted = [node for node in lists if "toc" in (node.attributes.get("epub:type") or "").split()] or lists[
        :1
    ]
    if not wanted:
        return
    depth, stack = 0, [(wanted[0], True)]
    while stack:
        node, entering = stack.pop()
        if node.tag == "ol":
            depth += 1 if entering else -1
        if not entering:
            continue
        if node.tag == "a":
            place = resolve(member, node.attributes.get("href") or "")
            if place:
                yield Entry(node.text() or "", min(max(depth, 1), _DEPTH), *place)
            continue
        stack.append((node, False))
        stack.extend((child, True) for child in reversed(list(node.iter())))


def _ncx(archive: Archive, member: str) -> Iterator[Entry]:
    """The entries of an EPUB 2 NCX."""
    root = xml(archive, member)
    stack = [(node, 1) for node in root if _local(node) == "navMap"]
    while stack:
        node, depth = stack.pop()
        title = src = ""
        points = []
        for child in node:
            name = _local(child)
            if name == "navLabel":
                title = "".join(child.itertext())
            elif name == "content":
                src = child.get("src", "")
            elif name == "navPoint":
                points.append((child, depth + (_local(node) == "navPoint")))
        if src and (place := resolve(member, src)):
            yield Entry(title, min(depth, _DEPTH), *place)
        stack.extend(reversed(points))


def _local(node: ElementTree.Element) -> str:
    return node.tag.rpartition("}")[2] if isinstance(node.tag, str) else ""


def _kind(item: ElementTree.Element) -> str:
    """The media type of an item without its parameters; a page's where it states none."""
    return (item.get("media-type") or _PAGES[0]).partition(";")[0].strip().lower()


def _member(archive: Archive, base: str, item: ElementTree.Element) -> str:
    place = resolve(base, item.get("href", ""))
    return archive.own(place[0]) if place else ""
