"""Recall: the passages of a text that a question needs, found again, and whether they support an answer.

Knows what of a question the text must hold before anything found counts, and how passages are packed for
a model: in document order, which others measured to beat cleverer schemes (arXiv 2409.01666), neighbours
joined. Knows no database, only ``Index``; no model and no torch. Ranking the passages again by the
likelihood of the question was measured with the bundled model and was worse than BM25 alone at every weight.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
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
    def neighbours(self, number: int, reach: int = 1) -> Sequence[Hit]: ...
    def question_terms(self, question: str) -> list[str]: ...
    def terms(self, texts: list[str]) -> list[list[str]]: ...
    def rarity(self, terms: Iterable[str]) -> dict[str, float]: ...
    def has(self, term: str) -> bool: ...


@dataclass(frozen=True)
class Recalled:
    """What was found for a question. ``hits`` come best first; ``weights`` are the question's terms and how
    rare each is (nats); ``coverage`` is the share of their weight that the best passages hold together
    with their neighbours; ``strangers`` are names of the question that the text never has."""

    hits: tuple[Hit, ...]
    weights: dict[str, float]
    coverage: float
    strangers: tuple[str, ...]
    threshold: float = 0.0

    @property
    def found(self) -> bool:
        """Whether the passages support an answer."""
        return bool(self.hits) and not self.strangers and self.coverage >= self.threshold


# Chosen on the training tales of FairytaleQA (docs/log.md): nine right questions in ten pass.
COVERAGE = 0.45
_NEAREST = 3  # passages whose words are counted, whatever number is shown
_NAME = re.compile(r"(?<![.!?…\w] )(?<!\A)(?<=[\s(“\"‘'-])[^\W\d_a-z][^\W\d_]+")
# Where capitals mark more than names, or none.
_NO_NAMES = frozenset({"de", "zh", "ja"})


def recall(index: Index, question: str, wanted: int, start: int = 0, end: int | None = None) -> Recalled:
    """The ``wanted`` best passages between those characters, and what they hold of the question."""
    hits = tuple(index.search(question, max(wanted, _NEAREST), start, end))
    weights = index.rarity(index.question_terms(question))
    if not hits or not weights:
        return Recalled((), weights, 0.0, ())
    texts = ["\n".join(hit.text for hit in index.neighbours(hit.number)) for hit in hits[:_NEAREST]]
    whole = sum(weights.values()) or 1.0
    held = [sum(weights.get(term, 0.0) for term in set(terms)) / whole for terms in index.terms(texts)]
    return Recalled(hits[:wanted], weights, max(held), strangers(index, question), COVERAGE)


def strangers(index: Index, question: str) -> tuple[str, ...]:
    """The names in ``question`` that the text does not hold; a question's first word is no name."""
    if index.language.split("-")[0] in _NO_NAMES:
        return ()
    names = [match[0] for match in _NAME.finditer(question.strip())]
    return tuple(
        name
        for name, terms in zip(names, index.terms(names), strict=True)
        if terms and not any(map(index.has, terms))
    )


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
