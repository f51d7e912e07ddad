"""Recall: the passages of a text that a question needs, found again, and whether they support an answer.

Knows what of a question the text must hold before anything found counts, and how passages are packed for
a model: in document order, which others measured to beat cleverer schemes (arXiv 2409.01666), neighbours
joined. BM25's best are ranked again by how much of the question they hold and whether its words stand
together. Knows no database, only ``Index``; no model and no torch. Ranking by the likelihood of the question
was measured with the bundled model and was worse than BM25 alone at every weight.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol


class Hit(Protocol):
    """A passage that was found."""

    @property
    def number(self) -> int: ...
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...
    @property
    def chapter(self) -> int | None: ...
    @property
    def share(self) -> float: ...
    @property
    def text(self) -> str: ...
    @property
    def score(self) -> float: ...


class Index(Protocol):
    """What finds passages by their words; ``store.passages.Passages`` is one."""

    @property
    def language(self) -> str: ...
    def search(self, question: str, limit: int, start: int = 0, end: int | None = None) -> Sequence[Hit]: ...
    def neighbours(
        self, number: int, reach: int = 1, start: int = 0, end: int | None = None
    ) -> Sequence[Hit]: ...
    def question_terms(self, question: str) -> list[str]: ...
    def terms(self, texts: list[str], wanted: Iterable[str] = ()) -> list[list[str]]: ...
    def rarity(self, terms: Iterable[str]) -> dict[str, float]: ...
    def has(self, term: str) -> bool: ...


@dataclass(frozen=True)
class Joined:
    """Passages that stand next to each other, found for the same question. Between two of them ``text`` has
    as many spaces or line ends as the book has characters there."""

    number: int
    start: int
    end: int
    chapter: int | None
    share: float
    text: str
    score: float


@dataclass(frozen=True)
class Recalled:
    """What was found for a question.

    ``hits`` come best first, neighbours joined; ``weights`` are the question's terms and how rare each is
    (nats); ``support`` says how much of that weight the passages hold, 0 to about 3; ``strangers`` are
    names in the question that the text never has.
    """

    hits: tuple[Hit, ...]
    weights: dict[str, float]
    support: float
    strangers: tuple[str, ...]

    @property
    def found(self) -> bool:
        """Whether the passages support an answer."""
        return bool(self.hits) and not self.strangers and self.support >= SUPPORT


# About half a question's weight. Chosen on FairytaleQA's training tales and on their questions put to another
# book; docs/log.md has what it lets through.
SUPPORT = 1.0
_AGAIN = 20  # BM25's best, ranked again
# What is added to BM25's score, of the weight of the question's terms in a passage, and of those whose
# neighbours in the question stand near. Chosen on FairytaleQA's training tales, as is what follows.
_COVER, _PAIRS = 0.6, 0.6
_NEAR = 4  # words
_MANY = 300  # passages looked through for a name's first
_TOGETHER = 3  # passages joined at most
_GAP = 4  # characters between them: a blank line, never a heading
_NEAREST = 3  # passages whose words are counted, whatever number is shown
_SATURATION = 1.2  # BM25's k1: what a term's third mention adds to its second
_WORD = re.compile(r"[^\W\d_]+")
# A book may write them out, or in another way.
_TITLES = frozenset("mr mrs ms miss dr st prof sir lady lord mme mlle".split())
# What stands before a word that has its capital by its place; the point of a title ends no sentence.
_OPENS = re.compile(r"(?:\A|(?<!\bMr)(?<!\bMrs)(?<!\bMs)(?<!\bDr)(?<!\bSt)(?<!\bProf)[.!?…:])\W*\Z")
_QUOTES = ('"', "'", "“", "‘", "«", "—")  # what is said begins with a capital
_NEXT = re.compile(r"\s+([^\W\d_])[^\W\d_]")  # the word after; "I" is no name
# Where capitals mark more than names, or none.
_NO_NAMES = frozenset({"de", "zh", "ja"})


def recall(index: Index, question: str, wanted: int, start: int = 0, end: int | None = None) -> Recalled:
    """The ``wanted`` best passages between those characters, and what they hold of the question there."""
    found = index.search(question, max(wanted, _AGAIN), start, end)
    terms = index.question_terms(question)
    weights = index.rarity(terms)
    whole = sum(weights.values())
    if not found or not whole:
        return Recalled((), weights, 0.0, ())
    names = _names(index, question)
    words = index.terms([hit.text for hit in found], terms)
    said = dict(zip((hit.number for hit in found), words, strict=True))
    hits = sorted(found, key=lambda hit: -hit.score - _worth(said[hit.number], terms, weights))
    if introduced := _introduction(index, question, {*terms}, names, start, end):
        first, words = introduced
        said[first.number] = words
        hits = [first, *(hit for hit in hits if hit.number != first.number)]
    nearest = [hit.number for hit in hits[:_NEAREST]]
    beside = (index.neighbours(number, 1, start, end) for number in nearest)
    around = index.terms(["\n".join(hit.text for hit in hits) for hits in beside], terms)
    strength = max(_strength(said[number], weights) for number in nearest)
    coverage = max(sum(map(weights.__getitem__, weights.keys() & words)) for words in around)
    strangers = tuple(
        name
        for name, parts in names
        if parts and name.lower() not in _TITLES and not any(map(index.has, parts))
    )
    return Recalled(_joined(hits)[:wanted], weights, (strength + coverage) / whole, strangers)


def _worth(said: Sequence[str], terms: Sequence[str], weights: dict[str, float]) -> float:
    """What the question's terms in a passage, and their company there, add to its BM25 score."""
    at: dict[str, list[int]] = {}
    for place, term in enumerate(said):
        if term in weights:
            at.setdefault(term, []).append(place)
    pairs = sum(
        (weights[one] + weights[next_]) / 2
        for one, next_ in pairwise(terms)
        if any(abs(i - j) <= _NEAR for i in at.get(one, ()) for j in at.get(next_, ()))
    )
    return _COVER * sum(map(weights.__getitem__, at)) + _PAIRS * pairs


