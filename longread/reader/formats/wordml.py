"""The body of a Word document as paragraphs, in the order in which they are read.

Knows runs, fields, tables, text boxes, notes, ruby and tracked changes. Knows nothing of files. What
translates a document walks it with the same ``paragraphs`` and so counts as the reader does.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from longread.reader.formats.markup import HIDDEN, IMAGES, NOTES, RUBY

DELETED = ("deleted passage", "deleted passages")
CONTENTS = ("line of contents", "lines of contents")
EMBEDDED = ("embedded document", "embedded documents")
SIGNS = ("sign of a font of signs", "signs of fonts of signs")
_TEXT = {"tab": " ", "ptab": " ", "cr": "\n", "noBreakHyphen": "-"}
_SILENT = frozenset("rPr tblPr trPr tcPr sdtPr instrText delText delInstrText rt Fallback sectPr".split())
# Word's old way to write Greek: letters of the font Symbol, at their places from F000 on or from 0.
_GREEK = dict(zip(range(0x41, 0x5B), "ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ", strict=True))
_GREEK |= dict(zip(range(0x61, 0x7B), "αβχδεφγηιϕκλμνοπθρστυϖωξψζ", strict=True))
_HYPERLINK = re.compile(r"\s*HYPERLINK\b", re.IGNORECASE)
_ENOUGH = 200  # characters of a field's code: its first word says what it is
_HEADINGS = {f"heading {depth}": depth for depth in range(1, 10)}


@dataclass
class Paragraph:
    """A paragraph, a row of a table, or a note; a heading if ``depth`` is not 0.

    ``nodes`` are the elements that hold its words, ``title`` whether it is set as the book's. ``links``
    names, for those of them that stand in a link written as a field, the sign that this field begins with.
    """

    text: str
    depth: int = 0
    title: bool = False
    nodes: list[Any] = field(default_factory=list)
    links: dict[Any, Any] = field(default_factory=dict)


@dataclass
class _Field:
    """A field whose end has not come yet: ``begin`` stands behind so many ``parts`` and ``nodes``.

    ``shows`` is False in its code, True in what it shows. ``link`` is the sign that the innermost link
    around its words begins with, its own or another's.
    """

    begin: Any
    parts: int
    nodes: int
    link: Any
    code: str = ""
    shows: bool = False


@dataclass(frozen=True)
class Styles:
    """What styles mean, by their ids. ``hidden`` are those whose words are not shown."""

    depths: Mapping[str, int]
    titles: frozenset[str]
    contents: frozenset[str]
    hidden: frozenset[str]


def styles(elements: Iterable[Any]) -> Styles:
    """What ``w:style`` elements say; a style that says nothing is like the one it is based on."""
    depths: dict[str, int | None] = {}
    based: dict[str, str] = {}
    names: dict[str, str] = {}
    vanish: dict[str, bool] = {}
    for element in elements:
        own = value(element, "styleId")
        if local(element) != "style" or not own:
            continue
        for child in element.iter():
            tag = local(child)
            if tag == "name" and own not in names:
                names[own] = value(child, "val").casefold()
            elif tag == "basedOn":
                based[own] = value(child, "val")
            elif tag == "outlineLvl" and value(child, "val").isdecimal():
                depths[own] = int(value(child, "val")[:2]) + 1
            elif tag == "vanish":
                vanish[own] = _is_on(child)
        depths[own] = _HEADINGS.get(names.get(own, ""), depths.get(own, 0)) or None
    found = {own: _inherited(own, depths, based) or 0 for own in names}
    return Styles(
        {own: depth for own, depth in found.items() if 0 < depth < 10},
        frozenset(own for own, name in names.items() if name == "title"),
        frozenset(own for own, name in names.items() if name.startswith("toc ")),
        frozenset(own for own in names if _inherited(own, vanish, based)),
    )


def _inherited(own: str, said: Mapping[str, Any], based: Mapping[str, str]) -> Any:
    """What a style says, or the nearest one below it that says something; None where none does."""
    for _ in range(20):
        if said.get(own) is not None or own not in based:
            break
        own = based[own]
    return said.get(own)


def paragraphs(
    body: Any, known: Styles, notes: Mapping[tuple[str, str], Any], left: Counter[tuple[str, str]]
) -> Iterator[Paragraph]:
    """The paragraphs below ``body`` in order. What is no text is counted in ``left``.

    What stands in a text box follows the paragraph that it is fixed to, and so does a note the
    one that refers to it; ``notes`` are their elements by kind (``footnote``, ``endnote``) and id.
    """
    walk = _Walk(known, notes, left)
    stack = [(body, True)]
    while stack:
        node, entering = stack.pop()
        if not entering:
            if node is walk.top:
                done, after = walk.close()
                stack.extend((other, True) for other in reversed(after))
                if done:
                    yield done
        elif walk.enters(node, local(node)):
            stack.append((node, False))
            stack.extend((child, True) for child in reversed(node))


def local(node: Any) -> str:
    """An element's name without its namespace; empty for comments and the like."""
    return node.tag.rpartition("}")[2] if isinstance(node.tag, str) else ""


