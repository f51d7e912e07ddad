"""Numbers in a sentence, and whether its translation has them too.

Knows digits, narrow and wide, number words as ``reader.numerals`` does, words for large
numbers in several languages, and how Chinese and Japanese count in ten thousands. Knows no
language of its own: each number has several ways to be told, and any of them will do. A
number spelled in words in the source is not looked for.
"""

from __future__ import annotations

import re
import unicodedata

from longread.reader import numerals

_DIGITS = re.compile(r"\d+(?:[.,]\d{3}(?!\d))*(?:[.,]\d+)?")
_GROUPED = re.compile(r"(?<=\d)[.,\u202f\u00a0](?=\d{3}(?:\D|$))")
_TENS = {"十": 10, "百": 100, "千": 1000}
_UNITS = {"亿": 10**8, "億": 10**8, "万": 10**4, "萬": 10**4}
_SIGNS = numerals.CJK_DIGITS + "".join(_UNITS)
# Not the last digits of 1,500万: those are no number by themselves.
_HAN = re.compile(rf"(?:(?<![\d.])(?<!\d,)\d+(?:\.\d+)?|(?<!\d)[{_SIGNS}])(?:\d+(?:\.\d+)?|[{_SIGNS}])*")
_TAIL = re.compile(rf"[百千{''.join(_UNITS)}](?:\d+(?:\.\d+)?|[{_SIGNS}])*")
_KILO = re.compile(r"[百千][米克瓦卡兆焦伏帕赫升吨噸字分]")  # 3千米 is 3 kilometres
_IDEOGRAM = re.compile(r"[\u3400-\u9fff]")
_WORDS = re.compile(r"[^\W\d_]+")
_BEHIND = re.compile(r"[ -]?([A-Za-z\u00c0-\u04ff]+)")
# Told in too many ways to be looked for: the time of day, a month where months have names, a decade.
_LOOSE = re.compile(
    r"\d+\s*[:：点點時时]\s*\d*\s*分?|\d+(?=\s*月)|\d+\s*o['’]clock"
    r"|(?:\d+\s*世[纪紀]\s*)?\d+\s*年代|\b\d{1,3}0['’]?s\b|\b\d{1,3}0er(?=\s+Jahre)|\bannées\s+\d+",
    re.IGNORECASE,
)
_MANY = {
    word: size
    for size, words in {
        12: "dozen dozens dutzend",
        100: "hundred hundreds cent cents hundert сто",
        1000: "thousand thousands tausend mille mila mil k тысяча тысячи тысяч",
        10**5: "lakh lakhs",
        10**6: "million millions millionen milione milioni millón millones milhão milhões mio mn m"
        " миллион миллиона миллионов млн",
        10**7: "crore crores",
        10**9: "billion billions milliard milliards milliarde milliarden miliardo miliardi mrd bn"
        " миллиард миллиарда миллиардов млрд",
        10**12: "trillion trillions billionen tn",
    }.items()
    for word in words.split()
}
_AND = {"and", "und", "et", "и"}


def missing_number(source: str, target: str) -> str:
    """The first number in digits of ``source`` that ``target`` has in no way, in words; "" for none."""
    folded = unicodedata.normalize("NFKC", target)
    # Where the target counts in ten thousands, a large word that it leaves out is really missing; a word of
    # another language may be one that is not known here.
    bare = not _IDEOGRAM.search(folded)
    wanted = _written(_LOOSE.sub(" ", unicodedata.normalize("NFKC", source)), bare=bare)
    if not wanted:
        return ""
    written = {value for _, ways in _written(folded) for way in ways for value in way}
    there = written | _counted(folded) | _spelled(folded)
    missing = (text for text, ways in wanted if not any(way <= there for way in ways))
    return next((f"lacked a number: {text}" for text in missing), "")