def _joined(hits: Sequence[Hit]) -> tuple[Hit, ...]:
    """``hits``, each with its neighbours among them, at the place of the best."""
    groups: list[list[Hit]] = []
    for hit in hits:
        for group in groups:
            if len(group) < _TOGETHER and any(_next(hit, other) for other in group):
                group.append(hit)
                break
        else:
            groups.append([hit])
    return tuple(group[0] if len(group) == 1 else _one(group) for group in groups)


def _next(one: Hit, other: Hit) -> bool:
    first, second = (one, other) if one.start < other.start else (other, one)
    return (
        second.number - first.number == 1
        and first.chapter == second.chapter
        and second.start - first.end <= _GAP
    )


def _one(group: Sequence[Hit]) -> Joined:
    ordered = sorted(group, key=lambda hit: hit.start)
    text, at = "", ordered[0].start
    for hit in ordered:
        gap = hit.start - at
        text += (" " if gap == 1 else "\n" * gap) + hit.text
        at = hit.end
    first, last = ordered[0], ordered[-1]
    return Joined(first.number, first.start, last.end, first.chapter, last.share, text, group[0].score)


def _strength(terms: Sequence[str], weights: dict[str, float]) -> float:
    """The weight of the question's terms in a passage, more for one said often, as BM25 counts it."""
    counts = Counter(term for term in terms if term in weights)
    return sum(weights[term] * n * (_SATURATION + 1) / (n + _SATURATION) for term, n in counts.items())


def _introduction(
    index: Index,
    question: str,
    terms: set[str],
    names: list[tuple[str, list[str]]],
    start: int,
    end: int | None,
) -> tuple[Hit, list[str]] | None:
    """Where a person or place is met first and what is said there, if the question is only about it."""
    if not names or terms != {term for _, parts in names for term in parts}:
        return None
    found = sorted(index.search(question, _MANY, start, end), key=lambda hit: hit.start)
    said = zip(found, index.terms([hit.text for hit in found]), strict=True)
    met = [(hit, words) for hit, words in said if terms <= {*words}]
    spelled = [_Spelled(name) for name, _ in names]
    # Who is called Will is not met where the verb is, nor where a question begins with it.
    common = any(name.small.search(hit.text) for hit, _ in met for name in spelled)
    for stands in (_Spelled.beyond_its_place, _Spelled.capital) if common else (_Spelled.capital,):
        for hit, words in met:
            if all(stands(name, hit.text) for name in spelled):
                return hit, words
    return next(iter(met), None)  # a book may know no capitals


class _Spelled:
    """A name as a text may have it: in small letters, with its capital, with a capital by its place."""

    def __init__(self, name: str) -> None:
        self.small = re.compile(rf"\b{re.escape(name.lower())}\b")
        self._named = re.compile(rf"\b{re.escape(name[0])}(?i:{re.escape(name[1:])})\b")

    def capital(self, text: str) -> bool:
        return self._named.search(text) is not None

    def beyond_its_place(self, text: str) -> bool:
        """Whether it is more than a sentence's first word somewhere: within one, or before another name."""
        for match in self._named.finditer(text):
            after = _NEXT.match(text, match.end())
            before = text[: match.start()]
            if (after and after[1].isupper()) or not (before.endswith(_QUOTES) or _OPENS.search(before)):
                return True
        return False


def _names(index: Index, question: str) -> list[tuple[str, list[str]]]:
    """The words of ``question`` that have a capital but not by their place, each with its terms."""
    if index.language.split("-")[0] in _NO_NAMES or question.isupper():
        return []
    names = [
        match[0]
        for match in _WORD.finditer(question)
        if match[0][0].isupper() and len(match[0]) > 1 and not _OPENS.search(question[: match.start()])
    ]
    return list(zip(names, index.terms(names), strict=True))


def pack(hits: Sequence[Hit], room: int, length: Callable[[str], int]) -> list[tuple[int, Hit]]:
    """The best of ``hits`` that fit into ``room`` tokens together, in document order, each with its rank
    from 1. ``length`` counts the tokens of a text, labels included."""
    taken = []
    for rank, hit in enumerate(hits, start=1):
        room -= length(f"[{rank}] {hit.text}\n")
        if room < 0:
            break
        taken.append((rank, hit))
    return sorted(taken, key=lambda item: item[1].start)
