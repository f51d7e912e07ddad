"""Project Gutenberg's words around a book, recognised and left out.

Knows the many wordings of its headers, footers, licences and credits, old and new. A
filter on streamed text: holds at most about ``LIMIT`` characters, and hands them on
unchanged when they turn out to be no boilerplate. Knows nothing of files.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

LIMIT = 1 << 16  # the longest header or footer met is about 20,000 characters

_BEGIN = re.compile(
    r"^[ \t]*(?:"
    r"\*{2,3} ?START OF (?:THE|THIS) PROJECT GUTENBERG[^*]{0,600}?(?:\*{3}|\n\s*\n)"
    r"|\*END[* ]*THE SMALL PRINT[^\n]*"
    r")\s*",
    re.I | re.M,
)
_END = re.compile(
    r"^[ \t]*(?:"
    r"\*{2,3} ?END OF (?:THE|THIS) PROJECT GUTENBERG"
    r"|(?:This is the |The )?End of (?:the |this )?Project Gutenberg"
    r"|\*{3} ?START: FULL LICENSE"
    r"|Updated editions will replace the previous one--the old editions"
    r")",
    re.I | re.M,
)
# "Produced by …" opens many books, in some after the rest of a start marker that broke over two lines.
_CREDITS = re.compile(
    r"\s*+(?:[^\n]{0,90}\*{3}[ \t]*\n\s*+)?"
    r"(?:(?:This (?:e-?book|e-?text|file) was )?(?:produced|prepared|transcribed) (?:by|from)"
    r"|e-?text (?:was )?(?:prepared|produced|scanned) by)\b[^\n]*\n(?:[^\S\n]*+\S[^\n]*+\n){0,8}\s*",
    re.I,
)
# Credits without any of Project Gutenberg's words around: a line or two, which name people. A book may
# begin with "Prepared by years of grief, …".
_BARE_CREDITS = re.compile(
    r"\s*+Produced by [^\W\d_a-z][^\n]{0,90}\n(?:[^\S\n]*+\S[^\n]{0,90}\n)?[^\S\n]*+\n"
)
_NAMED = re.compile("utenberg|pgdp")
_NEAR = 2000  # characters after the credits in which those words may stand
_FIELD = re.compile(r"^(Title|Author|Language):[ \t]*(\S[^\n]*(?:\n[ \t]+\S[^\n]*)*)", re.I | re.M)
_OLD_TITLE = re.compile(
    r"Project Gutenberg(?:'s| E-?(?:text|book) of)? (?!E-?(?:text|book))(.{3,90}?),? by (.{3,60}?)[* ]*$",
    re.I | re.M,
)


@dataclass
class Boilerplate:
    """What was left out: sizes in characters, and the header's fields ``title``, ``author``, ``language``."""

    header: int = 0
    credits: int = 0
    between: int = 0
    footer: int = 0
    fields: dict[str, str] = field(default_factory=dict)

    def words(self) -> tuple[str, ...]:
        """What was left out, in words."""
        parts = (
            ("Project Gutenberg header", self.header),
            ("Project Gutenberg credits", self.credits),
            ("Project Gutenberg footers and headers between books", self.between),
            ("Project Gutenberg footer", self.footer),
        )
        return tuple(f"{what} ({size:,} characters)" for what, size in parts if size)


def strip(pieces: Iterable[str], found: Boilerplate | None = None) -> Iterator[str]:
    """``pieces`` without boilerplate; what was left out is noted in ``found``.

    A footer that another header follows stands between two books of one file: reading
    goes on after it. A "footer" that is not over after ``LIMIT`` characters was none.
    """
    found = found if found is not None else Boilerplate()
    mode, held = "head", ""
    for piece in itertools.chain(pieces, [None]):
        last = piece is None
        held += piece or ""
        while held:
            if mode == "text":
                footer = _END.search(held) if "utenberg" in held or "UTENBERG" in held else None
                if footer:
                    kept = held[: footer.start()].rstrip()
                    if kept:
                        yield kept + "\n"
                        kept += "\n" if held[len(kept) : len(kept) + 1] == "\n" else ""
                    held, mode = held[len(kept) :], "foot"
                    continue
                cut = len(held) if last else _safe_cut(held)
                if cut:
                    yield held[:cut]
                held = held[cut:]
                break
            if len(held) < LIMIT and not last:
                break
            begin = _BEGIN.search(held, 0, LIMIT) if "utenberg" in held[:LIMIT].lower() else None
            if mode == "head":
                held = _after_header(held, begin.end() if begin else 0, found)
            elif begin:
                found.between += begin.end()
                held = held[begin.end() :]
            elif last:
                found.footer += len(held)
                held = ""
            else:
                yield held[:LIMIT]
                held = held[LIMIT:]
            mode = "text"


def _safe_cut(text: str) -> int:
    """Where to cut so that a marker at the end of ``text``, still incomplete, stays with what follows."""
    cut = text.rfind("\n") + 1
    return cut if len(text) - cut < 200 else len(text)


def _after_header(head: str, end: int, found: Boilerplate) -> str:
    """``head`` without header and credits; reads title, author and language from them."""
    if end:
        found.header = end
        header = head[:end]
        for match in _FIELD.finditer(header):
            found.fields.setdefault(match[1].lower(), " ".join(match[2].split()))
        old = _OLD_TITLE.search(header)
        if old:
            found.fields.setdefault("title", old[1].strip())
            found.fields.setdefault("author", old[2].strip())
    credit = _CREDITS.match(head, end)
    if credit and (end or _NAMED.search(head, 0, credit.end() + _NEAR) or _BARE_CREDITS.match(head)):
        found.credits = credit.end() - end
        end = credit.end()
    return head[end:]
