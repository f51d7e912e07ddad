"""Names and what they are called in the translation, from the first chapter to the last.

Knows terms that a user gave, and those found while translating: which name of the one
side goes with which words of the other is told by how often they stand in the same pair.
Knows no model and no prompt.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longread.errors import InputError
from longread.reader.names import NameCounter
from longread.tasks.extract.traits import counts_characters
from longread.tasks.translate.checks import Pair, has
from longread.tasks.translate.tables import field, rows

# A name and a rendering belong together where they share at least so many pairs, and each
# stands without the other in at most so many of its own.
LEAST, WITHOUT = 3, 0.25
_NAMES = 400  # names that are looked at, the commonest
_PATIENCE = 300  # pairs; what goes with a name by then, or never
_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\u30a1-\u30ff·]+")
_SHORTEST, _LONGEST = 2, 8  # characters of a name in Chinese or Japanese
# What a name hardly ever begins or ends with: without it, a name that has only been met with "says" behind it
# would be taken together with that.
_NO_EDGE = frozenset(
    "的了在是和与也就都不对把被给让向从又还说道问答喊叫笑看见想走来去到着过上下里他她它我你您们这那哪个一有没很吗呢吧啊呀"
    "與對給讓從還說問見來著過裡們這個沒嗎はがをにでとのもへや"
)
_WORD = re.compile(r"[^\W\d_]+")
_CAPITALS = re.compile(r"[^\W\d_]+(?:[ .'’-]{1,2}(?:(?:de|of|the|von|van|du|da) )?[^\W\d_]+)*")


@dataclass(frozen=True)
class Term:
    """``source`` is called ``target``; first met in ``paragraph``, -1 where the user ``given`` it
    and it was not met. ``given`` terms must be kept, others should be."""

    source: str
    target: str
    paragraph: int = -1
    given: bool = False


class Glossary:
    """The terms of one translation. ``add`` every pair that passed, in order. ``words`` are those of the
    ``sources`` in small letters: a name that is one of them may be the word where it opens a sentence."""

    def __init__(self, pair: Pair, given: Iterable[Term] = (), sources: Iterable[str] = ()) -> None:
        self._pair = pair
        self.words = frozenset(word for text in sources for word in _WORD.findall(text) if word.islower())
        self._terms = {term.source: term for term in given}
        # The side with capitals tells the names, the other side is searched for what goes with them.
        self._flip = counts_characters(pair.src)
        self._named, self._other = (pair.tgt, pair.src) if self._flip else (pair.src, pair.tgt)
        blind = self._flip and counts_characters(pair.tgt)
        self._names = None if blind else NameCounter(self._named)
        self._pairs: list[tuple[int, str, str]] = []  # paragraph, the side with names, the other side
        self._places: dict[
            str, tuple[list[int], int]
        ] = {}  # of a name: its pairs, and how many were looked at
        self._fresh = 0

    @property
    def given(self) -> Mapping[str, str]:
        """What the user demands: name to rendering."""
        return {term.source: term.target for term in self._terms.values() if term.given}

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """The terms that were given or met, by name, as the JSON output has them."""
        return {
            term.source: {"target": term.target, "paragraph": term.paragraph, "given": term.given}
            for term in self._terms.values()
        }

    def within(self, sources: Sequence[str]) -> dict[str, str]:
        """Name to rendering of the terms that occur in any of ``sources``; of those that lie in each other
        both."""
        return {
            term.source: term.target
            for term in self._terms.values()
            if any(has(source, term.source, self._pair.src) for source in sources)
        }

    def add(self, paragraph: int, source: str, target: str) -> None:
        """Take in a pair that passed the checks."""
        for name, term in self._terms.items():
            if term.paragraph < 0 and has(source, name, self._pair.src):
                self._terms[name] = Term(name, term.target, paragraph, term.given)
        if self._names is None:
            return
        named, other = (target, source) if self._flip else (source, target)
        self._names.add(named)
        self._pairs.append((paragraph, named, other))

    def settle(self) -> list[Term]:
        """Decide on names from all pairs so far; the terms that are new. A term once chosen stays."""
        if self._names is None or self._fresh == len(self._pairs):
            return []
        latest = [named for _, named, _ in self._pairs[self._fresh :]]
        self._fresh = len(self._pairs)
        found = []
        for name, _, _ in self._names.top(_NAMES):
            if self._known(name) or not any(has(text, name, self._named) for text in latest):
                continue
            name = self._whole(name)
            best = None if self._known(name) else self._partner(name)
            source, target = (best, name) if self._flip else (name, best)
            if best is not None and source not in self._terms:
                first = next(p for p, n, o in self._pairs if has(n, name, self._named) and self._in(o, best))
                self._terms[source] = Term(source, target, first)
                found.append(self._terms[source])
        return found

    def _known(self, name: str) -> bool:
        terms = self._terms.values()
        return any(name == (term.target if self._flip else term.source) for term in terms)

    def _whole(self, name: str) -> str:
        """``name`` with the capitalised words that nearly always stand before it: Wang Xiaoming, Old Chen.

        Where names open most sentences, their first words look like any sentence's first word.
        """
        before: Counter[str] = Counter()
        mine = self._where(name)
        for at in mine:
            for match in re.finditer(rf"([^\W\d_]+)[ .]+{re.escape(name)}(?!\w)", self._pairs[at][1]):
                before[match[1]] += match[1][0].isupper()
        word, count = max(before.items(), key=lambda item: item[1], default=("", 0))
        return f"{word} {name}" if count >= max(LEAST, (1 - WITHOUT) * len(mine)) else name

    def _partner(self, name: str) -> str | None:
        """What of the other side goes with ``name``; None where nothing does clearly."""
        mine = self._where(name)
        if not LEAST <= len(mine) <= _PATIENCE:
            return None
        together = Counter(gram for at in mine for gram in {*self._candidates(self._pairs[at][2])})
        often = [g for g, count in together.items() if count >= max(LEAST, (1 - WITHOUT) * len(mine))]
        spread = {gram: sum(self._in(other, gram) for _, _, other in self._pairs) for gram in often}
        fits = [gram for gram in often if together[gram] >= (1 - WITHOUT) * spread[gram]]
        # Of those that go together best, the longest: a name's characters always come together.
        return max(fits, key=lambda g: (together[g] ** 2 / spread[g], len(g), g), default=None)

    def _where(self, name: str) -> list[int]:
        """The pairs that ``name`` stands in."""
        places, seen = self._places.get(name, ([], 0))
        places += (at for at in range(seen, len(self._pairs)) if has(self._pairs[at][1], name, self._named))
        self._places[name] = places, len(self._pairs)
        return places

    def _candidates(self, text: str) -> Iterable[str]:
        """What in ``text`` may be a name: runs of characters, or words with capitals."""
        if counts_characters(self._other):
            for run in _HAN.findall(text):
                for size in range(_SHORTEST, min(_LONGEST, len(run)) + 1):
                    for at in range(len(run) - size + 1):
                        if run[at] not in _NO_EDGE and run[at + size - 1] not in _NO_EDGE:
                            yield run[at : at + size]
            return
        for match in _CAPITALS.finditer(text):
            words = match[0].split(" ")
            for start in range(len(words)):
                for end in range(start + 1, min(start + 4, len(words)) + 1):
                    run = words[start:end]
                    if run[0][:1].isupper() and run[-1][:1].isupper():
                        yield " ".join(run)

    def _in(self, text: str, gram: str) -> bool:
        return has(text, gram, self._other)


def read_terms(path: str) -> list[Term]:
    """The terms of a TSV file: source name, then rendering; a heading line is not needed.

    ``InputError`` names the line that is none, or that contradicts an earlier one.
    """
    found: dict[str, Term] = {}
    for line, row in rows(Path(path), ("source", "target")):
        source, target = row["source"].strip(), row["target"].strip()
        if not source or not target:
            raise InputError(
                f"{path}, line {line}: a name and its rendering belong there", "write them with a tab between"
            )
        if source in found and found[source].target != target:
            raise InputError(
                f"{path}, line {line}: {source} is called {found[source].target} further up, here {target}",
                "keep one of them",
            )
        found[source] = Term(source, target, given=True)
    return [*found.values()]


def as_tsv(terms: Mapping[str, Mapping[str, Any]]) -> Iterable[str]:
    """The lines of a file that ``read_terms`` takes, of ``terms`` as ``Glossary.as_dict`` has them. A heading
    says what each column is; the paragraph is blank where the name was not met."""
    yield "source\ttarget\tparagraph\n"
    for name, term in terms.items():
        place = str(term["paragraph"]) if term["paragraph"] >= 0 else ""
        yield "\t".join((field(name), field(term["target"]), place)) + "\n"
