"""How much a summary in a model's own words will write, before anything is read.

Knows the sizes of notes and of what they are merged into; ``abstract`` goes by the same. Knows of a prompt
its length, and no speed. Loads no torch: a dry run asks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from longread.reader import Document
from longread.reader.language import base_language
from longread.tasks import prompts
from longread.tasks.estimate import Notes
from longread.tasks.extract.traits import counts_characters, length_of

SAMPLE = 20_000  # characters from which the tokens of a word are learned
LEAST, MOST = 30, 250  # words of a note
PLENTY = 3  # notes together are so many times as long as the summary
LONGEST = 300  # words of a summary that are asked for in one go; models asked for more write less
SPARE, END = 1.3, 8  # an answer may run over by so much, and so many tokens, before it is cut off
# Tokens of a word, or of a character, in a language that the sample does not show: on the safe side.
_TOKENS_OF_WORD, _TOKENS_OF_CHARACTER = 2.5, 1.5
_TEMPLATE = 40  # tokens that a chat template puts around a prompt, about


@dataclass(frozen=True)
class Sizes:
    """Shares of the window, in tokens: the ``stretch`` noted, the notes ``before`` it, the ``answer``."""

    stretch: int
    before: int
    answer: int


def sizes_for(room: int, most: int) -> Sizes:
    """How ``room`` tokens are shared; an answer takes ``most`` at most."""
    answer = min(room // 4, most)
    before = min(room // 5, most)
    return Sizes(room - answer - before, before, answer)


def rate_of(encoder: Any, language: str, sample: str, spoken: str) -> float:
    """Tokens that a word of ``language`` takes (of Chinese and Japanese, a character), from a ``sample`` of
    the book, which is in ``spoken``."""
    length = length_of(sample, language)
    if base_language(language) == base_language(spoken) and length:
        return len(encoder.encode(sample)) / length
    return _TOKENS_OF_CHARACTER if counts_characters(language) else _TOKENS_OF_WORD


def answer_for(length: float, rate: float) -> int:
    """Tokens to allow for an answer of ``length``."""
    return math.ceil(length * rate * SPARE) + END


def outlook(
    document: Document,
    start: int,
    end: int,
    encoder: Any,
    window: int,
    wanted: int,
    *,
    by: str,
    lang: str | None,
) -> Notes:
    """What is written of the characters [start, end) for a summary of ``wanted`` words, if every text comes
    out as long as it was asked for and at the first try. ``by`` and ``lang`` are those of ``abstract``."""
    language = lang or document.language
    sample = "".join(document.text(start, min(end, start + SAMPLE)))
    rate = rate_of(encoder, language, sample, document.language)
    scale = 2 if counts_characters(language) else 1
    own = {name: _own(name, encoder, document, language) for name in ("note", "merge")}
    sizes = sizes_for(max(1, window - own["note"]), answer_for(MOST * scale, rate))
    longest = max(1.0, (sizes.answer - END) / (rate * SPARE))
    tokens = (end - start) * len(encoder.encode(sample)) / max(len(sample), 1)
    noted = written = prompted = 0.0  # tokens: of the notes, of what is written, of the prompts
    parts = 0
    for low, high in _chapters(document, start, end):
        share = (high - low) / max(end - start, 1)
        stretches = max(1, math.ceil(1.05 * tokens * share / max(sizes.stretch, 1)))
        length = min(max(PLENTY * wanted * share / stretches, LEAST * scale), longest)
        parts += 1
        if tokens * share / stretches <= length * rate:  # shorter than its note would be: it is kept as it is
            noted += tokens * share
            continue
        noted += stretches * length * rate
        written += stretches * length * rate
        prompted += tokens * share + stretches * (own["note"] + min(sizes.before, 8 * length * rate))
    wanted = min(wanted, round(tokens / rate / 2))
    room = max(1, window - own["merge"])
    go = min(room // 4, answer_for(LONGEST * scale, rate))
    goes = max(parts if by == "chapter" else 1, math.ceil(answer_for(wanted, rate) / max(go, 1)))
    source = max(1, room - 2 * go)
    held = noted / goes  # of each go, in tokens
    while held > source:
        ratio = min(0.5, 0.9 * source / held)
        prompted += goes * held * (1 + own["merge"] / source)
        held *= ratio
        written += goes * held
    return Notes(round(written + wanted * rate), round(prompted + goes * (held + own["merge"])))


def _own(name: str, encoder: Any, document: Document, language: str) -> int:
    """Tokens of a prompt's own words, about."""
    empty = dict.fromkeys(("chapter", "before", "source", "length"), "")
    fields = {"title": document.title or document.name, "language": prompts.language_name(language)}
    return _TEMPLATE + sum(len(encoder.encode(text)) for text in prompts.prompt(name).fill(**empty, **fields))


def _chapters(document: Document, start: int, end: int) -> list[tuple[int, int]]:
    """The chapters' bodies within the characters; all of them where there are no chapters."""
    spans = [(max(start, c.body), min(end, c.end)) for c in document.chapters]
    return [span for span in spans if span[0] < span[1]] or [(start, end)]