def value(node: Any, name: str) -> str:
    """The attribute ``name`` of any namespace."""
    return next((own for key, own in node.attrib.items() if key.rpartition("}")[2] == name), "")


def is_link(code: str) -> bool:
    """Whether the ``code`` of a field makes what it shows a link."""
    return bool(_HYPERLINK.match(code))


def is_hidden(run: Any, styles: frozenset[str] = frozenset(), paragraph: str = "") -> bool:
    """Whether Word does not show the words of a ``w:r``: by what it says itself, or else by its style or that
    of its ``paragraph``, if they are among the hidden ``styles``."""
    styled = paragraph in styles
    for properties in run:
        for said in properties if local(properties) == "rPr" else ():
            if local(said) == "vanish":
                return _is_on(said)
            if local(said) == "rStyle" and value(said, "val") in styles:
                styled = True
    return styled


def _is_on(switch: Any) -> bool:
    return value(switch, "val") not in ("0", "false", "off")


def sign(node: Any) -> str:
    """The Greek letter that a ``w:sym`` is, "" for any other sign and any other element."""
    if local(node) != "sym" or value(node, "font").casefold() != "symbol":
        return ""
    try:
        return _GREEK.get(int(value(node, "char"), 16) & 0xFFF, "")
    except ValueError:
        return ""


