"""Which sentences of a book make its summary.

Knows how to spread a length over a book and to pick, in every stretch, the sentences that stand for the
most of it (facility location, greedily), weighted by what makes a sentence worth quoting. Knows
sentences only as rows of numbers (``collect``). The same rows give the same choice.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from longread.reader.document import Chapter
from longread.reader.names import TITLES
from longread.tasks.extract.collect import Collector
from longread.tasks.extract.traits import Mark, counts_characters, word_hash

# Sentences of about so many words (characters in Chinese and Japanese): least, best from, best to, most.
_WORDS = (7, 12, 30, 45)
_CHARACTERS = (12, 18, 60, 95)
_CANDIDATES, _UNIVERSE = 400, 800  # of a stretch: how many may be chosen, how many are to be covered
_AVERSIONS = np.linspace(-1.5, 1.5, 13)  # to length; the one whose total comes nearest is taken
# The best surprisal lies so many spreads under the median: far above are lists and foreign words.
_EASIER = 0.5
_REMEMBERED = 40  # how many of the last chosen a candidate should differ from
_NEAR = 0.45  # share of words two sentences may have in common
_LEAVE = 0.1  # share of the chosen that may lean on what is not quoted
_APPENDED = re.compile(
    r"^\W*(?:table of )?(?:contents|index|foot ?notes?|notes|end ?notes|appendix|glossary|bibliography|"
    r"illustrations|list of|errata|advertisements?|transcriber|colophon|sommaire|table des|inhalt|"
    r"anmerkungen|примечания|оглавление|содержание|目录|目錄|目次|注释|註釋|附录|附錄)\b",
    re.IGNORECASE,
)
_FACTORS = {
    Mark.HANGS: 0.6,
    Mark.ASKS: 0.5,
    Mark.POINTS: 0.6,
    Mark.ADDRESSES: 0.5,
    Mark.OPINES: 0.7,
    Mark.OPENS: 1.15,
}
_UNFIT = int(Mark.HEADING | Mark.NOTE)
_FLAWED = int(Mark.BROKEN)
_DEPENDENT = int(Mark.SPEECH | Mark.LEANS)


@dataclass
class _Picks:
    """What one aversion to length has chosen so far, from the book's beginning."""

    rows: list[int] = field(default_factory=list)
    length: int = 0
    dependent: int = 0
    # Hash of a word -> the words of each chosen sentence that has it.
    said: dict[int, list[frozenset[int]]] = field(default_factory=dict)

    def repeat(self, grams: frozenset[int]) -> bool:
        """Whether a sentence of these words says what a chosen one says."""
        least = int(_NEAR * len(grams)) + 1  # words in common that are too many
        # So many cannot all be among the commonest words: what shares them has one of the others, and those
        # few chosen have. The words that all sentences have are looked up for none.
        rarest = sorted((self.said.get(gram, ()) for gram in grams), key=len)[: len(grams) - least + 1]
        return any(len(grams & other) >= least for holders in rarest for other in holders)

    def take(self, row: int, length: int, dependent: bool, grams: frozenset[int]) -> None:
        self.rows.append(row)
        self.length += length
        self.dependent += dependent
        for gram in grams:
            self.said.setdefault(gram, []).append(grams)


@dataclass(frozen=True)
class _Stretch:
    """Rows [low, high) of the book, from which ``count`` sentences are wanted."""

    low: int
    high: int
    count: int


def choose(
    collected: Collector,
    *,
    length: int,
    language: str,
    chapters: Sequence[Chapter] = (),
    names: Sequence[str] = (),
    every: bool = False,
) -> list[tuple[int, int]]:
    """Spans of the chosen sentences, in book order; together about ``length`` long.

    ``length`` is in words, in Chinese and Japanese in characters. ``names`` are the names met most often,
    the first weighing most. With ``every`` each chapter has a sentence, though it be longer than ``length``
    then. A text that is shorter than ``length`` is given back but for its headings; of one whose sentences
    are all too long, the one that is least so.
    """
    rows = collected.rows()
    if not len(rows):
        return []
    view = _View(collected, rows, _weights(rows, language, names), chapters)
    best: list[int] = []
    # Clean sentences first; then what leans or is spoken; then whatever is not a heading.
    for standard in range(3):
        chosen = _fit(view, length, chapters, standard, every)
        if _nearer(rows, chosen, best, length):
            best = chosen
        if abs(_total(rows, best) - length) <= 0.15 * length:
            break
    if every:
        best = best + _missed(view, chapters, best)
    return [(int(rows["start"][row]), int(rows["end"][row])) for row in sorted(best)]


