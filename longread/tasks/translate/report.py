"""What is said about a translation: at its end, and where it is not begun.

Knows counts and words, and how the names of a book's files are told. Knows nothing of how they are shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from longread.errors import UnsupportedError
from longread.tasks import prompts
from longread.tasks.translate.checks import Pair
from longread.tasks.translate.segments import Piece, Segment
from longread.tasks.translate.translator import Translator

TRIAL = 10  # segments
_NAMED, _LONGEST = 3, 60  # files that are told by name, and the characters of one


def remarks(done: Sequence[Segment], translator: Translator, pair: Pair) -> Iterator[str]:
    """What the user should know of the segments that are ``done``, a sentence each."""
    failed = [segment for segment in done if not segment.ok]
    if failed:
        language = prompts.language_name(pair.src)
        why = _listed(Counter(segment.why.split(":")[0] for segment in failed))
        yield (
            f"{len(failed):,} of {len(done):,} segments were left in {language} and marked; their last try "
            f"{why}. --retry-failed tries them again"
        )
    named = sum(bool(segment.ok and segment.why) for segment in done)
    if named:
        yield f"{named:,} segments leave out a name, or call it otherwise than the glossary"
    if translator.counts.unlisted:
        yield (
            f"{translator.counts.unlisted:,} times a name could not be told to the model: the window had no "
            "room for all names of a block"
        )


def without(left: Sequence[tuple[str, str]]) -> str:
    """What is said of the files of a book that its translation is without, each with what is wrong with it.

    The names are the book's own words: signs in them that nobody sees are spelt out.
    """
    said = [f"{_quoted(name)} {wrong}" for name, wrong in left[:_NAMED]]
    if len(left) > _NAMED:
        said.append(f"and {len(left) - _NAMED:,} more")
    files = "1 file of the book is" if len(left) == 1 else f"{len(left):,} files of the book are"
    return f"{files} not in its translation: {', '.join(said)}"


def _quoted(name: str) -> str:
    """``name`` between marks; of a long one beginning and end, which says what it is."""
    half = _LONGEST // 2
    return repr(name if len(name) <= _LONGEST else f"{name[:half]}…{name[-half:]}")


class Trial:
    """The first segments of a text, ``pieces``: fewer than half of them sound, and the rest is not begun."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._waiting = {piece.number for piece in pieces}
        self.size = len(pieces)
        self.sound = 0

    def take(self, piece: Piece, segment: Segment) -> None:
        """``piece`` became ``segment``; one that does not belong to the trial counts for nothing."""
        if piece.number in self._waiting:
            self._waiting.remove(piece.number)
            self.sound += segment.ok

    @property
    def over(self) -> bool:
        return not self._waiting

    @property
    def passed(self) -> bool:
        return 2 * self.sound >= self.size


def untrusted(name: str, trial: Trial, translator: Translator) -> UnsupportedError:
    """The error that ends a ``trial`` that was not passed."""
    why = _listed(translator.counts.faults, 3)
    return UnsupportedError(
        f"{name} cannot translate this: {trial.sound} of the first {trial.size} segments passed the checks"
        + (f"; what it wrote {why}" if why else ""),
        "use --model with a model that can, or --anyway to go on all the same",
    )


def _listed(faults: Mapping[str, int], most: int = 9) -> str:
    """ "went in circles (3), was empty (1)"."""
    return ", ".join(f"{fault} ({count})" for fault, count in Counter(faults).most_common(most))
