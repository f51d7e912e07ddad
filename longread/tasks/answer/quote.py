"""The sentence that answers: chosen among the sentences of the passages found, never written.

Knows what an answer to who, when, where and how many looks like, in English and a few other languages.
Knows no model and no index; terms and their weights are given to it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from longread.reader.sentences import sentences

_NUMBER = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen"
    r"|seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred|thousand"
    r"|million|dozen|score|half|once|twice|first|second|third|deux|trois|quatre|cinq|dix|vingt|cent|mille|zwei"
    r"|drei|vier|fünf|zehn|zwanzig|hundert|tausend|два|две|три|четыре|пять|десять|двадцать|сто|тысяча)\b"
    r"|[一二三四五六七八九十百千万萬两兩]",
    re.IGNORECASE,
)
_TIME = re.compile(
    r"\d|\b(?:day|night|morning|evening|noon|midnight|year|month|week|hour|o'clock|minute|spring|summer|autumn"
    r"|winter|january|february|march|april|may|june|july|august|september|october|november|december|monday"
    r"|tuesday|wednesday|thursday|friday|saturday|sunday|christmas|easter|ago|when|after|before|since)s?\b",
    re.IGNORECASE,
)
_PLACE = re.compile(
    r"\b(?:in|at|on|under|behind|near|beside|from|to|into|above|below|dans|à|chez|nach|bei)\b", re.IGNORECASE
)
_REASON = re.compile(
    r"\b(?:because|for|since|so|that|as|therefore|in order|lest|owing|parce|car|weil|denn|damit|потому)\b",
    re.IGNORECASE,
)
_NAME = re.compile(r"(?<=[\w,;] )[A-ZÀ-ÞА-Я][^\W\d_]+|\b(?:Mr|Mrs|Dr|Miss|Sir|Lady)\b")
# Mungo Pardoe, the engineer; the engineer, Mungo Pardoe; a widow called Noakes.
_INTRODUCED = re.compile(
    r"[A-ZÀ-Þ][\w’']+, (?:an?|the|who|whose|of|his|her|their)\b"
    r"|\b(?:called|named)\b|\b(?:an?|the) [a-z]+, [A-ZÀ-Þ]"
)
_CUES = tuple(
    (re.compile(asks, re.IGNORECASE), cue)
    for asks, cue in (
        (
            r"\bhow (?:many|much|old|far|long|large|big|tall|deep|often)\b|\bcombien\b|\bwie ?viele?\b",
            _NUMBER,
        ),
        (r"\bwhat (?:sum|number|price|age)\b|\bсколько\b|多少|几|幾|いくつ", _NUMBER),
        (r"\bwhen\b|\bwhat (?:day|date|year|time|hour)\b|\bquand\b|\bwann\b|\bкогда\b", _TIME),
        (r"\bwhere\b|\bwhich (?:town|city|place|country)\b|\boù\b|\bwo\b|\bгде\b", _PLACE),
        (r"\bwho (?:is|was|are|were)\b", _INTRODUCED),
        (r"\bwho(?:m|se)?\b|\bnamed?\b|\bcalled\b|\bqui\b|\bwer\b|\bкто\b", _NAME),
        (r"\bwhy\b|\bfor what reason\b|\bpourquoi\b|\bwarum\b|\bпочему\b", _REASON),
    )
)


@dataclass(frozen=True)
class Quote:
    """Some sentences as they stand in the text, from character ``start`` to ``end`` of the book."""

    text: str
    start: int
    end: int


def best_quote(
    question: str,
    passages: Sequence[tuple[int, str]],
    language: str,
    weights: dict[str, float],
    terms: Callable[[list[str]], list[list[str]]],
) -> Quote | None:
    """The sentence of ``passages`` (first character, text; best first) that answers best; None of none.

    ``weights`` are the question's terms and how rare each is; ``terms`` gives those of texts.
    """
    whole = sum(weights.values()) or 1.0
    cues = [cue for asks, cue in _CUES if asks.search(question)]
    found: list[tuple[float, Quote]] = []
    for rank, (start, text) in enumerate(passages):
        spans = sentences(text, language)
        held = [set(own) & weights.keys() for own in terms([text[low:high] for low, high in spans])]
        for at, (low, high) in enumerate(spans):
            beside = set().union(*held[max(0, at - 1) : at + 2]) - held[at]
            score = _weight(held[at], weights, whole) + _BESIDE * _weight(beside, weights, whole)
            # Words of the question themselves are no answer to it.
            score += _CUE * sum(bool(cue.search(text, low, high)) for cue in cues)
            score -= _RANK * rank + _SHORT * (high - low < _FEW)
            found.append((score, Quote(text[low:high], start + low, start + high)))
    return max(found, key=lambda item: item[0])[1] if found else None


# What a sentence beside one counts, a fitting cue, each rank below the first, and too few characters.
_BESIDE, _CUE, _RANK, _SHORT, _FEW = 0.5, 0.15, 0.1, 0.1, 20


def _weight(terms: set[str], weights: dict[str, float], whole: float) -> float:
    return sum(weights[term] for term in terms) / whole
