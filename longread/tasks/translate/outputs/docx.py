"""A translation as the Word document that it was made from.

Knows how the words of a paragraph or a note are replaced and a package is saved. Styles, pictures
and tables stay what they are. Walks the document with the reader's own ``wordml.paragraphs``.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from lxml import etree

from longread.reader.formats import docx, wordml
from longread.tasks.translate.outputs import leaves, place
from longread.tasks.translate.outputs.pages import LINK
from longread.tasks.translate.outputs.txt import lines

BINARY = True
_SPACE = "{http://www.w3.org/XML/1998/namespace}space"
_WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"

_AMONG = tuple(_WORD + name for name in ("tab", "ptab", "br", "cr"))
_HYPHENS = tuple(_WORD + name for name in ("noBreakHyphen", "softHyphen"))


def write(translation: Any, layout: str) -> Generator[bytes, None, place.Count | None]:
    """The whole document in one piece; made anew where none can be read again.

    Returns how many translated paragraphs have no place in it, None where it is made anew.
    """
    held = io.BytesIO()
    if not place.rewrites(translation, "docx"):
        _new(translation, layout).save(held)
        yield held.getvalue()
        return None
    paragraphs = place.pairs(translation)
    count = write_docx(translation.path, paragraphs, held, layout=layout, language=translation.tgt)
    yield held.getvalue()
    return count


def _new(translation: Any, layout: str) -> Any:
    """A document in Word's own styles, a heading where the source had one."""
    from docx import Document

    document = Document()
    document.core_properties.title = leaves.allowed(leaves.name(translation))[:255]
    document.core_properties.language = translation.tgt
    for paragraph, segments in translation.by_paragraph():
        for line in lines(segments, layout, translation.tgt):
            style = "Heading 1" if paragraph.heading else None
            document.add_paragraph(leaves.allowed(line), style)
    return document


def write_docx(
    source: str | Path,
    paragraphs: Sequence[tuple[str, str]],
    target: BinaryIO,
    *,
    layout: str = "target",
    language: str,
    title: str = "",
) -> place.Count:
    """Write the document at ``source`` to ``target`` with ``paragraphs`` (source, translation) in place.

    What has no translation stays as it is. Raises what reading the document raises.
    """
    from docx.opc.oxml import serialize_part_xml

    data = place.source(source)
    try:
        document = docx.load(data)
    finally:
        data.close()
    known, parts = wordml.styles(docx.styles_of(document)), docx.note_parts(document)
    blocks = list(wordml.paragraphs(document.element.body, known, docx.notes_in(parts), Counter()))
    spans = place.found([block.text for block in blocks], paragraphs)
    placed = [
        span
        for block, span, text in zip(blocks, spans, place.said(spans, paragraphs), strict=True)
        if text is not None and _put(block, text, layout)
    ]
    for _, part, root in parts:
        # python-docx keeps these parts as bytes, and has no word for new ones.
        part._blob = serialize_part_xml(root)
    document.core_properties.language = language
    if title:
        document.core_properties.title = leaves.allowed(title)
    document.save(target)
    return place.counted(placed, paragraphs, [block.text for block in blocks])


def _put(block: wordml.Paragraph, text: str, layout: str) -> bool:
    """Set ``text`` where the words were, or on a line below; of a row of a table, in its cells.

    False where there are no words.
    """
    text = leaves.allowed(text)
    spoken: dict[Any, list[Any]] = {}
    for node in block.nodes:
        if (node.text or "").strip():
            spoken.setdefault(next(node.iterancestors(f"{_WORD}tc"), None), []).append(node)
    parts = place.by_cells(block.text, text, len(spoken))
    sets = list(spoken.values()) if parts else [[node for nodes in spoken.values() for node in nodes]]
    for nodes, part in zip(sets, parts or [text], strict=True):
        if nodes and layout == "bilingual":
            _add(nodes[-1], part)
        elif nodes:
            _replace(nodes, part, block.links)
    if layout != "bilingual" and any(sets):
        for node in block.nodes:
            if not (node.text or "").strip():
                node.text = ""
                _unwrap(node)
    return any(sets)


