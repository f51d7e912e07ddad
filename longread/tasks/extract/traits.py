"""What can be seen of a sentence in its text: how long it is, and whether it can stand alone.

Knows quotation marks, opening words and the marks of damage (notes, tables, verse, headings) in the
languages that are read here. Computed when the passage is at hand, so that its text need not be kept.
Knows no model, no vectors and nothing of the rest of the book.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from enum import IntFlag
from typing import NamedTuple

from longread.reader.language import base_language
from longread.tasks.extract.tables import (
    ADDRESSING,
    LEANING,
    LEANING_CJK,
    NOTES,
    OPINING,
    POINTING,
    SPEECH_ZH,
    THIRD,
)

NAMES, GRAMS = 6, 20  # how many hashes of names and of words are kept of a sentence


class Mark(IntFlag):
    """Why a sentence would be a poor one to quote, but for ``OPENS``, which speaks for it."""

    HEADING = 1  # a title, a line in capitals
    NOTE = 2  # an editor's or transcriber's note, an illustration's caption
    BROKEN = 4  # quotes or brackets that do not pair, no end, starts in the middle, verse, a table
    SPEECH = 8  # stands in quotation marks, or mostly
    LEANS = 16  # opens with a pronoun or with a word that ties it to the sentence before
    HANGS = 32  # speaks of him or her before it has said who
    OPENS = 64  # the first of its paragraph
    ASKS = 128  # a question or an exclamation
    POINTS = 256  # points at something said before: "this rule", "the other two", "moreover"
    ADDRESSES = 512  # speaks to someone: "you"
    OPINES = 1024  # says what might, must or should be, or what is always so


class Traits(NamedTuple):
    """``length`` in words (characters in Chinese and Japanese), and 32-bit hashes of names and words."""

    length: int
    marks: Mark
    names: tuple[int, ...]
    grams: tuple[int, ...]


_DAMAGE = re.compile(
    r"[\[{<|=#~\\^\]}>]|\*|_\d|\t|\S {3,}\S|\.{5,}|(?:\. ){4,}|�|-{3,}|—{3,}|[¹²³⁴-⁹†‡§]|\d\)|\n[ \t]{2,}\S"
)
_SHOUTED = re.compile(r"\b[^\W\d_a-zа-я]{4,}\b")
_ENDS = tuple(".!?…。！？．｡؟۔।॥\"')]’”»›«“」』）*_")
_LAST_WORD_CUT = re.compile(
    r"\b(?:Mr|Mrs|Ms|Dr|St|Mme|Mlle|No|Vol|Chap|pp?|vs|viz|Messrs|Capt|Col|Gen|Rev|[A-Z])\.\Z"
)
_QUOTE = re.compile("[\"“”„«»‹›「」『』]|(?<![^\\W_])[‘'‚](?=[^\\W_])|(?<=[^\\s])[’'](?![^\\W_])")
_PAIRS = {
    "“": "”",
    "„": "“”",
    "«": "»",
    "»": "«",
    "‹": "›",
    "›": "‹",
    "「": "」",
    "『": "』",
    "‘": "’",
    "'": "'",
    "‚": "‘’",
}
_BALANCED = ("()", "（）", "《》", "「」", "『』")
_DASH = re.compile(r"\s*(?:[—–―]|-\s|--)\s*")
_WORD = re.compile(r"[^\W\d_]+(?:['’\-][^\W\d_]+)*")
_CJK_CHARACTER = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")


def counts_characters(language: str) -> bool:
    """Whether a text's length is counted in characters (Chinese, Japanese) and not in words."""
    return base_language(language) in {"zh", "ja"}


def length_of(text: str, language: str) -> int:
    """Length of ``text`` in words; in Chinese and Japanese in characters, white space not counted."""
    words = text.split()
    return sum(map(len, words)) if counts_characters(language) else len(words)


def word_hash(word: str) -> int:
    """A 32-bit hash, the same on every machine and in every run; never 0."""
    return zlib.crc32(word.encode("utf-8", "surrogatepass")) or 1


def describe(passage: str, spans: Sequence[tuple[int, int]], language: str) -> list[Traits]:
    """The traits of the sentences that stand at ``spans`` in ``passage``.

    ``passage`` is a whole paragraph: quotation marks are followed through it, so that a sentence in the
    middle of a speech is known for one.
    """
    language = base_language(language)
    quoted = _quoted(passage)
    spoken = _DASH.match(passage) is not None
    verse = language not in {"zh", "ja"} and _is_verse(passage)
    traits = []
    for number, (start, end) in enumerate(spans):
        text = passage[start:end]
        marks = _damage(text, language)
        if verse:
            marks |= Mark.BROKEN
        if number == 0 or "\n\n" in passage[spans[number - 1][1] : start]:
            marks |= Mark.OPENS
        inside = 0
        for low, high, closed in quoted:
            if low >= end or high <= start:
                continue
            inside += min(high, end) - max(low, start)
            if low < start or high > end or not closed:
                marks |= Mark.BROKEN | Mark.SPEECH  # a piece of a longer speech
        if spoken or inside > 0.4 * len(text) or (language == "zh" and SPEECH_ZH.search(text)):
            marks |= Mark.SPEECH
        words = _WORD.findall(text)
        marks |= _leaning(text, words, language)
        cjk = language in {"zh", "ja"}
        traits.append(
            Traits(
                length=length_of(text, language),
                marks=marks,
                names=() if cjk else _names(words),
                grams=_grams_cjk(text) if cjk else _grams(words),
            )
        )
    return traits