def _missed(view: _View, chapters: Sequence[Chapter], chosen: list[int]) -> list[int]:
    """The best row of each chapter that ``chosen`` passes over, whatever its kind but a heading."""
    usable = view.usable(2)
    found = []
    for chapter in chapters:
        low, high = np.searchsorted(view.rows["start"], (chapter.start, chapter.end))
        inside = usable[(usable >= low) & (usable < high)]
        if len(inside) and not any(low <= row < high for row in chosen):
            found.append(int(inside[np.argmax(view.weights[inside])]))
    return found


def _total(rows: np.ndarray, chosen: list[int]) -> int:
    return int(rows["length"][chosen].sum()) if chosen else 0


def _nearer(rows: np.ndarray, chosen: list[int], best: list[int], length: int) -> bool:
    """Whether a choice comes nearer to the length than the best one so far; nothing is never the best."""
    if not (chosen and best):
        return bool(chosen)
    return abs(_total(rows, chosen) - length) < abs(_total(rows, best) - length)


def _fit(
    view: _View, length: int, chapters: Sequence[Chapter], standard: int, every: bool = False
) -> list[int]:
    """The choice whose length comes nearest: how many sentences are taken is corrected a few times."""
    usable = view.usable(standard)
    lengths = view.rows["length"][usable]
    if not len(lengths):
        return []
    if int(lengths.sum()) <= length:
        return [int(row) for row in usable]
    typical = float(np.average(lengths, weights=view.weights[usable] + 1e-6))
    best: list[int] = []
    count = max(1, round(length / typical))
    for _ in range(5):
        picks = _sweep(view, _stretches(view, chapters, count, standard, every), length, standard)
        chosen = min(picks, key=lambda pick: abs(pick.length - length)).rows
        if _nearer(view.rows, chosen, best, length):
            best = chosen
        if not chosen or abs(_total(view.rows, best) - length) <= 0.04 * length:
            break
        mean = _total(view.rows, chosen) / len(chosen)
        step = round((length - _total(view.rows, chosen)) / mean)
        count = max(1, count + (step or (1 if _total(view.rows, chosen) < length else -1)))
    return best


def _weights(rows: np.ndarray, language: str, names: Sequence[str]) -> np.ndarray:
    """What each sentence is worth by itself [n], 0 to about 2."""
    marks = rows["marks"]
    least, low, high, most = _CHARACTERS if counts_characters(language) else _WORDS
    lengths = rows["length"].astype(np.float32)
    weights = np.interp(lengths, [least - 1, low, high, most, 2 * most], [0.02, 1, 1, 0.3, 0.02])
    sound = (marks & (_UNFIT | _FLAWED)) == 0
    nll = rows["nll"].astype(np.float64)
    middle = nll[sound] if sound.any() else nll
    middle = middle[np.isfinite(middle)]
    if len(middle):
        centre = np.median(middle)
        spread = max(1e-3, 1.48 * float(np.median(np.abs(middle - centre))))
        away = np.nan_to_num((nll - centre) / spread + _EASIER, nan=4.0, posinf=4.0, neginf=-4.0)
        weights *= np.exp(-0.5 * (away / 1.5) ** 2)
    weights *= 1 + _naming(rows, names)
    for mark, factor in _FACTORS.items():
        weights *= np.where(marks & int(mark), factor, 1.0)
    return weights.astype(np.float32)


