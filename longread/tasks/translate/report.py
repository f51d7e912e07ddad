"""What is said about a translation: at its end, and where it is not begun.

Knows counts and words. Knows nothing of how they are shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from longread.errors import UnsupportedError
from longread.tasks import prompts
from longread.tasks.translate.checks import Pair
from longread.tasks.translate.segments import Segment
from longread.tasks.translate.translator import Translator


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


def untrusted(name: str, passed: int, trial: int, translator: Translator) -> UnsupportedError:
    """The error that ends a trial of ``trial`` segments in which only ``passed`` were sound."""
    why = _listed(translator.counts.faults, 3)
    return UnsupportedError(
        f"{name} cannot translate this: {passed} of the first {trial} segments passed the checks"
        + (f"; what it wrote {why}" if why else ""),
        "use --model with a model that can, or --anyway to go on all the same",
    )


def _listed(faults: Mapping[str, int], most: int = 9) -> str:
    """ "went in circles (3), was empty (1)"."""
    return ", ".join(f"{fault} ({count})" for fault, count in Counter(faults).most_common(most))
