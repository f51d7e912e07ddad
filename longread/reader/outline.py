"""Candidates for headings in, chapters out.

Knows how a book's headings hang together: tables of contents repeat them with nothing
between, parts hold chapters, numerals count up, capitals come in series. Candidates are
collected in one pass and bounded in number; the text itself is never needed again.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from longread.reader.document import Chapter
from longread.reader.headings import (
    CHAPTER,
    PART,
    SECTION,
    TITLE_LENGTH,
    VOLUME,
    clean,
    shorten,
)

MOST = 20_000  # chapters told apart in one document
_CONTENTS = (
    "content",
    "table of content",
    "illustration",
    "list of",
    "table des",
    "inhalt",
    "содержание",
    "оглавление",
)
_FACT = re.compile(r"(?:title|author|year|date|translator|language|published|source)s?:", re.I)
_ENDS = frozenset(("the end", "end", "finis", "fin", "ende", "конец", "完", "終", "终"))
_BARE = 300  # with less text than this between two headings there is no chapter between them


@dataclass(slots=True)
class Candidate:
    """A line that may be a heading.

    ``start`` to ``body`` are the characters of the heading with a title on following lines.
    ``alone`` says whether blank lines stand before and after it, ``depth`` is the number of
    # in Markdown, ``same_line`` whether prose follows on the heading's own line.
    """

    kind: str
    level: int
    number: int | None
    title: str
    start: int
    body: int
    alone: bool
    before: bool
    depth: int = 0
    same_line: bool = False


def chapters(candidates: Sequence[Candidate], characters: int, layout: str) -> tuple[Chapter, ...]:
    """The chapters of a text of that many ``characters``, in order, without gaps after the first."""
    candidates = [item for item in candidates if item.title.casefold().strip(" .") not in _ENDS]
    found = _outside_front([item for item in candidates if item.depth])
    if len(found) >= 2:
        chosen = _by_depth(_outside_contents(found, characters))
    else:
        plain = _outside_titles([item for item in candidates if not item.depth and _placed(item, layout)])
        chosen = _by_level(_outside_contents(_in_order(plain), characters), characters)
    return _spans(_merged(chosen), characters)


def by_depth(items: list[Candidate], characters: int) -> tuple[Chapter, ...]:
    """The chapters among headings of known depth, which are all meant as headings."""
    return _spans(_merged(_by_depth(_outside_front(items))), characters)


def _outside_front(items: list[Candidate]) -> list[Candidate]:
    """Markdown headings without those that name the book: ``# The Title``, ``## Author: …``."""
    items = [item for item in items if not _FACT.match(item.title)]
    first = [item for item in items if item.depth == 1]
    if len(items) > 2 and len(first) == 1 and first[0] is items[0] and first[0].number is None:
        return items[1:]
    return items


def _placed(item: Candidate, layout: str) -> bool:
    """Whether the lines around allow a heading here: in a wrapped text it stands at a paragraph's head."""
    if item.kind in ("numeral", "numbered", "caps", "named"):
        return item.alone or (layout == "lines" and item.kind in ("numeral", "named"))
    return layout == "lines" or item.before or item.start == 0 or item.kind in "回章卷"


def _outside_titles(items: list[Candidate]) -> list[Candidate]:
    """Without lines that are the title of the heading before them."""
    kept: list[Candidate] = []
    for item in items:
        if not kept or item.start >= kept[-1].body:
            kept.append(item)
    return kept


def _in_order(items: list[Candidate]) -> list[Candidate]:
    """Without headings inside running prose that do not count on from the one before."""
    kept: list[Candidate] = []
    last: dict[str, int] = {}
    counts = Counter(item.kind for item in items)
    for item in _without_strays(items):
        if item.same_line and item.number is not None:
            if counts[item.kind] < 3 and max(counts.values()) > 5:
                continue
            before = last.get(item.kind, 0)
            if not before <= item.number <= before + 20:
                continue
        if item.number is not None:
            last[item.kind] = item.number
        kept.append(item)
    return kept