def _naming(rows: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """0 to 1 for each row: more where it names those who are met most often."""
    worth: dict[int, float] = {}
    for place, name in enumerate(names):
        for word in name.replace(".", "").split():
            if word.lower() not in TITLES and len(word) > 1:
                worth.setdefault(word_hash(word), 1 / (1 + place / 10))
    found = np.zeros(len(rows), np.float32)
    for column in range(rows["names"].shape[1]):
        values, where = np.unique(rows["names"][:, column], return_inverse=True)
        found += np.array([worth.get(int(value), 0.0) for value in values], np.float32)[where]
    return np.minimum(1.0, 0.8 * found)


def _stretches(
    view: _View, chapters: Sequence[Chapter], count: int, standard: int, every: bool
) -> list[_Stretch]:
    """The book cut into stretches with a number of sentences for each, ``count`` in all.

    A chapter is a stretch where every chapter can have a sentence, or is to have one; otherwise the book
    is cut by length.
    """
    rows = view.rows
    mass = np.concatenate([[0.0], np.cumsum(view.mass)])
    edges = np.searchsorted(rows["start"], [chapter.start for chapter in chapters]).tolist()
    pieces = _filled(view, sorted({0, *edges, len(rows)}), standard)
    if len(chapters) < 2 or (len(pieces) > count and not every):
        cuts = np.searchsorted(mass, mass[-1] * np.arange(1, count) / count)
        pieces = _filled(view, sorted({0, *cuts.tolist(), len(rows)}), standard)
    sizes = np.array([mass[high] - mass[low] for low, high in pieces]) + 1e-6
    shares = sizes / sizes.sum() * count
    numbers = np.maximum(1, np.floor(shares)).astype(int)
    for piece in np.argsort(np.floor(shares) - shares, kind="stable")[: max(0, count - int(numbers.sum()))]:
        numbers[piece] += 1
    while numbers.sum() > count and numbers.max() > 1:
        numbers[np.argmax(np.where(numbers > 1, numbers - shares, -np.inf))] -= 1
    return [_Stretch(low, high, int(number)) for (low, high), number in zip(pieces, numbers, strict=True)]


def _filled(view: _View, edges: list[int], standard: int) -> list[tuple[int, int]]:
    """The pieces between ``edges`` that hold something to choose."""
    held = np.diff(np.searchsorted(view.usable(standard), edges))
    return [(low, high) for low, high, n in zip(edges[:-1], edges[1:], held, strict=True) if n]


def _sweep(view: _View, stretches: list[_Stretch], length: int, standard: int) -> list[_Picks]:
    """One walk through the book for all aversions to length at once; each keeps its own picks."""
    sweep = [_Picks() for _ in _AVERSIONS]
    count = sum(stretch.count for stretch in stretches)
    allowed = int(_LEAVE * count) if standard == 0 else count
    typical = length / count
    for stretch in stretches:
        field_ = view.field(stretch, standard)
        for aversion, picks in zip(_AVERSIONS, sweep, strict=True):
            _pick(view, field_, stretch.count, float(aversion), typical, allowed, picks)
    return sweep


@dataclass
class _Field:
    """A stretch's candidates: rows [m], how far each stands for the stretch's sentences [u, m]."""

    candidates: np.ndarray
    likeness: np.ndarray
    vectors: np.ndarray
    grams: list[frozenset[int]]  # the hashes of each candidate's words


def _pick(
    view: _View, ground: _Field, count: int, aversion: float, typical: float, allowed: int, picks: _Picks
) -> None:
    """Greedily add up to ``count`` of the stretch's candidates to ``picks``."""
    candidates = ground.candidates
    if not len(candidates):
        return
    open_ = np.ones(len(candidates), bool)
    covered = np.zeros(len(ground.likeness), np.float32)
    lengths = view.rows["length"][candidates] / typical - 1
    dependent = (view.rows["marks"][candidates] & _DEPENDENT) > 0
    alike = np.zeros(len(candidates), np.float32)
    if picks.rows:
        alike = np.clip((ground.vectors @ view.of(picks.rows[-_REMEMBERED:]).T).max(1), 0, 1)
    for _ in range(count):
        # The little more is for a text without vectors, which would have no order.
        gain = np.maximum(ground.likeness - covered[:, None], 0).mean(0) + 1e-3
        value = view.weights[candidates] * gain * (1 - 0.7 * alike**2)
        value = value / max(float(value[open_].max(initial=0)), 1e-9) - aversion * 0.5 * lengths
        if picks.dependent >= allowed:
            open_ &= ~dependent
        left = np.flatnonzero(open_)
        for one in left[np.argsort(-value[left], kind="stable")]:
            open_[one] = False
            if not picks.repeat(ground.grams[one]):
                break
        else:
            return
        row = int(candidates[one])
        picks.take(row, int(view.rows["length"][row]), bool(dependent[one]), ground.grams[one])
        covered = np.maximum(covered, ground.likeness[:, one])
        alike = np.maximum(alike, np.clip(ground.vectors @ ground.vectors[one], 0, 1))


class _View:
    """The rows with their weights, and their vectors with what all sentences share taken out."""

    def __init__(
        self, collected: Collector, rows: np.ndarray, weights: np.ndarray, chapters: Sequence[Chapter]
    ) -> None:
        apart = [chapter.index for chapter in chapters if _APPENDED.match(chapter.title)]
        aside = np.where(np.isin(rows["chapter"], apart), np.float32(0.02), np.float32(1))
        self.rows, self.weights = rows, weights * aside
        # How much of the book each row is; notes, headings and indexes have no share in the summary.
        self.mass = np.where(rows["marks"] & _UNFIT, 0, rows["length"]) * aside.astype(np.float64)
        self._collected = collected
        self._usable: dict[int, np.ndarray] = {}
        self._mean, self._common = _common(collected)

    def usable(self, standard: int) -> np.ndarray:
        """Rows that may be chosen: 0 those that stand alone, 1 also what depends, 2 all but headings."""
        if standard in self._usable:
            return self._usable[standard]
        barred = (_UNFIT | _FLAWED | _DEPENDENT, _UNFIT | _FLAWED, _UNFIT)[standard]
        fit = (self.rows["marks"] & barred) == 0
        if standard < 2:
            fit &= self.weights > 0.03
        self._usable[standard] = np.flatnonzero(fit & (self.rows["length"] > 0))
        return self._usable[standard]

    def field(self, stretch: _Stretch, standard: int) -> _Field:
        """Candidates and likenesses of a stretch."""
        inside = np.arange(stretch.low, stretch.high)
        marks = self.rows["marks"][inside]
        usable = self.usable(standard)
        able = usable[slice(*np.searchsorted(usable, [stretch.low, stretch.high]))]
        if standard == 0 and len(able) < stretch.count:
            able = inside[((marks & (_UNFIT | _FLAWED)) == 0) & (self.weights[inside] > 0.03)]
        best = np.argsort(-self.weights[able], kind="stable")[:_CANDIDATES]
        candidates = np.sort(able[best])
        to_cover = inside[(marks & _UNFIT) == 0]
        to_cover = to_cover[:: max(1, -(-len(to_cover) // _UNIVERSE))]
        vectors = self.of(candidates)
        grams = [frozenset(row) - {0} for row in self.rows["grams"][candidates].tolist()]
        return _Field(candidates, np.clip(self.of(to_cover) @ vectors.T, 0, 1), vectors, grams)

    def of(self, index: Sequence[int] | np.ndarray) -> np.ndarray:
        """Unit vectors [len(index), width] of what is a sentence's own."""
        own = self._collected.vectors(np.asarray(index, np.int64)) - self._mean
        own -= (own @ self._common.T) @ self._common
        return own / np.maximum(np.linalg.norm(own, axis=1, keepdims=True), 1e-6)


def _common(collected: Collector) -> tuple[np.ndarray, np.ndarray]:
    """The mean [width] of all vectors and the direction [1, width] in which they differ most.

    Mean hidden states share one large component that says nothing of what a sentence is about, and the
    next largest tells long from short.
    """
    width = collected.width
    total, square, count = np.zeros(width), np.zeros((width, width)), 0
    for block in collected.blocks():
        block = block.astype(np.float64)
        total += block.sum(0)
        square += block.T @ block
        count += len(block)
    mean = total / max(1, count)
    _, directions = np.linalg.eigh(square / max(1, count) - np.outer(mean, mean))
    return mean.astype(np.float32), directions[:, -1:].T.astype(np.float32)