class _Walk:
    """What is gathered of the paragraph at hand, which ends with the element ``top``."""

    def __init__(
        self, known: Styles, notes: Mapping[tuple[str, str], Any], left: Counter[tuple[str, str]]
    ) -> None:
        self.top: Any = None
        self._known, self._left, self._notes = known, left, dict(notes)
        self._parts: list[str] = []
        self._nodes: list[Any] = []
        self._links: dict[Any, Any] = {}
        self._fields: list[_Field] = []
        self._after: list[Any] = []
        self._style = ""
        self._depth = 0

    def enters(self, node: Any, tag: str) -> bool:
        """Take what ``node`` says; whether its children are to be looked at."""
        if tag in ("del", "moveFrom"):
            self._left[DELETED] += 1
        elif tag == "rt":
            self._left[RUBY] += 1
        elif tag == "altChunk":
            self._left[EMBEDDED] += 1
        elif tag == "instrText":
            self._turn(node)
        if not tag or tag in _SILENT or tag in ("del", "moveFrom"):
            return False
        if self.top is None:
            if tag == "p" or (tag == "tr" and _is_line(node)):
                self.top = node.getnext() if _is_drop_cap(node) else node
                self._parts, self._nodes, self._after, self._style, self._depth = [], [], [], "", 0
                self._links, self._fields = {}, []
            return True
        if tag == "pPr":
            return self._read_properties(node)
        if tag == "r" and is_hidden(node, self._known.hidden, self._style):
            self._pass_over(node)
            return False
        if tag == "t":
            self._parts.append(node.text or "")
            self._nodes.append(node)
            if self._fields and self._fields[-1].link is not None:
                self._links[node] = self._fields[-1].link
        elif tag == "p":
            self._fields = []
        elif tag == "fldChar":
            self._turn(node)
        elif tag == "br":
            self._parts.append("" if value(node, "type") in ("page", "column") else "\n")
        elif tag == "tc" and "".join(self._parts).strip():
            self._parts.append(" | ")
        elif tag in ("footnoteReference", "endnoteReference"):
            self._left[NOTES] += 1
            note = self._notes.pop((tag.removesuffix("Reference"), value(node, "id")), None)
            if note is not None:
                self._after.append(note)
        elif tag in ("blip", "imagedata"):
            self._left[IMAGES] += 1
        elif tag == "sym":
            self._parts.append(sign(node))
            self._left[SIGNS] += not sign(node)
        elif tag == "txbxContent":
            self._after.append(node)
            return False
        else:
            self._parts.append(_TEXT.get(tag, ""))
        return True

    def _pass_over(self, run: Any) -> None:
        """Leave out the words of a run that is not shown; a field may begin or end there all the same."""
        for child in run:
            if local(child) in ("fldChar", "instrText"):
                self._turn(child)
        self._left[HIDDEN] += any(local(node) == "t" and (node.text or "").strip() for node in run.iter())

    def _turn(self, node: Any) -> None:
        """Begin a field, take its code, go on from it to what the field shows, or end it.

        The words of fields within a code are part of it and no text. They are dropped when the code
        ends, so that one without an end takes no word from a damaged paragraph.
        """
        kind = value(node, "fldCharType")
        if local(node) == "instrText":
            if self._fields and len(self._fields[-1].code) < _ENOUGH:
                self._fields[-1].code += node.text or ""
        elif kind == "begin":
            around = self._fields[-1].link if self._fields else None
            self._fields.append(_Field(node, len(self._parts), len(self._nodes), around))
        elif self._fields and kind in ("separate", "end"):
            latest = self._fields[-1]
            if not latest.shows:
                del self._parts[latest.parts :], self._nodes[latest.nodes :]
                latest.shows = True
                if is_link(latest.code):
                    latest.link = latest.begin
            if kind == "end":
                self._fields.pop()

    def _read_properties(self, node: Any) -> bool:
        for child in node:
            if local(child) == "pStyle":
                self._style = value(child, "val")
            elif local(child) == "outlineLvl" and value(child, "val") in tuple("012345678"):
                self._depth = int(value(child, "val")) + 1
        return False

    def close(self) -> tuple[Paragraph | None, list[Any]]:
        """The paragraph at hand, and the elements that are read after it."""
        row, self.top = local(self.top) == "tr", None
        text = "".join(self._parts)
        if row:
            text = " ".join(text.split())
        if not text.strip():
            return None, self._after
        if self._style in self._known.contents:
            self._left[CONTENTS] += 1
            return None, self._after
        depth = 0 if row else self._depth or self._known.depths.get(self._style, 0)
        return Paragraph(
            text, depth, self._style in self._known.titles, self._nodes, self._links
        ), self._after


def _is_drop_cap(paragraph: Any) -> bool:
    """Whether a paragraph is the large letter that the next one begins with, which Word sets apart."""
    after = paragraph.getnext()
    if after is None or local(paragraph) != "p" or local(after) != "p":
        return False
    frames = (
        frame for said in paragraph if local(said) == "pPr" for frame in said if local(frame) == "framePr"
    )
    return any(value(frame, "dropCap") in ("drop", "margin") for frame in frames)


def _is_line(row: Any) -> bool:
    """Whether a row of a table is one line of words: no cell holds two paragraphs or a table."""
    for cell in row.iter():  # it may stand in a content control
        if local(cell) == "tc":
            tags = [local(node) for node in cell.iter()]
            if "tbl" in tags or "txbxContent" in tags or sum(tag == "p" for tag in tags) > 1:
                return False
    return True