def _without_strays(items: list[Candidate]) -> list[Candidate]:
    """Without a number that stands alone between two that follow each other."""
    stray: set[int] = set()
    for kind in {item.kind for item in items if item.number is not None}:
        run = [item for item in items if item.kind == kind]
        for before, item, after in zip(run, run[1:], run[2:], strict=False):
            low, number, high = before.number or 0, item.number or 0, after.number or 0
            if number < low < high <= low + 2 and id(before) not in stray:
                stray.add(id(item))
    return [item for item in items if id(item) not in stray]


def _runs(items: list[Candidate]) -> list[list[Candidate]]:
    """Headings of one kind, cut where their numbers begin anew."""
    runs: list[list[Candidate]] = []
    for item in items:
        following = runs and item.number is not None and (runs[-1][-1].number or 0) < item.number
        if following:
            runs[-1].append(item)
        else:
            runs.append([item])
    return runs


def _outside_contents(items: list[Candidate], characters: int) -> list[Candidate]:
    """Without tables of contents: runs with hardly any text between that return with text."""
    following = {id(item): after.start for item, after in pairwise(items)}
    gaps = {id(item): following.get(id(item), characters) - item.body for item in items}
    dropped: set[int] = set()
    spans: list[tuple[int, int]] = []
    for kind in {item.kind for item in items if item.number is not None}:
        runs = _runs([item for item in items if item.kind == kind and item.number is not None])
        measured = [(run, _usual_gap(run, characters)) for run in runs]
        numbers = [{item.number for item in run} for run, _ in measured]
        for index, (run, gap) in enumerate(measured):
            shared = (
                len(numbers[index] & numbers[other]) >= 0.6 * len(run)
                and measured[other][1] > 5 * max(gap, 20)
                for other in range(max(index - 50, 0), min(index + 50, len(runs)))
                if other != index
            )
            edge = run[-1].body < 0.15 * characters or run[0].start > 0.9 * characters
            if len(run) >= 3 and (gap < 150 or (edge and gap < 1000 and any(shared))):
                dropped.update(id(item) for item in run)
                spans.append((run[0].start - _BARE, run[-1].body))
    kept = []
    titles = Counter(item.title.casefold() for item in items if item.number is None)
    for item in items:
        if id(item) in dropped:
            continue
        slack = _BARE if item.number is None else 0
        inside = any(low <= item.start <= high + slack for low, high in spans[:50])
        repeated = item.number is None and titles[item.title.casefold()] > 1 and gaps[id(item)] < _BARE
        if not (inside and gaps[id(item)] < 1500) and not repeated:
            kept.append(item)
    return kept


def _usual_gap(run: list[Candidate], characters: int) -> float:
    """The median number of characters between the headings of a run."""
    if len(run) == 1:
        return characters - run[0].body
    return median(after.start - item.body for item, after in pairwise(run))


def _by_depth(items: list[Candidate]) -> list[Candidate]:
    """The Markdown headings that are chapters: those with chapter words, or the first depth with a series."""
    depths = Counter(item.depth for item in items)
    worded = Counter(item.depth for item in items if item.level == CHAPTER and item.number is not None)
    if worded and worded.most_common(1)[0][1] >= 2:
        deepest = worded.most_common(1)[0][0]
    else:
        deepest = min(
            (depth for depth, count in depths.items() if count >= 2),
            default=min(depths, default=0),
        )
        below = [item for item in items if item.depth == deepest + 1]
        if len(below) >= 2 * depths[deepest] and depths[deepest] <= 12:
            deepest += 1
    return [item for item in items if item.depth <= deepest]


def _by_level(items: list[Candidate], characters: int) -> list[Candidate]:
    """The candidates that are chapters, from the deepest level that is one throughout the book."""
    worded = [item for item in items if item.kind not in ("numeral", "numbered", "named", "caps")]
    named = _named(items, characters)
    levels = Counter(item.level for item in worded)
    if levels[CHAPTER]:
        return sorted([item for item in worded if item.level <= CHAPTER] + named, key=_start)
    weak = _series(items, characters, bool(levels[PART] + levels[VOLUME]))
    if weak:
        return sorted([item for item in worded if item.level < CHAPTER] + weak + named, key=_start)
    if worded:
        return sorted(worded + named, key=_start)
    capitals = _capitals(items, characters)
    return sorted(capitals + named, key=_start) if capitals else (named if len(named) > 1 else [])


