"""Collects what may be headings from streamed text.

Knows how to look at every line's beginning without touching the rest, and at the lines
around a find: blank ones before and after, a title that follows. Holds one piece of text
and a few thousand characters besides. Whether a find is a chapter, ``outline`` decides.
"""

from __future__ import annotations

import re

from longread.reader import headings, numerals
from longread.reader.headings import Heading
from longread.reader.outline import MOST, Candidate

_BEHIND, _AHEAD = 512, 4096
_LINES_AHEAD = 9


def _any_of(words: str) -> str:
    """A pattern for any of ``words`` (parted by |) with a capital first letter, fast to fail."""
    by_first: dict[str, set[str]] = {}
    for word in words.split("|"):
        by_first.setdefault(word[0].upper(), set()).add(word[1:])
    return "|".join(f"{first}(?i:{'|'.join(sorted(rests))})" for first, rests in sorted(by_first.items()))


_CJK_FIRST = "第卷楔緣引序自前言尾終终後后跋附プエあまはお０-９" + numerals.CJK_DIGITS
_BEGINNINGS = (
    r"\n[ \t\f\u3000\u00a0*_=~|>\-\[「『【]*(?:"  # a form feed begins a page of pdftotext's
    rf"(?:{_any_of(headings.KEYWORDS + '|' + headings.NAMED)})\b"
    r"|§|[IVXLC]{1,9}(?![^\W_])|\d{1,3}(?![^\W_])"
    rf"|[{_CJK_FIRST}]"
    rf"|[A-ZÀ-ÞА-ЯЁ][^\W\d_]{{2,24}}(?:[- ][^\W\d_]{{2,20}}){{0,2}}\.?[ \t]+(?i:{headings.KEYWORDS})\b"
    r"|(?P<caps>[\"'“«_]?[A-ZÀ-ÞА-ЯЁ][^a-zß-öø-ÿа-яё\n]{2,74}(?=\n[ \t\f]*\n|\n?\Z))"
    r")"
)
_MARKDOWN = (
    r"(?P<marked>\n {0,3}(?:#{1,6}[ \t\n]|```|~~~|={3,}[ \t]*(?=\n)|-{3,}[ \t]*(?=\n)))|" + _BEGINNINGS
)
_OPENING = re.compile(r"\n[^\n]{1,60}?(?P<heading>第[一1１][回章])")


