"""Lines on pages to paragraphs of a book.

Knows running heads, page numbers, indents, gaps and hyphens at line ends, and how a paragraph
goes on over a page. Knows nothing of pdfium: it is given lines and their places. Holds the
pages around the one at hand, ``REACH`` to either side, since a running head is what returns.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise, zip_longest
from statistics import median

from longread.reader import numerals
from longread.reader.formats.pdf_pages import Line

REACH = 6
_ASIDE = 100  # lines before the first of a column that it is compared with
_EDGE = 2  # lines at the head and foot of a page that may be running heads
_NUMBER = re.compile(
    r"\W*(?:page|seite|p\.)?\s*(\d{1,5}|[ivxlcdm]{1,8})(?:\s*(?:of|/|von)\s*\d{1,5})?\W*", re.I
)
_DIGITS = re.compile(r"\d+|\b[ivxlcdm]{1,8}\b", re.I)
_FINAL = re.compile(r"[.!?…:;—–。！？：；][\"'”’»)\]」』）]*$")
_HYPHEN = re.compile(r"[^\W\d_]{2,}[-\u2010\xad]$")
_COMPOUND = re.compile(r"[^\W\d_]{2,40}-[^\W\d_]{2,40}")
_TAIL = 60  # characters of a line that say how it ends; a hostile one has a million
_CJK = re.compile(r"[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]")


@dataclass
class Page:
    """A page's lines; ``furniture`` are the numbers of those that are no text of the book."""

    number: int
    lines: list[Line]
    furniture: set[int] = field(default_factory=set)


@dataclass
class Paragraph:
    """Words, the page on which they begin, and how many of the page's headings begin there."""

    text: str
    page: int
    heading: int = -1


@dataclass(frozen=True, slots=True)
class Margins:
    """Left and right margin of a column's text, and the usual fall from line to line."""

    left: float
    right: float
    gap: float


def bare(pages: Iterable[list[Line]]) -> Iterator[Page]:
    """Pages with their running heads and page numbers told apart."""
    near: deque[Page] = deque()
    at = 0
    for number, lines in enumerate(pages):
        near.append(Page(number, lines))
        if number - near[at].number == REACH:
            yield _judge(near[at], near)
            at += 1
            if at > REACH:
                near.popleft()
                at -= 1
    while at < len(near):
        yield _judge(near[at], near)
        at += 1


def _edges(page: Page) -> dict[int, tuple[str, int]]:
    """The highest and the lowest lines: the edge, and how far from it. A file may hold them in any order."""
    down = sorted(range(len(page.lines)), key=lambda index: -page.lines[index].base)
    found = {index: ("head", step) for step, index in enumerate(down[:_EDGE])}
    for step, index in enumerate(reversed(down[_EDGE:][-_EDGE:])):
        found[index] = ("foot", step)
    return found


def _judge(page: Page, near: Iterable[Page]) -> Page:
    others = [(other, _edges(other)) for other in near if other is not page]
    for index, (edge, step) in _edges(page).items():
        line = page.lines[index].text
        count, key = _counted(line), _key(line)
        alike = 0
        for other, edges in others:
            for there, (its, _) in edges.items():
                if its != edge:
                    continue
                words, level = other.lines[there].text, abs(other.lines[there].base - page.lines[index].base)
                if count is not None and step == 0:
                    alike += _counted(words) == count + other.number - page.number
                elif key and level < 3 and _key(words) == key:
                    alike += 1
        if alike >= (1 if count is not None else 2):
            page.furniture.add(index)
    return page


def _counted(line: str) -> int | None:
    """The number that a line consists of."""
    match = _NUMBER.fullmatch(line) if len(line) < _TAIL else None
    if not match:
        return None
    return int(match[1]) if match[1].isdecimal() else numerals.roman(match[1].upper())


def _key(line: str) -> str:
    """What stays the same in a running head from page to page; empty for what is mere figures."""
    return "".join(filter(str.isalnum, _DIGITS.sub("", line))) if len(line) < 120 else ""


