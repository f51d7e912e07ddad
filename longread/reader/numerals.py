"""Numbers as headings spell them: VII, 12, twelve, Erstes, premier, вторая, 第十二.

Knows numerals of English, French, German, Russian, Italian, Spanish, Portuguese, Latin, Chinese and Japanese
headings.
Knows nothing of headings.
"""

from __future__ import annotations

import functools
import re

_ROMAN = re.compile(r"(?=[IVXLC])(C{0,3})(XC|XL|L?X{0,4})(IX|IV|V?I{0,4})\.?$", re.I | re.ASCII)
_ROMAN_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}
_CJK = {c: i for i, c in enumerate("〇一二三四五六七八九")} | {
    "零": 0,
    "○": 0,
    "两": 2,
    "兩": 2,
    "壹": 1,
    "貳": 2,
    "叁": 3,
}
_ACCENTS = str.maketrans("áéíóú", "aeiou")
_CJK_TENS = {"十": 10, "百": 100, "千": 1000, "廿": 20, "卅": 30, "卌": 40}
CJK_DIGITS = "".join(_CJK) + "".join(_CJK_TENS)


def roman(text: str) -> int | None:
    """Value of a Roman numeral from I to CCCXCIX, None where ``text`` is none."""
    match = _ROMAN.match(text)
    if not match or not text.strip("."):
        return None
    values = [_ROMAN_VALUES[letter] for letter in text.strip(".").upper()]
    pairs = zip(values, [*values[1:], 0], strict=True)
    return sum(-value if value < following else value for value, following in pairs)


def cjk(text: str) -> int | None:
    """Value of a number in Chinese characters or digits, narrow or wide; None where it is none."""
    if text.isdecimal():
        return int(text)
    if not text or not set(text) <= set(CJK_DIGITS):
        return None
    if len(text) > 1 and not set(text) & set(_CJK_TENS):
        return int("".join(str(_CJK[digit]) for digit in text))
    total, digit = 0, None
    for character in text:
        if character in _CJK:
            digit = _CJK[character]
        else:
            unit = _CJK_TENS[character]
            total += unit if unit in (20, 30, 40) else (1 if digit is None else digit) * unit
            digit = None
    return total + (digit or 0)


def spelled(text: str) -> int | None:
    """Value of a number word such as ``twenty-first``, ``zweites``, ``premier`` or ``двадцать пятая``."""
    words = text.casefold().replace("-", " ").replace("ё", "е").strip(" .")
    return _words().get(" ".join(words.split()))


def parse(text: str) -> int | None:
    """Value of ``text`` read in any of these ways."""
    bare = text.strip(" .")
    if bare.isdecimal():
        return int(bare) if len(bare) < 5 else None
    return roman(bare) or spelled(bare) or cjk(bare)


@functools.cache
def _words() -> dict[str, int]:
    table: dict[str, int] = {}
    for build in (_english, _french, _german, _russian, _iberian, _italian):
        table |= build()
    latin = "prim secund terti quart quint sext septim octav non decim".split()
    for value, stem in enumerate(latin, 1):
        table |= {stem + ending: value for ending in ("us", "a", "um")}
    return table


def _english() -> dict[str, int]:
    cardinals = (
        "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen"
    ).split()
    ordinals = (
        "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth "
        "fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth"
    ).split()
    tens = dict(
        zip(
            range(20, 100, 10),
            "twenty thirty forty fifty sixty seventy eighty ninety".split(),
            strict=True,
        )
    )
    table = {word: value for words in (cardinals, ordinals) for value, word in enumerate(words, 1)}
    for ten, word in tens.items():
        table |= {word: ten, word[:-1] + "ieth": ten}
        table |= {
            f"{word} {unit}": ten + value
            for words in (cardinals, ordinals)
            for value, unit in enumerate(words[:9], 1)
        }
    return table | {"one hundred": 100, "hundredth": 100}


def _french() -> dict[str, int]:
    words = "un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize".split()
    words += ["dix sept", "dix huit", "dix neuf"]
    table = {word: value for value, word in enumerate(words, 1)}
    for ten, word in {
        20: "vingt",
        30: "trente",
        40: "quarante",
        50: "cinquante",
    }.items():
        table |= {word: ten, f"{word} et un": ten + 1}
        table |= {f"{word} {unit}": ten + value for value, unit in enumerate(words[:9], 1)}
    ordinals = {}
    for word, value in table.items():
        stem = {"cinq": "cinqu", "neuf": "neuv"}.get(word, word.removesuffix("e"))
        ordinals[stem + "ième"] = value
    extra = {
        "premier": 1,
        "première": 1,
        "second": 2,
        "seconde": 2,
        "dernier": 999,
        "dernière": 999,
    }
    return table | ordinals | extra


