"""Numbers in a sentence, and whether its translation has them too.

Knows digits, narrow and wide, number words as ``reader.numerals`` does, and how Chinese and
Japanese count in ten thousands. A number spelled in words in the source is not looked for.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

from longread.reader import numerals

_DIGITS = re.compile(r"\d+(?:[.,]\d{3})*(?:[.,]\d+)?")
_GROUPED = re.compile(r"(?<=\d)[.,\u202f\u00a0](?=\d{3}(?:\D|$))")
_HAN = re.compile(rf"(?:\d+(?:\.\d+)?)?[{numerals.CJK_DIGITS}]*[万萬億亿]?[{numerals.CJK_DIGITS}]*[万萬]?")
_UNITS = {"亿": 10**8, "億": 10**8, "万": 10**4, "萬": 10**4}
_WORDS = re.compile(r"[^\W\d_]+")
# Told in too many ways to be looked for: the time of day, and a month where months have names.
_LOOSE = re.compile(r"\d+\s*[:：点點時时]\s*\d*\s*分?|\d+(?=月)|\d+\s*o['’]clock", re.IGNORECASE)
_MANY = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "cent": 100, "cents": 100,
         "mille": 1000, "hundert": 100, "tausend": 1000, "dozen": 12, "сто": 100, "тысяч": 1000}  # fmt: skip


def missing_number(source: str, target: str) -> str:
    """The first number in digits of ``source`` that ``target`` has in no way, in words; "" for none."""
    wanted = _written(_LOOSE.sub(" ", unicodedata.normalize("NFKC", source)))
    if not wanted:
        return ""
    folded = unicodedata.normalize("NFKC", target)
    there = set(_written(folded).values()) | _counted(folded) | _spelled(folded)
    return next((f"lacked a number: {text}" for text, value in wanted.items() if value not in there), "")


def _written(text: str) -> dict[str, float]:
    """Numbers in digits, as they stand, with their values; a unit of ten thousands behind counts."""
    found = {}
    for match in _DIGITS.finditer(text):
        bare = _GROUPED.sub("", match[0]).replace(",", ".")
        try:
            value = float(bare)
        except ValueError:  # 1.2.3 is a section, not a number
            continue
        unit = text[match.end() : match.end() + 1]
        found[match[0] + (unit if unit in _UNITS else "")] = value * _UNITS.get(unit, 1)
    return found


def _counted(text: str) -> set[float]:
    """Numbers in Chinese characters: 三十, 一九九〇, 两万五千, 3亿."""
    found: set[float] = set()
    for match in _HAN.finditer(text):
        if match[0]:
            value = _value(match[0])
            found |= {value} if value is not None else set()
    return found


def _value(text: str) -> float | None:
    total = 0.0
    for unit, size in _UNITS.items():
        head, mark, rest = text.partition(unit)
        if mark:
            factor = _value(head) if head else 1.0
            if factor is None:
                return None
            total, text = total + factor * size, rest
    if not text:
        return total or None
    if re.fullmatch(r"\d+(?:\.\d+)?", text):
        return total + float(text)
    value = numerals.cjk(text)
    return None if value is None else total + value


def _spelled(text: str) -> set[float]:
    """Numbers in words, up to three words each: thirty, twenty-first, vingt et un."""
    words = _WORDS.findall(text.casefold())
    runs = [*words, *map(" ".join, pairwise(words))]
    runs += map(" ".join, zip(words, words[1:], words[2:], strict=False))
    found = {float(value) for run in runs if (value := numerals.spelled(run)) is not None}
    # "a thousand", "five hundred", "two and a half million"; any factor that stands near will do.
    many = {_MANY[word] for word in words if word in _MANY}
    return found | {float(factor * unit) for unit in many for factor in {1.0, *found}}
