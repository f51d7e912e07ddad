"""A translation as the HTML page that it was made from.

Knows how the page is opened and written. What happens in it is ``pages``'.
"""

from __future__ import annotations

import io
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from longread.errors import InputError
from longread.reader import charset
from longread.reader.charset import Charset
from longread.reader.files import Bytes
from longread.reader.formats import html
from longread.tasks.translate.outputs import leaves, pages, place

BINARY = True


def write(translation: Any, layout: str) -> Generator[bytes, None, place.Count | None]:
    """The whole page in one piece; made anew where no page can be read again.

    Returns how many translated paragraphs have no place in it, None where it is made anew.
    """
    if not place.rewrites(translation, "html"):
        lines = [line for leaf in leaves.leaves(translation, layout) for line in leaf.lines]
        style = f"<style>{leaves.STYLE}</style>"
        yield leaves.page(leaves.name(translation), translation.tgt, lines, style).encode("utf-8", "replace")
        return None
    held = io.BytesIO()
    count = write_html(
        translation.path,
        place.pairs(translation),
        held,
        layout=layout,
        language=translation.tgt,
        encoding=str(translation.document.get("encoding") or ""),
    )
    yield held.getvalue()
    return count


def write_html(
    source: str | Path,
    paragraphs: Sequence[tuple[str, str]],
    target: BinaryIO,
    *,
    layout: str = "target",
    language: str,
    title: str = "",
    encoding: str = "",
) -> place.Count:
    """Write the page at ``source`` to ``target`` with ``paragraphs`` (source, translation) in their places.

    What has no translation stays as it is. ``title`` replaces the page's if it is given; ``encoding``
    is the one that the page was read in, by its reported name. Raises what reading the page raises.
    """
    data = place.source(source)
    try:
        content = html.decoded(data, _charset(data, encoding))
    finally:
        data.close()
    xml = html.is_xml(content, data.name)
    page = pages.Page(html.tree_of(content, str(source), xml), xml=xml, web=True)
    blocks = [block.text for block in page.blocks]
    spans = place.found(blocks, paragraphs)
    for number, text in enumerate(place.said(spans, paragraphs)):
        if text is not None:
            page.put(number, text, layout=layout, language=language)
    written = page.written(language=language, layout=layout, title=title)
    target.write(written.encode("utf-8", "replace"))
    return place.counted(spans, paragraphs, blocks)


def _charset(data: Bytes, encoding: str) -> Charset | None:
    """The encoding called ``encoding``, in the variant that the reader finds by itself if it finds that."""
    try:
        found = html.encoding_of(data)
    except InputError:
        found = None
    return found if found and encoding in ("", found.name) else charset.named(encoding) if encoding else None