def _written(text: str, *, bare: bool = True) -> list[tuple[str, list[set[float]]]]:
    """Numbers in digits, as they stand, each with the sets of values that it may be told as.

    What stands behind the digits multiplies them: 5 million, 3万, 2千. ``bare`` says whether the digits
    will do without a large word behind them.
    """
    found: list[tuple[str, list[set[float]]]] = []
    alone: list[tuple[float, list[set[float]]]] = []
    units, at = set(), 0
    while match := _DIGITS.search(text, at):
        at = match.end()
        plain = _GROUPED.sub("", match[0])
        try:
            value = float(plain.replace(",", "."))
        except ValueError:  # 1.2.3 is a section, not a number
            continue
        tail = _TAIL.match(text, at)
        whole = _value(plain.replace(",", ".") + tail[0]) if tail else None
        if tail and whole is not None:
            ways = [{whole}, {value}] if _KILO.match(text, at) else [{whole}]
            units.add(whole / value if value else 1.0)
            at = tail.end()
        else:
            size, at, sure = _large(text, at)
            ways = [{value * size}] + ([{value}] if size > 1 and (bare or not sure) else [])
            units |= {size} - {1}
            if size == 1:
                alone.append((value, ways))
        if "," in plain:  # two of a list, or a decimal as some countries write it
            ways.append({float(part) for part in plain.split(",")})
        found.append((text[match.start() : at], ways))
    for value, ways in alone:  # 2 to 3 million
        ways += [{value * size} for size in units]
    return found


def _large(text: str, at: int) -> tuple[float, int, bool]:
    """What the words for large numbers at ``at`` multiply by, where they end, and whether they surely mean
    that: m may be metres."""
    size, sure = 1.0, False
    while (behind := _BEHIND.match(text, at)) and (many := _MANY.get(behind[1].casefold())):
        size, at, sure = size * many, behind.end(), sure or (many >= 1000 and len(behind[1]) > 3)
    return size, at, sure


def _counted(text: str) -> set[float]:
    """Numbers in Chinese characters: 三十, 一九九〇, 两万五千, 3亿, 5百万."""
    values = (_value(match[0]) for match in _HAN.finditer(text))
    return {value for value in values if value is not None}


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
    mixed = re.fullmatch(r"(\d+(?:\.\d+)?)([十百千])(.*)", text)
    if mixed:
        rest = _value(mixed[3]) if mixed[3] else 0.0
        return None if rest is None else total + float(mixed[1]) * _TENS[mixed[2]] + rest
    value = numerals.cjk(text)
    return None if value is None else total + value


def _spelled(text: str) -> set[float]:
    """Numbers in words: thirty, twenty-first, vingt et un, two hundred and fifty thousand."""
    words = _WORDS.findall(text.casefold())
    found: set[float] = set()
    said: set[float] = set()
    total = current = 0.0
    at = 0
    while at < len(words):
        size, value = _longest(words[at : at + 3])
        if value is not None:
            for count in range(1, size + 1):  # one of "twenty one" is there too
                for start in range(at, at + size - count + 1):
                    part = numerals.spelled(" ".join(words[start : start + count]))
                    found |= set() if part is None else {float(part)}
            if current and current % 100:  # two numbers, or a year: nineteen eighty-five
                said |= {total + current} | ({100 * current + value} if current < 100 else set())
                total = current = 0.0
            current += value
        elif many := _MANY.get(words[at]):
            current = (current or 1.0) * many
            if many >= 1000:
                total, current = total + current, 0.0
        elif words[at] not in _AND:
            said.add(total + current)
            total = current = 0.0
        at += size
    said.add(total + current)
    # "a thousand", "two and a half million", "5 to 6 million"; any factor that stands near will do.
    factors = {1.0, *found, *map(float, re.findall(r"\d+(?:\.\d+)?", _GROUPED.sub("", text)))}
    if "half" in words:
        factors |= {0.5} | {factor + 0.5 for factor in factors}
    many = {_MANY[word] for word in words if word in _MANY}
    return found | (said - {0.0}) | {factor * unit for unit in many for factor in factors}


def _longest(words: list[str]) -> tuple[int, float | None]:
    """How many of ``words``, from the first, are a number, and which; 1 and None where none is."""
    for size in range(len(words), 0, -1):
        value = numerals.spelled(" ".join(words[:size]))
        if value is not None:
            return size, float(value)
    return 1, None
