"""Which language a text is in.

Knows scripts, the commonest short words of some languages written in Latin and Cyrillic
letters, and characters that only one of the two Chinese spellings uses. Knows no network
and no model: the languages listed here, those told by their script alone, and "und".
"""

from __future__ import annotations

import re
from collections import Counter

_LATIN = {
    "en": "the of and to that was he his with for as had it is her she at not but be on you have which him",
    "fr": "le la les et des une que qui dans pas il elle vous nous est était pour sur avec au du ce ne se",
    "de": "der die und den das nicht ein eine ist sich mit er sie ich zu dem von auf war auch als des im wie",
    "es": "el los las y que una en por con no su para es como más pero del al lo era había se le muy yo",
    "it": "il di che la e non un una per con si era gli della è del le nel ma come più sono i lo mi",
    "pt": "o os as que uma não em para com se do da por mais é um ao dos das era mas como seu ele eu",
    "nl": "de het een en van dat niet was hij zijn met ik op te voor ze haar er maar als aan had ook om",
    "la": "et in est non ad cum ut quod qui sed ab ex si autem enim quae esse eius hoc per quam ac sunt",
}
_CYRILLIC = {
    "ru": "и в не на он что с как его но она к по это я все из был за у же так ее от бы сказал было",
    "uk": "і в не на він що з як його але вона до за це я та й був у же так її від би було та є",
}
_WORDS = {code: frozenset(words.split()) for table in (_LATIN, _CYRILLIC) for code, words in table.items()}

KNOWN = frozenset(_WORDS) | {
    "ja",
    "ko",
    "zh",
    "zh-Hans",
    "zh-Hant",
    "el",
    "he",
    "ar",
    "th",
}
_BASES = frozenset(code.split("-")[0] for code in KNOWN)
RIGHT_TO_LEFT = frozenset(("ar", "dv", "fa", "he", "ku", "ps", "sd", "ug", "ur", "yi"))

_NAMES = {
    "english": "en eng",
    "french": "fr fra fre",
    "german": "de deu ger",
    "spanish": "es spa",
    "italian": "it ita",
    "russian": "ru rus",
    "ukrainian": "uk ukr",
    "japanese": "ja jpn",
    "korean": "ko kor",
    "chinese": "zh zho chi",
    "portuguese": "pt por",
    "dutch": "nl nld dut",
    "latin": "la lat",
    "greek": "el ell gre",
    "hebrew": "he heb",
    "arabic": "ar ara",
    "thai": "th tha",
}
_CODES = {word: codes.split()[0] for name, codes in _NAMES.items() for word in [name, *codes.split()]}
_REST = r"[a-z0-9]{2,8}(?:-[a-z0-9]{2,8}){0,2}"  # script, country: short, and no sign that a path has
_TAG = re.compile(rf"[a-z]{{2,3}}(?:-{_REST})?", re.I | re.ASCII)
_SUBTAGS = re.compile(_REST, re.I | re.ASCII)

# Frequent characters that exist in one spelling only, each beside its counterpart.
_HANS = "们这个来说为时国会过对学样后们开问还见关头书边听车东门马师长话语让谁谢钱请钟"
_HANT = "們這個來說為時國會過對學樣後們開問還見關頭書邊聽車東門馬師長話語讓誰謝錢請鐘"
_ONLY_HANS = frozenset(_HANS) - frozenset(_HANT)
_ONLY_HANT = frozenset(_HANT) - frozenset(_HANS)

_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_KANA = re.compile(r"[\u3041-\u30ff]")
_HANGUL = re.compile(r"[\uac00-\ud7a3]")
_LETTERS = re.compile(r"[^\W\d_]+")
_SCRIPTS = (
    ("cyrillic", re.compile(r"[\u0400-\u04ff]")),
    ("el", re.compile(r"[\u0370-\u03ff\u1f00-\u1fff]")),
    ("he", re.compile(r"[\u05d0-\u05ea]")),
    ("ar", re.compile(r"[\u0620-\u064a]")),
    ("th", re.compile(r"[\u0e01-\u0e5b]")),
)


class Tally:
    """Counts what tells languages apart, sample by sample, in a few hundred bytes."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, sample: str) -> None:
        """Count one sample, a few thousand characters of running text."""
        counts = self._counts
        if not sample.isascii():
            han = _HAN.findall(sample)
            counts["han"] += len(han)
            counts["hans"] += sum(character in _ONLY_HANS for character in han)
            counts["hant"] += sum(character in _ONLY_HANT for character in han)
            counts["kana"] += len(_KANA.findall(sample))
            counts["ko"] += len(_HANGUL.findall(sample))
            for script, pattern in _SCRIPTS:
                counts[script] += len(pattern.findall(sample))
        words = Counter(word.lower() for word in _LETTERS.findall(sample))
        counts["words"] += words.total()
        counts["letters"] += sum(len(word) * count for word, count in words.items())
        for code, common in _WORDS.items():
            counts[code] += sum(words[word] for word in common)

    def language(self) -> str:
        """BCP 47 code of the language that the samples are in, ``und`` where that is not clear."""
        counts = self._counts
        letters = max(counts["letters"], 1)
        if counts["kana"] > 0.05 * letters:
            return "ja"
        if counts["ko"] > 0.3 * letters:
            return "ko"
        if counts["han"] > 0.3 * letters:
            return "zh-Hant" if counts["hant"] > counts["hans"] else "zh-Hans" if counts["hans"] else "zh"
        for script, _ in _SCRIPTS[1:]:
            if counts[script] > 0.5 * letters:
                return script
        table = _CYRILLIC if counts["cyrillic"] > 0.5 * letters else _LATIN
        return self._by_words(table)

    def common(self, code: str) -> int:
        """How often a common word of language ``code`` was met."""
        return self._counts[code]

    def _by_words(self, table: dict[str, str]) -> str:
        ranked = sorted(table, key=lambda code: self._counts[code], reverse=True)
        best, second = ranked[0], ranked[1]
        clear = self._counts[best] >= 1.15 * self._counts[second] and self._counts[best] >= 3
        return best if clear and self._counts[best] > 0.1 * self._counts["words"] else "und"


def base_language(language: str) -> str:
    """The first part of a BCP 47 code, in lower case."""
    return language.replace("_", "-").split("-")[0].lower()


def settle(found: str, stated: str) -> str:
    """The language of a text that reads like ``found`` and whose file says ``stated``; either may be nothing.

    Many files state the default of the program that wrote them, so what is found counts,
    unless the file names a language that is not told apart here. What comes back is a short
    code of ASCII letters, figures and hyphens, whatever a file states.
    """
    tag = stated.split(",")[0].strip().replace("_", "-")
    first, _, rest = tag.partition("-")
    code = _CODES.get(first.casefold(), first.casefold())
    if code in _BASES:
        own = code + (f"-{rest}" if _SUBTAGS.fullmatch(rest) else "")
        return found if found != "und" else own
    if not _TAG.fullmatch(tag) or code in ("und", "mul", "zxx", "mis", "mid"):
        return found
    return code + (f"-{rest}" if rest else "")


def detect(sample: str) -> str:
    """The language of one sample of text."""
    tally = Tally()
    tally.add(sample)
    return tally.language()
