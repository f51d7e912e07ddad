"""The pairs of a translation as TMX 1.4b, which translators' programs read.

Knows the elements of TMX and what XML cannot hold. Segments that failed are left out:
a translation memory is for translations.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from longread.tasks.translate.segments import Translation

BINARY = False
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(translation: Translation, layout: str) -> Iterator[str]:
    """The whole document, a unit at a time."""
    yield '<?xml version="1.0" encoding="UTF-8"?>\n<tmx version="1.4">\n'
    yield (
        '<header creationtool="longread" creationtoolversion="1" segtype="sentence" o-tmf="longread" '
        f'adminlang="en" srclang={quoteattr(translation.src)} datatype="plaintext"/>\n<body>\n'
    )
    for segment in translation.segments:
        if segment.ok:
            yield f'<tu><prop type="paragraph">{segment.paragraph}</prop>'
            yield _variant(translation.src, segment.source) + _variant(translation.tgt, segment.target)
            yield "</tu>\n"
    yield "</body>\n</tmx>\n"


def _variant(language: str, text: str) -> str:
    return f"<tuv xml:lang={quoteattr(language)}><seg>{escape(_ILLEGAL.sub('', text))}</seg></tuv>"
