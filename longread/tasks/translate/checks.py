"""What can be wrong with the translation of one sentence.

Knows scripts, lengths, numbers, repetition, and what markup looks like. Knows no model
and no prompt, and cannot tell a good translation from a bad one: only what no good
translation has. Figures on human translations stand in docs/log.md.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from longread.engine.decode import Ended
from longread.reader.language import base_language, detect
from longread.tasks.abstract.guards import fault
from longread.tasks.extract.traits import counts_characters
from longread.tasks.prompts import language_name
from longread.tasks.translate.numbers import missing_number
from longread.tasks.translate.segments import weight

# Letters that a language is written in; those that are not listed here, in Latin ones.
_SCRIPTS = {
    "zh": "\u3400-\u9fff\uf900-\ufaff",
    "ja": "\u3041-\u30ff\u3400-\u9fff",
    "ko": "\uac00-\ud7a3",
    "el": "\u0370-\u03ff\u1f00-\u1fff",
    "he": "\u05d0-\u05ea",
    "ar": "\u0620-\u06ff",
    "th": "\u0e01-\u0e5b",
    "hi": "\u0900-\u097f",
} | dict.fromkeys(("ru", "uk", "bg", "sr", "be"), "\u0400-\u04ff")
_LATIN = "A-Za-z\u00c0-\u024f\u1e00-\u1eff"
# (target + 15) / (source + 15), in letters; of 30,979 human pairs one lies outside.
_SHORTEST, _LONGEST, _SLACK = 0.4, 2.5, 15
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_MARKUP = re.compile(
    r"\*\*|__|```|`|</?[a-zA-Z][^<>]{0,60}>|&[a-z]{2,6};|&#\d+;|\[/?[A-Z]{2,}\]|^\s*#{1,6}\s|^-{3,}|\|\|"
)
# The colon must follow the label: "Chinese soldiers cried: …" is a sentence.
_KEY = r"(?:translation|translated|english|chinese|note|翻译|译文|英文|中文|翻譯|譯文|注)"
_MORE = rf"(?:{_KEY}|text|version|sentence|如下)"
_LABEL = re.compile(
    rf"^\W*(?:(?:the\s+)?{_KEY}(?:\s*{_MORE}|\s+(?:in|into|to)\s+\w+)?(?:\s*[(（\[][^)）\]]{{0,30}}[)）\]])?"
    r"|here(?:\s+is|['’]s)\s+(?:(?:the|my|your|an?)\s+)?(?:\w+\s+)?(?:translation|version)[^.:：]{0,30}"
    r"|以下(?:是|为|為)\w{0,8}(?:翻译|译文|翻譯|譯文))\s*[:：]",
    re.IGNORECASE,
)
_AGAIN = re.compile(r"(.{2,60}?)\1{2,}", re.DOTALL)
_SAME_AGAIN = re.compile(r"(.{1,60}?)\W*\1\W*\1", re.DOTALL)
# After these a capital says nothing.
_OPENS = re.compile(r"(?:^|[.!?…:\"“”«»„‘\[(—–\n]|--)[\W_]*$")
_QUOTES = {'"': '"', "“": "”", "「": "」", "«": "»", "„": "“", "'": "'"}


@dataclass(frozen=True)
class Pair:
    """Two languages, BCP 47."""

    src: str
    tgt: str

    @property
    def same_script(self) -> bool:
        """Whether both are written in the same letters."""
        return script(self.src) == script(self.tgt)


def script(language: str) -> str:
    """The letters of ``language``, as the inside of a character class."""
    return _SCRIPTS.get(base_language(language), _LATIN)


def cleaned(text: str, source: str) -> str:
    """``text`` without white space and quotation marks around it that the source does not have."""
    text = text.strip()
    opening, closing = text[:1], text[-1:]
    if (
        len(text) > 2
        and _QUOTES.get(opening) == closing
        and not any(mark in text[1:-1] for mark in (opening, closing))
        and source[:1] not in _QUOTES
        and source[:1] not in "『‘‹"
    ):
        text = text[1:-1].strip()
    return text


def wrong(
    text: str,
    ended: Ended,
    special: Collection[int],
    source: str,
    pair: Pair,
    terms: Mapping[str, str],
    words: Collection[str] = (),
) -> str:
    """What is wrong with ``text`` as a translation of ``source``, in words; "" for nothing.

    ``special`` are the ids that no plain text has; ``terms`` are those of the glossary that
    must be kept, source name to rendering; ``words`` as in ``lacks``.
    """
    found = fault(text, ended, special, source)
    if found:
        return found
    if ended.reason == "length":
        return "never came to an end"
    if "\n" in text.strip():
        return "ran on after the sentence"
    return (
        _markup(text, source)
        or _repeats(text, source)
        or _language(text, source, pair)
        or _left_over(text, source, pair, terms)
        or _length(text, source)
        or missing_number(source, text)
        or lacks(text, source, terms, pair, words)
    )


def lacks(text: str, source: str, terms: Mapping[str, str], pair: Pair, words: Collection[str] = ()) -> str:
    """Which of ``terms`` the source has and the translation lacks, in words; "" for none.

    ``words`` are those that the book has in small letters. A name that is one of them is looked for only
    where a capital must mean a name: "Will you come?" need not hold Will.
    """
    for name, rendering in terms.items():
        places = (source[: found.start()] for found in _named(name).finditer(source))
        doubtful = name[:1].isupper() and name.lower() in words and all(map(_OPENS.search, places))
        if not doubtful and has(source, name, pair.src) and not has(text, rendering, pair.tgt):
            return f"lacked a name: {rendering} ({name})"
    return ""


def has(text: str, name: str, language: str) -> bool:
    """Whether ``name`` stands in ``text``: as whole words where words have spaces between, its capitals as
    they are and other letters in any case. Will and WILL are Will, the verb is not."""
    return name in text if counts_characters(language) else _named(name).search(text) is not None


@functools.lru_cache(4096)
def _named(name: str) -> re.Pattern[str]:
    letters = (re.escape(c) if c.isupper() else f"(?i:{re.escape(c)})" for c in name)
    # A plural or a genitive is the name too.
    return re.compile(rf"(?<!\w){''.join(letters)}(?:['’]?[sS])?(?!\w)")


def _markup(text: str, source: str) -> str:
    if any(mark not in source for mark in _MARKUP.findall(text)):
        return "held markup"
    return "held a label" if _LABEL.match(text) and not _LABEL.match(source) else ""


def _repeats(text: str, source: str) -> str:
    """Short circles, which end before the guard of the tokens is sure."""
    again = _AGAIN.search(text)
    few = _variety(text) < 0.4 and _variety(source) > 0.6
    if (few or (again and weight(again[0]) >= 12)) and not _SAME_AGAIN.search(source):
        return "went in circles"
    return ""


def _variety(text: str) -> float:
    """How many of its words ``text`` has once only, 0 to 1; of its pairs of characters where no spaces
    part the words. A short one is varied enough."""
    units = _WORD.findall(text.lower())
    if weight(text) > 20 * len(units):
        units = [text[at : at + 2] for at in range(len(text) - 1)]
    return len(set(units)) / len(units) if len(units) >= 12 else 1.0


def _language(text: str, source: str, pair: Pair) -> str:
    words = text
    for name in {word for word in _WORD.findall(source) if word[0].isupper()}:
        words = words.replace(name, "")  # a name may stay as it is
    letters = "".join(character for character in words if character.isalpha())
    own = "".join(re.findall(f"[{script(pair.tgt)}]", letters))
    if letters and weight(own) < 0.5 * weight(letters):
        return f"was not in {language_name(pair.tgt)}"
    found = detect(text)
    if base_language(pair.tgt) in ("zh", "ja"):
        # A Japanese sentence has kana, if it is not very short; a Chinese one has none.
        mixed = {found, pair.tgt} == {"zh-Hans", "zh-Hant"}
        other = base_language(pair.tgt) == "zh" and found == "ja"
        return f"was not in {language_name(pair.tgt)}" if mixed or other else ""
    told = base_language(pair.src) if pair.same_script else None
    if told and found == told != base_language(pair.tgt):
        return f"was in {language_name(pair.src)}"
    return ""


def _left_over(text: str, source: str, pair: Pair, terms: Mapping[str, str]) -> str:
    if base_language(pair.src) == base_language(pair.tgt):
        return ""
    if not pair.same_script:
        foreign = set(re.findall(f"[{script(pair.src)}]", "".join(terms.values())))
        if script(pair.src) != _LATIN:
            left = [c for c in re.findall(f"[{script(pair.src)}]", text) if c not in foreign]
            left = [c for c in left if not re.match(f"[{script(pair.tgt)}]", c)]
            return f"left some of the source: {''.join(left)[:12]}" if left else ""
        known = set(_WORD.findall(source))
        left = [w for w in _WORD.findall(text) if len(w) > 2 and w.islower() and w in known]
        return f"left some of the source: {' '.join(left[:4])}" if len(left) > 1 else ""
    mine, its = _WORD.findall(text.casefold()), _WORD.findall(source.casefold())
    if counts_characters(pair.src):
        return ""
    if len(its) > 2 and mine == its and any(word.islower() for word in _WORD.findall(source)[1:]):
        return f"was still in {language_name(pair.src)}"
    runs = {tuple(its[at : at + 5]) for at in range(len(its) - 4)}
    left = next((run for at in range(len(mine) - 4) if (run := tuple(mine[at : at + 5])) in runs), ())
    return f"left some of the source: {' '.join(left)}" if left else ""


def _length(text: str, source: str) -> str:
    ratio = (weight(text) + _SLACK) / (weight(source) + _SLACK)
    if ratio < _SHORTEST:
        return "was too short for its source"
    return "was too long for its source" if ratio > _LONGEST else ""
