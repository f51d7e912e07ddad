"""What is said about a translation: at its end, and where it is not begun.

Knows counts and words. Knows nothing of how they are shown.
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