def _start(item: Candidate) -> int:
    return item.start


def _named(items: list[Candidate], characters: int) -> list[Candidate]:
    """Prefaces, epilogues and the like, unless their name heads something in every chapter."""
    named = [item for item in items if item.kind == "named"]
    count = Counter(item.title.casefold().strip(".:") for item in named)
    late = ("note", "footnote", "index", "glossary", "appendix", "postscript")
    return [
        item
        for item in named
        if count[item.title.casefold().strip(".:")] <= 2
        and (len(item.title.split()) < 5 or not 0.1 * characters < item.start < 0.8 * characters)
        and (item.start > 0.5 * characters or not item.title.casefold().startswith(late))
    ]


def _series(items: list[Candidate], characters: int, parts: bool) -> list[Candidate]:
    """Bare numerals, or numerals with titles, that count through the whole book."""
    for kind in ("numeral", "numbered"):
        runs = [
            run
            for run in _runs([item for item in items if item.kind == kind])
            if (run[0].number or 9) <= 2 or len(run) >= 6
        ]
        runs = [run for run in runs if len(run) >= 2 and _steady(run)]
        series = [item for run in runs for item in run]
        if len(series) < 2 or (len(series) < 3 and not parts):
            continue
        gaps = [after.start - item.body for item, after in pairwise(series)]
        if series[0].start < 0.3 * characters and median(gaps) > 1500:
            return series
    return []


def _steady(run: list[Candidate]) -> bool:
    """Whether numbers go up mostly one by one."""
    steps = [(after.number or 0) - (item.number or 0) for item, after in pairwise(run)]
    return sum(step == 1 for step in steps) >= 0.8 * len(steps)


def _capitals(items: list[Candidate], characters: int) -> list[Candidate]:
    """Lines in capitals, where they come as a series of different titles with text between."""
    lines = [
        item for item in items if item.kind == "caps" and not item.title.casefold().startswith(_CONTENTS)
    ]
    ends = ([item.start for item in lines] + [characters])[1:]
    lines = [item for item, end in zip(lines, ends, strict=True) if end - item.body > 1000]
    different = len({item.title for item in lines})
    if len(lines) < 3 or different < 0.8 * len(lines) or lines[0].start > 0.3 * characters:
        return []
    return lines


def _merged(items: list[Candidate]) -> list[Candidate]:
    """A part's heading and its first chapter's, with nothing between, are one heading.

    Of two others that name one place, as where a page holds a picture and no words, the one whose words
    stand there is kept, else the later one: no chapter is empty.
    """
    merged: list[Candidate] = []
    for item in items[:MOST]:
        last = merged[-1] if merged else None
        if last and item.start - last.body < 60 and (last.level < item.level or 0 < last.depth < item.depth):
            title = f"{shorten(last.title, TITLE_LENGTH // 2).rstrip('.')} · {item.title}"
            merged[-1] = Candidate(
                item.kind,
                item.level,
                item.number,
                title,
                last.start,
                item.body,
                last.alone,
                last.before,
                item.depth,
            )
        elif last and item.start == last.start:
            if last.body == last.start:
                merged[-1] = item
        else:
            merged.append(item)
    return merged


def _spans(items: list[Candidate], characters: int) -> tuple[Chapter, ...]:
    ends = ([item.start for item in items] + [characters])[1:]
    return tuple(
        Chapter(
            index,
            shorten(clean(item.title)) or str(index + 1),
            item.start,
            end,
            min(item.body, end),
        )
        for index, (item, end) in enumerate(zip(items, ends, strict=True))
    )


__all__ = ["CHAPTER", "MOST", "PART", "SECTION", "VOLUME", "Candidate", "by_depth", "chapters"]
