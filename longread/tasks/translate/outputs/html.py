"""A translation as the HTML page that it was made from.

Knows how the page is opened and written. What happens in it is ``pages``'.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from longread.reader.formats import html, markup
from longread.tasks.translate.outputs import leaves, pages, place

BINARY = True


def write(translation: Any, layout: str) -> Iterator[bytes]:
    """The whole page in one piece; made anew where no page can be read again."""
    import io

    if not place.rewrites(translation, "html"):
        lines = [line for leaf in leaves.leaves(translation, layout) for line in leaf.lines]
        style = f"<style>{leaves.STYLE}</style>"
        yield leaves.page(leaves.name(translation), translation.tgt, lines, style).encode("utf-8", "replace")
        return
    held = io.BytesIO()
    write_html(translation.path, place.pairs(translation), held, layout=layout, language=translation.tgt)
    yield held.getvalue()


def write_html(
    source: str | Path,
    paragraphs: Sequence[tuple[str, str]],
    target: BinaryIO,
    *,
    layout: str = "target",
    language: str,
    title: str = "",
) -> int:
    """Write the page at ``source`` to ``target`` with ``paragraphs`` (source, translation) in their places.

    What has no translation stays as it is. ``title`` replaces the page's if it is given. How
    many paragraphs were put in place. Raises what reading the page raises.
    """
    data = place.source(source)
    try:
        content = html.decoded(data)
    finally:
        data.close()
    page = pages.Page(html.tree_of(content, str(source), xml=html.is_xml(content)), xml=False)
    texts = place.aligned([block.text for block in page.blocks], paragraphs)
    for number, text in enumerate(texts):
        if text is not None:
            page.put(number, text, layout=layout, language=language)
    written = page.written(language=language, layout=layout, title=title)
    target.write(_declaring_utf8(written).encode("utf-8", "replace"))
    return sum(text is not None for text in texts)


def _declaring_utf8(page: str) -> str:
    """The page with its encoding said first, whatever it said before."""
    page = markup.DECLARATION.sub("", page)
    start = page.find("<head>")
    mark = '<meta charset="utf-8">'
    return page[: start + 6] + mark + page[start + 6 :] if start >= 0 else page
