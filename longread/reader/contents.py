"""Chapters from a file's own headings: an EPUB's contents, a PDF's outline, marked headings.

Knows that contents also list what is no chapter (the cover, the contents themselves), and how
a heading of two lines is marked. Where a file names no headings, ``finder`` looks for them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from longread.reader import headings
from longread.reader.document import Chapter, Mark
from longread.reader.outline import Candidate, by_depth

# What stands before or after the text of a book and is listed in its contents all the same.
_FRONT = re.compile(
    r"(?:front |back )?cover(?: page| image)?|(?:half[- ]?)?title(?:[- ]?page)?|"
    r"copyright(?: page| notice)?|imprint|(?:table of )?contents|toc|colophon|also by\b.*|"
    r"about the (?:author|publisher)|newsletter.*|"
    r"(?:the )?project gutenberg.*|(?:the )?full (?:project gutenberg )?license.*|"
    r"couverture|page de titre|table des matières|titelseite|impressum|inhalt(?:sverzeichnis)?|umschlag|"
    r"cubierta|portada|índice|обложка|титул(?:ьный лист)?|оглавление|содержание|"
    r"封面|封底|扉页|扉頁|书名页|書名頁|版权.*|版權.*|目录|目錄|目次|奥付|表紙",
    re.I,
)


def chapters(marks: Sequence[Mark], characters: int) -> tuple[Chapter, ...]:
    """The chapters that ``marks`` name in a text of that many ``characters``; empty where they name none."""
    marks = sorted((mark for mark in marks if 0 <= mark.start < characters), key=lambda mark: mark.start)
    marks = _joined([mark for mark in marks if not _FRONT.fullmatch(headings.clean(mark.title))])
    return by_depth([_candidate(mark) for mark in marks], characters)


def _joined(marks: list[Mark]) -> list[Mark]:
    """A number and the title that follows it at once, marked as two headings, are one."""
    joined: list[Mark] = []
    for mark in marks:
        last = joined[-1] if joined else None
        if last and last.start <= mark.start <= last.body + 2 and last.start < last.body:
            said = headings.classify(last.title)
            bare = said is not None and said.number is not None and not said.rest
            if bare and mark.depth >= last.depth and headings.classify(mark.title) is None:
                title = f"{last.title.rstrip('.')}. {mark.title}"
                joined[-1] = Mark(title, last.depth, last.start, max(mark.body, last.body))
                continue
        joined.append(mark)
    return [mark for mark, after in pairwise([*joined, None]) if after is None or not _same(mark, after)]


def _same(mark: Mark, after: Mark) -> bool:
    """Whether two entries name one place with the same words."""
    return mark.start == after.start and mark.title.casefold() == after.title.casefold()


def _candidate(mark: Mark) -> Candidate:
    said = headings.classify(mark.title)
    kind, level, number = (said.kind, said.level, said.number) if said else ("marked", headings.CHAPTER, None)
    title = headings.shorten(headings.clean(mark.title)).rstrip(".")
    return Candidate(kind, level, number, title, mark.start, mark.body, True, True, mark.depth)