def _add(last: Any, text: str) -> None:
    """Set ``text`` on a line below the words that end in ``last``."""
    added = last.makeelement(f"{_WORD}t", {_SPACE: "preserve"})
    added.text = text
    last.addnext(added)
    added.addprevious(last.makeelement(f"{_WORD}br", {}))


def _replace(nodes: list[Any], text: str, fields: Mapping[Any, Any]) -> None:
    """Set ``text`` in the place of what ``nodes`` say, in the look that most of their letters have.

    Links stay where they are; one among other words is left a sign instead of its own. ``fields`` are
    the links that are no elements around their words.
    """
    own = {node: fields.get(node, _link(node)) for node in nodes}
    _clear_between(nodes)
    free = [node for node in nodes if own[node] is None] or nodes
    looks: Counter[bytes] = Counter()
    for node in free:
        looks[_look(node)] += len(place.letters(node.text))
    main = max(free, key=lambda node: looks[_look(node)])  # the first of them
    links = {own[main]}
    for node in nodes:
        link = own[node]
        node.text = text if node is main else "" if link in links or link is None else LINK
        links.add(link)
        _unwrap(node)
    main.set(_SPACE, "preserve")


def _link(node: Any) -> Any:
    """The element of a link that ``node`` stands in, or None."""
    return next(
        (
            above
            for above in node.iterancestors(f"{_WORD}hyperlink", f"{_WORD}fldSimple")
            if wordml.local(above) == "hyperlink" or wordml.is_link(wordml.value(above, "instr"))
        ),
        None,
    )


def _look(node: Any) -> bytes:
    """What the run of ``node`` says of its looks."""
    said = node.getparent().find(f"{_WORD}rPr")
    return b"" if said is None else etree.tostring(said, with_tail=False)


def _clear_between(nodes: list[Any]) -> None:
    """Take away the tabs, line breaks and hyphens among the words of ``nodes``, which are gone.

    A tab before the first word or a break after the last is no part of them and stays; a
    hyphen, or a letter written as a sign, is part of a word wherever it stands.
    """
    held = set(nodes)
    for paragraph in {next(node.iterancestors(f"{_WORD}p"), None) for node in nodes} - {None}:
        signs = [
            sign
            for sign in paragraph.iter(f"{_WORD}t", f"{_WORD}sym", *_AMONG, *_HYPHENS)
            if sign in held
            or (_shown(sign.getparent()) and next(sign.iterancestors(f"{_WORD}p")) is paragraph)
        ]
        places = [at for at, sign in enumerate(signs) if sign in held]
        for at, sign in enumerate(signs):
            among = sign.tag in _AMONG and places[0] < at < places[-1]
            if (
                sign.tag in _HYPHENS
                or wordml.sign(sign)
                or (among and wordml.value(sign, "type") not in ("page", "column"))
            ):
                sign.getparent().remove(sign)


def _shown(run: Any) -> bool:
    """Whether an element is a run, of which the words can be seen."""
    return run.tag == f"{_WORD}r" and not wordml.is_hidden(run)


def _unwrap(node: Any) -> None:
    """Take the ruby away that ``node`` stands in: its reading is that of words that are gone.

    What is in it becomes part of the run around it, since Word breaks no line within a ruby.
    """
    for ruby in list(node.iterancestors(f"{_WORD}ruby")):
        run = ruby.getparent()
        if run is None or run.tag != f"{_WORD}r":
            continue
        for inner in list(ruby.iterfind(f"{_WORD}rubyBase//{_WORD}r")):
            for child in list(inner):
                if child.tag != f"{_WORD}rPr":
                    ruby.addprevious(child)
        run.remove(ruby)
