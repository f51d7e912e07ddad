"""The body of a Word document as paragraphs, in the order in which they are read.

Knows runs, tables, text boxes, notes, ruby and tracked changes. Knows nothing of files. What
translates a document walks it with the same ``paragraphs`` and so counts as the reader does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from longread.reader.formats.markup import IMAGES, NOTES, RUBY

DELETED = ("deleted passage", "deleted passages")
CONTENTS = ("line of contents", "lines of contents")
SIGNS = ("sign of a font of signs", "signs of fonts of signs")
_TEXT = {"tab": " ", "ptab": " ", "cr": "\n", "noBreakHyphen": "-"}
_SILENT = frozenset("rPr tblPr trPr tcPr sdtPr instrText delText delInstrText rt Fallback sectPr".split())
# Word's old way to write Greek: letters of the font Symbol, at their places from F000 on or from 0.
_GREEK = dict(zip(range(0x41, 0x5B), "ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ", strict=True))
_GREEK |= dict(zip(range(0x61, 0x7B), "αβχδεφγηιϕκλμνοπθρστυϖωξψζ", strict=True))
_HEADINGS = {f"heading {depth}": depth for depth in range(1, 10)}


@dataclass
class Paragraph:
    """A paragraph, a row of a table, or a note; a heading if ``depth`` is not 0.

    ``nodes`` are the elements that hold its words, ``title`` whether it is set as the book's.
    """

    text: str
    depth: int = 0
    title: bool = False
    nodes: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class Styles:
    """What paragraph styles mean, by their ids."""

    depths: Mapping[str, int]
    titles: frozenset[str]
    contents: frozenset[str]


def styles(elements: Iterable[Any]) -> Styles:
    """What ``w:style`` elements say; a style that says nothing is like the one it is based on."""
    depths: dict[str, int] = {}
    based: dict[str, str] = {}
    names: dict[str, str] = {}
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
        depths[own] = _HEADINGS.get(names.get(own, ""), depths.get(own, 0))
    for own in names:
        at, steps = own, 0
        while not depths.get(at) and at in based and steps < 20:
            at, steps = based[at], steps + 1
        depths[own] = depths.get(at, 0)
    return Styles(
        {own: depth for own, depth in depths.items() if 0 < depth < 10},
        frozenset(own for own, name in names.items() if name == "title"),
        frozenset(own for own, name in names.items() if name.startswith("toc ")),
    )


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
        self._after: list[Any] = []
        self._style = ""
        self._depth = 0

    def enters(self, node: Any, tag: str) -> bool:
        """Take what ``node`` says; whether its children are to be looked at."""
        if tag in ("del", "moveFrom"):
            self._left[DELETED] += 1
        elif tag == "rt":
            self._left[RUBY] += 1
        if not tag or tag in _SILENT or tag in ("del", "moveFrom"):
            return False
        if self.top is None:
            if tag == "p" or (tag == "tr" and _is_line(node)):
                self.top = node.getnext() if _is_drop_cap(node) else node
                self._parts, self._nodes, self._after, self._style, self._depth = [], [], [], "", 0
            return True
        if tag == "pPr":
            return self._read_properties(node)
        if tag == "t":
            self._parts.append(node.text or "")
            self._nodes.append(node)
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
        return Paragraph(text, depth, self._style in self._known.titles, self._nodes), self._after


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
    for cell in row:
        if local(cell) == "tc":
            tags = [local(node) for node in cell.iter()]
            if "tbl" in tags or "txbxContent" in tags or sum(tag == "p" for tag in tags) > 1:
                return False
    return True