def _iberian() -> dict[str, int]:
    """Spanish and Portuguese ordinals, with and without their accents."""
    table = {"primer": 1, "tercer": 3, "undécimo": 11, "undécima": 11, "duodécimo": 12, "duodécima": 12}
    tens = {10: "décim", 20: "vigésim", 30: "trigésim", 40: "cuadragésim", 50: "quincuagésim"}
    tens_of = (tens, tens | {40: "quadragésim", 50: "quinquagésim"})
    units_of = (
        "primer segund tercer cuart quint sext séptim octav noven".split(),
        "primeir segund terceir quart quint sext sétim oitav non".split(),
    )
    for tens, units in zip(tens_of, units_of, strict=True):
        for ending in "oa":
            ordinals = {unit + ending: value for value, unit in enumerate(units, 1)}
            table |= ordinals | {word + ending: ten for ten, word in tens.items()}
            for ten, word in tens.items():
                table |= {f"{word}{ending} {unit}": ten + value for unit, value in ordinals.items()}
                table |= {f"{word}o{unit}": ten + value for unit, value in ordinals.items()}
    return table | {word.translate(_ACCENTS): value for word, value in table.items()}


def _italian() -> dict[str, int]:
    units = "prim second terz quart quint sest settim ottav non decim".split()
    table = {unit + ending: value for value, unit in enumerate(units, 1) for ending in "oa"}
    table |= {f"decimo{unit}": 10 + value for unit, value in table.items() if value < 10}
    stems = dict(
        enumerate("undic dodic tredic quattordic quindic sedic diciassett diciott diciannov".split(), 11)
    )
    for ten, word in {20: "venti", 30: "trenta", 40: "quaranta", 50: "cinquanta"}.items():
        stems[ten] = word[:-1]
        for value, unit in enumerate("un du tre quattr cinqu sei sett ott nov".split(), 1):
            stems[ten + value] = (word[:-1] if unit[0] in "uo" else word) + unit
    return table | {f"{stem}esim{ending}": value for value, stem in stems.items() for ending in "oa"}


def _german() -> dict[str, int]:
    units = "ein zwei drei vier fünf sechs sieben acht neun".split()
    low = {
        1: "eins",
        10: "zehn",
        11: "elf",
        12: "zwölf",
        16: "sechzehn",
        17: "siebzehn",
    }
    cardinals = dict(enumerate(units, 1)) | low
    for value in (13, 14, 15, 18, 19):
        cardinals[value] = units[value - 11] + "zehn"
    tens = "zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig".split()
    for ten, word in zip(range(20, 100, 10), tens, strict=True):
        cardinals[ten] = word
        for value, unit in enumerate(units, 1):
            cardinals[ten + value] = f"{unit}und{word}"
    stems = {1: "erst", 3: "dritt", 7: "siebent", 8: "acht"}
    table = {word: value for value, word in cardinals.items()}
    for value, word in (
        *cardinals.items(),
        (7, "sieb"),
        (17, "siebenzehn"),
        (30, "dreissig"),
        (70, "siebenzig"),
    ):
        stem = stems.get(value, "") or word + ("t" if value < 20 else "st")
        for form in {stem, word + ("t" if value < 20 else "st")}:
            table |= {form + ending: value for ending in ("e", "er", "es", "en")}
    return table


def _russian() -> dict[str, int]:
    cardinals = (
        "один два три четыре пять шесть семь восемь девять десять одиннадцать двенадцать тринадцать "
        "четырнадцать пятнадцать шестнадцать семнадцать восемнадцать девятнадцать"
    ).split()
    stems = "перв втор треть четверт пят шест седьм восьм девят".split()
    stems += [word.removesuffix("ь") for word in cardinals[9:]]
    tens = {20: "двадцать", 30: "тридцать", 40: "сорок", 50: "пятьдесят"}
    endings = "ая ый ой ое".split()
    ordinals = {stem + ending: value for value, stem in enumerate(stems, 1) for ending in endings}
    ordinals |= {"третья": 3, "третий": 3, "третье": 3}
    table = {word: value for value, word in enumerate(cardinals, 1)} | {"одна": 1, "две": 2} | ordinals
    for ten, word in tens.items():
        table[word] = ten
        stem = {40: "сороков", 50: "пятидесят"}.get(ten, word.removesuffix("ь"))
        table |= {stem + ending: ten for ending in endings}
        table |= {
            f"{word} {unit}": ten + value
            for unit, value in list(table.items())
            if value < 10 and " " not in unit
        }
    return table