class Joiner:
    """Makes paragraphs of pages that come in order.

    ``compounds`` are words with a hyphen inside a line: at a line's end such a word keeps it.
    """

    def __init__(self) -> None:
        self.hyphens = 0
        self._compounds: set[str] = set()
        self._parts: list[str] = []
        self._page = self._heading = 0
        self._last: Line | None = None
        self._before: Line | None = None
        self._seen: Page | None = None  # the page that the last line stands on
        self._margins = Margins(0.0, 0.0, 0.0)  # and those of its column

    def page(self, page: Page, headings: dict[int, tuple[int, int]]) -> Iterator[Paragraph]:
        """The paragraphs that end on this page.

        ``headings`` are known beforehand: by the number of their first line, that of their last
        and what the heading is called.
        """
        body = [(index, line) for index, line in enumerate(page.lines) if index not in page.furniture]
        if not body:
            return
        for _, line in body:
            if "-" in line.text and len(self._compounds) < 50_000:
                self._compounds.update(word.casefold() for word in _COMPOUND.findall(line.text))
        lines, ends = [line for _, line in body], -1
        for (index, line), after, here in zip_longest(body, lines[1:], _margins(lines)):
            said = headings.get(index)
            inside = said is None and index <= ends
            if (
                said is not None
                or 0 <= ends < index
                or (not inside and self._breaks(line, after, here, page))
            ):
                yield from self.close()
            if said is not None:
                ends = said[0]
            elif index > ends:
                ends = -1
            if not self._parts:
                self._page, self._heading = page.number, said[1] if said else -1
            self._say(line)
            self._seen, self._margins = page, here
        if ends >= body[-1][0]:
            yield from self.close()

    def close(self) -> Iterator[Paragraph]:
        """The paragraph at hand, when there is one."""
        if self._parts:
            yield Paragraph("".join(self._parts), self._page, self._heading)
        self._parts, self._last, self._before, self._heading = [], None, None, -1

    def _breaks(self, line: Line, after: Line | None, here: Margins, page: Page) -> bool:
        """Whether a paragraph begins with ``line``; ``after`` is the one below it."""
        last = self._last
        if last is None:
            return False
        turned, final = here is not self._margins, bool(_FINAL.search(last.text[-_TAIL:]))
        size = min(last.size, line.size)
        if abs(last.size - line.size) > 0.15 * size:
            return not (last.text[-1:] == "-" or line.text[:1].islower())
        inset, before = line.left - here.left, last.left - self._margins.left
        fall = last.base - line.base
        if self._seen is page and fall > 1.35 * here.gap:
            return True
        if not turned and fall < -2 * size:  # what stands beside it, and is no column
            return final or inset > 0.5 * size
        if inset > 0.6 * size:
            if turned or inset > before + 0.5 * size:
                return True
            if final and (after is None or after.left - here.left < 0.3 * size):
                return True  # one paragraph of one line after another
        elif self._before is not None and abs(self._before.left - last.left) < 0.3 * size < before - inset:
            return True  # a passage that was set in has ended
        return final and last.right < self._margins.right - 2 * size

    def _say(self, line: Line) -> None:
        """Add a line to the paragraph at hand."""
        if self._parts:
            self._join(line)
        self._parts.append(line.text)
        self._before, self._last = self._last, line

    def _join(self, line: Line) -> None:
        held = self._parts[-1]
        if _HYPHEN.search(held[-_TAIL:]) and line.text[:1].isalnum():
            word = held.split()[-1][:-1]
            rest = re.match(r"[^\W_]+", line.text)
            whole = f"{word}-{rest[0] if rest else ''}".casefold().lstrip("\"'“‘«([")
            if line.text[:1].islower() and whole not in self._compounds:
                self._parts[-1] = held[:-1]
                self.hyphens += 1
            return
        last, right = self._last, self._margins.right
        if last is not None and last.right < right - 0.25 * max(right - last.left, 1.0):
            self._parts.append("\n")  # verse, an address, a list: the line ended where its author ended it
        elif not (_CJK.match(held[-1:]) and _CJK.match(line.text[:1])):
            self._parts.append(" ")


def _margins(lines: list[Line]) -> list[Margins]:
    """For each line the margins of the column that it stands in; those of one column are one object."""
    cuts, left = [0], 0.0
    for at, (before, line) in enumerate(pairwise(lines), 1):
        if line.base - before.base > 2 * line.size:
            beside = [other for other in lines[max(at - _ASIDE, 0) : at] if other.base < line.base]
            # Up again, and to the right of what stands below: a line or two may reach across.
            turns = sum(other.right > line.left for other in beside) <= 0.1 * len(beside)
        else:
            turns = len(cuts) > 1 and line.left < left - 2 * line.size  # back to the left, below the columns
        if turns:
            cuts.append(at)
        left = line.left if turns else min(left, line.left)
    found: list[Margins] = []
    for begin, end in pairwise([*cuts, len(lines)]):
        found += [_measure(lines[begin:end])] * (end - begin)
    return found


def _measure(lines: list[Line]) -> Margins:
    lefts = Counter(round(line.left) for line in lines)
    usual = lefts.most_common(1)[0][1]
    least = min(usual, max(0.25 * usual, 1 if len(lines) < 8 else 2))  # a stray line sets no margin
    left = min(place for place, count in lefts.items() if count >= least)
    right = sorted(line.right for line in lines)[int(0.9 * (len(lines) - 1))]
    falls = [a.base - b.base for a, b in pairwise(lines) if 0 < a.base - b.base < 4 * a.size]
    return Margins(float(left), right, median(falls) if falls else 1.2 * lines[0].size)