class Finder:
    """Walks streamed text and keeps the candidates, at most ``MOST`` strong and as many weak ones.

    ``capped`` says that there were more strong ones.
    """

    def __init__(self, markdown: bool = False) -> None:
        self.capped = False
        self._marked = markdown
        self._pattern = re.compile(_MARKDOWN if markdown else _BEGINNINGS)  # not at import: it is long
        self._fence = ""
        self._found: list[Candidate] = []
        self._room = {True: MOST, False: MOST}
        self._held = "\n"  # so that the first line begins like the others
        self._at = -1  # the character at which ``_held`` begins
        self._done = 0  # up to here in ``_held`` all beginnings were looked at
        self._heading_end = 0

    def add(self, piece: str) -> None:
        """Look at one more piece of the text."""
        self._held += piece
        self._look(len(self._held) - _AHEAD)
        drop = max(self._done - _BEHIND, 0)
        self._held, self._at, self._done = (
            self._held[drop:],
            self._at + drop,
            self._done - drop,
        )

    def finish(self) -> list[Candidate]:
        """The candidates in order, once all pieces were added."""
        self._held += "\n"
        self._look(len(self._held))
        return sorted(self._found, key=lambda item: item.start)

    def _look(self, until: int) -> None:
        text = self._held
        position = self._done
        if self._at < 0 and not position and (first := _OPENING.match(text)):
            line = text[first.start("heading") :].split("\n", 1)[0]
            heading = headings.classify(line)
            if heading:  # title and first chapter share the first line
                self._accept(heading, line, text, first.start("heading"))
                position = first.end()
        while position < until and (match := self._pattern.search(text, position)):
            if match.start() >= until:
                break
            position = match.start() + 1
            self._consider(match, text, position)
        self._done = max(self._done, min(max(until, 0), len(text)))

    def _consider(self, match: re.Match[str], text: str, start: int) -> None:
        """Judge the line that begins at ``start``."""
        end = text.find("\n", start)
        line = text[start : end if end >= 0 else len(text)][:_AHEAD]
        if self._marked:
            marked = match["marked"]
            if marked:
                self._markdown(marked.strip(), line, text, start)
                return
            if self._fence:
                return
        heading = headings.classify(line)
        if heading is None:
            if match["caps"] and headings.is_caps(line) and self._blank_before(text, start):
                heading = Heading("caps", headings.CHAPTER, None, line.strip(), "", len(line))
            if heading is None:
                return
        self._accept(heading, line, text, start)

    def _accept(self, heading: Heading, line: str, text: str, start: int) -> None:
        """Keep what ``line`` says, with a title on the lines after it."""
        after = text[start + heading.length : start + heading.length + _AHEAD].split("\n")[: _LINES_AHEAD + 1]
        title, length = _title(line, heading, after)
        before = self._blank_before(text, start)
        alone = before and (length > heading.length or not "".join(after[:2]).strip())
        same_line = heading.length < len(line.rstrip())
        lead = len(line) - len(line.lstrip())
        self._keep(heading, title, start + lead, length - lead, alone, before, 0, same_line)
        self._heading_end = self._at + start + len(line)

    def _blank_before(self, text: str, start: int) -> bool:
        """Whether the line before is blank, or in capitals, or a heading itself, or on another page."""
        above = text[max(start - 200, 0) : max(start - 1, 0)]
        line = above[above.rfind("\n") + 1 :]
        return (
            not line.strip()
            or text.startswith("\f", start)
            or self._at + start - 1 == self._heading_end
            or headings.is_caps(line)
        )

    def _markdown(self, mark: str, line: str, text: str, start: int) -> None:
        """Take a marked heading, or enter or leave a block of code."""
        if mark[:3] in ("```", "~~~"):
            self._code(line.strip())
        elif self._fence:
            return
        elif mark[:1] == "#":
            depth = len(line.strip().split()[0])
            self._take(
                line.strip()[depth:].strip().rstrip("#").rstrip(),
                depth,
                start,
                len(line),
            )
        else:
            above = text[max(start - 300, 0) : start - 1]
            title = above[above.rfind("\n") + 1 :]
            blank = not above[: max(len(above) - len(title), 0)].rstrip(" ").endswith("\n\n")
            if title.strip() and len(title) < 200 and not (blank and self._at + start - len(title) > 1):
                begin = start - 1 - len(title)
                self._take(
                    title.strip(),
                    1 if mark[0] == "=" else 2,
                    begin,
                    start + len(line) - begin,
                )

    def _code(self, line: str) -> None:
        """Enter a block of code at ``line``, or leave the one that it closes."""
        info = line.lstrip(line[0])
        fence = line[: len(line) - len(info)]
        if self._fence:
            if fence.startswith(self._fence) and not info:
                self._fence = ""
        elif "`" not in info or fence[0] == "~":  # "```a``` is code" is a line of prose
            self._fence = fence

    def _take(self, title: str, depth: int, start: int, length: int) -> None:
        said = headings.classify(title) if title else None
        if said and said.number is not None:
            heading = said
        else:
            heading = Heading("md", headings.CHAPTER, None, title, "", length)
        self._keep(heading, title, start, length, True, True, depth, False)

    def _keep(
        self,
        heading: Heading,
        title: str,
        start: int,
        length: int,
        alone: bool,
        before: bool,
        depth: int,
        same: bool,
    ) -> None:
        strong = depth > 0 or heading.kind not in ("numeral", "numbered", "caps")
        if not self._room[strong]:
            self.capped = self.capped or strong
            return
        self._room[strong] -= 1
        title = headings.shorten(headings.clean(title))
        at = self._at + start
        self._found.append(
            Candidate(
                heading.kind,
                heading.level,
                heading.number,
                title,
                at,
                at + length,
                alone,
                before,
                depth,
                same,
            )
        )


def _title(line: str, heading: Heading, after: list[str]) -> tuple[str, int]:
    """A heading's whole title, on its line and those after it, and the characters that it takes.

    ``after`` are the lines from the heading's end on, the rest of its own line first.
    """
    own = headings.clean(line[: heading.length])
    length = heading.length
    if heading.kind in ("caps", "named"):
        return own.rstrip("."), length
    if heading.rest:
        following = after[1] if len(after) > 1 else ""
        if heading.rest.isupper() and following.isupper() and not headings.classify(following):
            return f"{own} {headings.clean(following)}".rstrip("."), length + len(after[0]) + 1 + len(
                following
            )
        if own.startswith("第"):
            own = f"{heading.label} {heading.rest}"
        return own.rstrip("."), length
    skip = next((index for index, text in enumerate(after) if text.strip()), len(after))
    stop = next(
        (index for index in range(skip, len(after)) if not after[index].strip()),
        len(after),
    )
    if not 0 < skip <= 4 or stop == len(after):
        return own.rstrip("."), length
    words = "\n".join(text.strip() for text in after[skip:stop])
    said = headings.classify(after[skip])
    if (said and said.kind != "named") or not headings.looks_like_title(words):
        return own.rstrip("."), length
    taken = sum(len(text) + 1 for text in after[:stop]) - 1
    return f"{own.rstrip('.')}. {headings.clean(words)}".rstrip("."), length + taken