def _quoted(passage: str) -> list[tuple[int, int, bool]]:
    """What stands in quotation marks: (start, end, whether it was closed), nesting left out."""
    found = []
    opened, closing, at = -1, "", 0
    for match in _QUOTE.finditer(passage):
        mark = match[0]
        if opened < 0:
            if mark == '"':
                closing = '"”'
            elif mark == "'" and match.end() < len(passage) and not passage[match.end()].isalpha():
                continue  # a closing one that was never opened: an apostrophe
            elif mark in _PAIRS:
                closing = _PAIRS[mark] + ('"' if mark == "“" else "")
            else:
                continue
            opened, at = match.start(), match.end()
        elif mark in closing and match.start() >= at:
            found.append((opened, match.end(), True))
            opened = -1
    # A single quote without its fellow is an apostrophe ('tis); any other is a speech that goes on.
    if opened >= 0 and passage[opened] not in "'‘‚":
        found.append((opened, len(passage), False))
    return found


def _is_verse(passage: str) -> bool:
    """Whether a passage is set in short lines that begin with capitals, as verse and lists are."""
    lines = [line.strip() for line in passage.split("\n") if line.strip()]
    if len(lines) < 2:
        return False
    short = sum(len(line) < 52 for line in lines)
    capital = sum(not line.lstrip("\"'“‘(_*").lstrip()[:1].islower() for line in lines[1:])
    return short >= 0.75 * len(lines) and capital >= 0.7 * (len(lines) - 1)


def _damage(text: str, language: str) -> Mark:
    marks = Mark(0)
    letters = sum(map(str.isalpha, text))
    if not letters:
        return Mark.BROKEN
    if sum(map(str.isupper, text)) > 0.5 * letters or text.startswith("#"):
        marks |= Mark.HEADING
    small = text.lower()
    if any(note in small for note in NOTES):
        marks |= Mark.NOTE
    first = text.lstrip("\"'“‘„«»‚‹›「『_ \u00a0\u202f")[:1]
    if (
        not first.isalnum()
        or first.islower()
        or first.isdigit()
        or not text.endswith(_ENDS)
        or _DAMAGE.search(text)
        or _LAST_WORD_CUT.search(text)
        or any(text.count(a) != text.count(b) for a, b in _BALANCED)
        or (language != "de" and text.count("“") != text.count("”"))
        or text.count('"') % 2
        or text.count("_") % 2
        or sum(map(str.isdigit, text)) > 0.12 * len(text)
    ):
        marks |= Mark.BROKEN
    if language not in {"zh", "ja"}:
        words = text.split()
        capital = sum(map(str.isupper, [word[0] for word in words]))
        if len(words) >= 4 and capital > 0.6 * len(words):
            marks |= Mark.HEADING
        if letters < 0.6 * sum(map(len, words)):
            marks |= Mark.BROKEN
        if len(_SHOUTED.findall(text)) >= 2:
            marks |= Mark.BROKEN
    else:
        han = len(_CJK_CHARACTER.findall(text))
        if han < 0.7 * letters:
            marks |= Mark.BROKEN
        if re.match(r"第[零〇一二三四五六七八九十百千两兩\d]+[回章节節卷]", text):
            marks |= Mark.HEADING
    if re.search(r"[?？!！][\"'”’»」』）)]*\Z", text):
        marks |= Mark.ASKS
    return marks


def _leaning(text: str, words: list[str], language: str) -> Mark:
    marks = Mark(0)
    for told, patterns in (
        (Mark.POINTS, POINTING),
        (Mark.ADDRESSES, ADDRESSING),
        (Mark.OPINES, OPINING),
    ):
        pattern = patterns.get(language)
        if pattern is not None and pattern.search(text):
            marks |= told
    pattern = LEANING_CJK.get(language)
    if pattern is not None:
        leans = pattern.match(text.lstrip('「『“"‘（(　 '))
        return marks | Mark.LEANS if leans else marks
    if not words:
        return marks
    leaning = LEANING.get(language, frozenset())
    first = words[0].lower().replace("’", "'")
    stem, _, rest = first.partition("'")
    if (
        first in leaning
        or stem in leaning
        or (rest and stem + "'" in leaning)
        or stem.split("-")[0] in leaning
    ):
        marks |= Mark.LEANS
    third = THIRD.get(language, frozenset())
    for position, word in enumerate(words):
        if word.lower() in third:
            marks |= Mark.HANGS
            break
        if position and word[:1].isupper() and len(word) > 1:
            break
    return marks


def _names(words: list[str]) -> tuple[int, ...]:
    """Hashes of the capitalised words; which of them are names is known at the end of the book."""
    found: dict[int, None] = {}
    for word in words:
        if word[0].isupper() and len(word) > 1:
            found[word_hash(word.removesuffix("'s").removesuffix("’s"))] = None
            if len(found) == NAMES:
                break
    return tuple(found)


def _grams(words: list[str]) -> tuple[int, ...]:
    """Hashes of the longer words, the longest first."""
    long = sorted({word.lower() for word in words if len(word) > 3}, key=lambda word: (-len(word), word))
    return tuple(map(word_hash, long[:GRAMS]))


def _grams_cjk(text: str) -> tuple[int, ...]:
    """Hashes of pairs of characters, chosen by the hash itself, so that like texts keep the same ones."""
    return tuple(
        sorted({word_hash(text[i : i + 2]) for i in range(len(text) - 1) if text[i : i + 2].isalnum()})[
            :GRAMS
        ]
    )
