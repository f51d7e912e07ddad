"""The package file and the contents of an EPUB, brought to another language and to EPUB 3.

Knows what EPUB 3 wants of a package that EPUB 2 did not, and how the entries of nav and NCX get
the words of the headings they name. Knows no chapter.
"""

from __future__ import annotations

import html
import posixpath
from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from lxml import etree

from longread.errors import InputError
from longread.reader.formats import markup, opf
from longread.reader.formats.archive import Archive, resolve
from longread.tasks.translate.outputs import leaves, pages
from longread.tasks.translate.outputs.place import direction, letters

_XML = "{http://www.w3.org/XML/1998/namespace}"
_DC = "http://purl.org/dc/elements/1.1/"
_PAGE = "application/xhtml+xml"
_HEADING = 300  # characters; what is longer is no entry of a table of contents


class Names:
    """What the entries of the contents are called now: as the paragraphs with the same letters.

    ``both`` in the bilingual layout: the old name and the new.
    """

    def __init__(self, paragraphs: Sequence[tuple[str, str]], layout: str) -> None:
        self.both = layout == "bilingual"
        self._known: dict[str, str] = {}
        for source, target in paragraphs:
            if len(source) <= _HEADING:
                self._known.setdefault(letters(source).casefold(), leaves.allowed(target))

    def of(self, text: str) -> str | None:
        """The new words for ``text``, None where it was not translated."""
        found = self._known.get(letters(text).casefold())
        return f"{' '.join(text.split())} · {found}" if found and self.both else found


def made(
    archive: Archive, package: opf.Package, names: Names, *, language: str, title: str, drawn: set[str]
) -> dict[str, str]:
    """The members that change besides the chapters: package file, nav and NCX, by their names.

    ``drawn`` are the chapters with pictures in SVG, which EPUB 3 wants to be told of.
    """
    root = _xml(archive.read(package.path))
    new: dict[str, str] = {}
    nav = package.nav if package.nav in archive else ""
    if nav and nav not in package.spine:
        with suppress(InputError):  # contents that cannot be read stay as they are, as for the reader
            new[nav] = _nav(archive, nav, names, language)
    elif not nav:
        nav = posixpath.join(posixpath.dirname(package.path), "longread-nav.xhtml")
        new[nav] = _new_nav(archive, package, names, language, nav)
        item = {"id": "longread-nav", "href": "longread-nav.xhtml", "media-type": _PAGE, "properties": "nav"}
        _add(_part(root, "manifest"), "item", item)
    if package.ncx in archive:
        with suppress(InputError, etree.XMLSyntaxError):
            new[package.ncx] = _ncx(archive, package.ncx, names, language)
    _describe(root, names, language, title)
    if not names.both:
        _turn(_part(root, "spine"), language)
    for item in root.iter("{*}item"):
        place = resolve(package.path, item.get("href", ""))
        if item.get("media-type") == "application/x-dtbncx+xml":
            _part(root, "spine").set("toc", item.get("id", ""))
        member, said = archive.own(place[0]) if place else "", item.get("properties", "").split()
        if member in package.spine:
            item.set("media-type", _PAGE)  # EPUB 2 knew others
        if member in drawn and "svg" not in said:
            item.set("properties", " ".join([*said, "svg"]))
    new[package.path] = _text(root)
    return new


def _turn(spine: Any, language: str) -> None:
    """Pages follow one another as the lines of ``language`` run."""
    spine.attrib.pop("page-progression-direction", None)
    if direction(language) == "rtl":
        spine.set("page-progression-direction", "rtl")


def _describe(root: Any, names: Names, language: str, title: str) -> None:
    """Language and title, and what EPUB 2 allowed and EPUB 3 does not."""
    root.set("version", "3.0")
    metadata = _part(root, "metadata")
    for nested in metadata.findall("{*}dc-metadata") + metadata.findall("{*}x-metadata"):
        metadata.extend(list(nested))
        metadata.remove(nested)
    seen: set[str] = set()
    for node in list(metadata):
        if not isinstance(node.tag, str):
            continue
        for name in [name for name in node.attrib if name[0] == "{" and not name.startswith(_XML)]:
            del node.attrib[name]  # opf:role, xsi:type and the like
        tag = node.tag.removeprefix(f"{{{_DC}}}")
        if tag in ("date", "language") and tag in seen:
            metadata.remove(node)
        if tag == "language":
            node.text = language
        elif tag == "title" and "title" not in seen:
            node.text = leaves.allowed(title) or names.of(node.text or "") or node.text
        seen.add(tag)
        if node.get("property") == "dcterms:modified":
            seen.add("modified")
    if "modified" not in seen:
        node = _add(metadata, "meta", {"property": "dcterms:modified"})
        node.text = "2000-01-01T00:00:00Z"  # no clock: the same translation is the same file


def _part(root: Any, name: str) -> Any:
    """The part of a package called ``name``; readers find it without its namespace, and do without it."""
    found = root.find(f"{{*}}{name}")
    return found if found is not None else _add(root, name, {})


def _add(parent: Any, name: str, attributes: dict[str, str]) -> Any:
    """A new element in ``parent``, in the namespace that it has itself."""
    space = etree.QName(parent).namespace
    return etree.SubElement(parent, f"{{{space}}}{name}" if space else name, attributes)


def _nav(archive: Archive, member: str, names: Names, language: str) -> str:
    page = pages.Page(markup.parse(markup.decoded(archive.read(member)), xml=True), xml=True)
    for number, block in enumerate(page.blocks):
        text = names.of(block.text)
        if text:
            page.put(number, text, layout="target", language=language)
    return page.written(language=language, layout="target")


def _new_nav(archive: Archive, package: opf.Package, names: Names, language: str, member: str) -> str:
    """A navigation page, which EPUB 3 cannot be without, from the NCX or else from the spine."""
    entries = opf.contents(archive, package) or [
        opf.Entry(package.fields.get("title", "1"), 1, package.spine[0], "")
    ]
    depth, parts = 0, []
    for entry in entries:
        level = min(max(entry.depth, 1), depth + 1)
        parts.append("<ol>" if level > depth else "</li>" + "</ol></li>" * (depth - level))
        depth = level
        href = quote(posixpath.relpath(entry.member, posixpath.dirname(member) or "."))
        href += f"#{quote(entry.fragment)}" if entry.fragment else ""
        label = names.of(entry.title) or " ".join(entry.title.split()) or "·"
        parts.append(f'<li><a href="{html.escape(href)}">{html.escape(label)}</a>')
    parts.append("</li></ol>" * depth)
    body = f'<nav epub:type="toc">{"".join(parts)}</nav>'
    page = f"<html><head><title>nav</title></head><body>{body}</body></html>"
    return pages.Page(markup.parse(page), xml=True).written(language=language, layout="target")


def _ncx(archive: Archive, member: str, names: Names, language: str) -> str:
    root = _xml(archive.read(member))
    root.set(f"{_XML}lang", language)
    for node in root.iter("{*}text"):
        node.text = names.of("".join(node.itertext())) or node.text
    return _text(root)


def _xml(content: bytes) -> Any:
    # The reader has refused entities already; nothing is fetched or filled in here either.
    return etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))


def _text(root: Any) -> str:
    return '<?xml version="1.0" encoding="utf-8"?>\n' + etree.tostring(root, encoding="unicode")
