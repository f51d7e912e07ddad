"""Where sentences begin and end.

Knows the marks that end a sentence, and per language the words that carry a full stop without
ending one. Knows no model, no chapters and no files: it is given a passage (or a whole text, in
which an empty line always ends a sentence) and gives back places in it. A line break inside a
paragraph is a space.
"""

from __future__ import annotations

import re

from longread.reader.language import base_language

# Words that, with a full stop, are followed by a name: a capital after them begins nothing. What is a word
# of its own as well (French "col", English "art") is not among them.
_SHORT = {
    "en": """mr mrs ms messrs dr prof st ste rev revd hon capt cpt col gen maj lt lieut sergt sgt corp adm gov
        sen rep pres supt insp sr jr mt ft mme mlle mons vs viz cf ie eg pl eds approx dept univ bart ven eccl
        matt deut exod""",
    "fr": "m mm mme mmes mlle mlles dr mgr st ste gal lt prof cf éd sq",
    "de": """hr hrn fr frl dr prof st ste bzw ca bd bde nr str usw ggf vgl geb gest sog evtl abb kap hrsg
        dipl hl lic phil jur anm dgl excl inkl kgl königl kaiserl""",
    "ru": """г гг гр г-н г-жа т тт ул пр см ср св кн гл стр рис руб коп проф акад ген кап д напр др тыс млн
        пп""",
    "es": "sr sra srta sres dr dra d prof gral cía ud uds vd vds pág núm ed st sto sta mons",
    "it": "sig sigg sigra dott dottssa prof ing avv cap pag pagg ed mons st",
}
# These go on only where a number follows.
_NUMBERED = "no nos p pp n nr vol vols chap ch fig figs sec art bd kap cap c ca pag pág"
_BEFORE_NUMBER = frozenset(_NUMBERED.split())
_CJK = "[\u2e80-\ua4cf\uf900-\ufaff\uff00-\uffef]"
_BROKEN = re.compile(rf"(?<={_CJK})\s*\n\s*|\s*\n\s*(?={_CJK})")
_ABBREVIATIONS = {language: frozenset(words.split()) for language, words in _SHORT.items()}
_DEFAULT = _ABBREVIATIONS["en"] | _ABBREVIATIONS["fr"]

# A mark that may end a sentence, what closes behind it (quotes, brackets, a footnote's number), and the gap.
_CLOSERS = "\"'”’»›«‹“)\\]}*_"
_NOTE_MARK = r"(?:\[\d{1,4}\]|\(\d{1,3}\)|[¹²³⁴-⁹†‡])"
# A run of marks is looked at once, from its start, and as a whole: leaders in a table of contents are long.
_RUN, _RUN_FR = (rf"(?<![{marks}])[{marks}]++(?:\s?\.)*" for marks in (".!?…‽؟۔।॥", ".!?…"))
_END = re.compile(rf"({_RUN})((?:[{_CLOSERS}]|{_NOTE_MARK})*)(\s+|\Z)")
_END_FR = re.compile(rf"({_RUN_FR})((?:[{_CLOSERS}]|{_NOTE_MARK}|[ \u00a0\u202f]»)*)(\s+|\Z)")
_PARAGRAPH = re.compile(r"\n[ \t\r\u3000]*\n\s*")
_OPENERS = "\"'“‘„‚«»‹›([{*_—–-¿¡ \u00a0\u202f"
_WORD_BEFORE = re.compile(r"[^\W_]+(?:[-.][^\W_]+)*\Z")
_ROMAN = re.compile(r"[IVXLC]+\Z")

# Chinese and Japanese: no gap is needed, and an ellipsis alone goes on. U+FF0E stands for a full stop in
# some editions; between digits it is a decimal point.
_END_CJK = re.compile(r"(?:[。！？!?｡]|(?<![0-9０-９])．|．(?![0-9０-９]))[。！？!?｡…．]*")
_CLOSERS_CJK = "」』”’）)】〕》〉"
_OPENERS_CJK = "「『“‘（(【〔《〈"
# A new line is a new paragraph where it is indented or empty, or between one who speaks and the next.
_PARAGRAPH_CJK = re.compile(r"\n(?=[\u3000 \t\r]*\n|[\u3000 \t])|(?<=[」』”])\n|\n(?=[「『“])")
# What leans on the quotation before it: 「…。」と言った is one sentence.
_PARTICLES_JA = frozenset("とってなのがをはにもでよや、，…")


def sentences(text: str, language: str) -> list[tuple[int, int]]:
    """Spans [start, end) of the sentences of ``text``, in order, trimmed, covering all but whitespace.

    ``language`` is a BCP 47 code, of which only the first part counts; an unknown one gets the
    rules that alphabets share. Linear in the length of ``text``.
    """
    base = base_language(language)
    cjk = base in {"zh", "ja"}
    spans: list[tuple[int, int]] = []
    for start, end in _paragraphs(text, _PARAGRAPH_CJK if cjk else _PARAGRAPH):
        cuts = _cuts_cjk(text, start, end, base) if cjk else _cuts(text, start, end, base)
        at = start
        for cut in (*cuts, end):
            span = _trim(text, at, cut)
            if span is not None:
                spans.append(span)
            at = cut
    return spans


def unwrapped(text: str) -> str:
    """``text`` on one line: a line break is a space, and next to a Chinese or Japanese character nothing."""
    return " ".join(_BROKEN.sub("", text).split())


def _paragraphs(text: str, gap: re.Pattern[str]) -> list[tuple[int, int]]:
    bounds = [0]
    for match in gap.finditer(text):
        bounds += (match.start(), match.end())
    bounds.append(len(text))
    return list(zip(bounds[::2], bounds[1::2], strict=True))


def _trim(text: str, start: int, end: int) -> tuple[int, int] | None:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return (start, end) if start < end else None


def _cuts(text: str, start: int, end: int, language: str) -> list[int]:
    """Offsets inside (start, end) at which a sentence ends, for scripts that put spaces between words."""
    known = _ABBREVIATIONS.get(language, _DEFAULT)
    cuts = []
    opened = start
    for match in (_END_FR if language == "fr" else _END).finditer(text, start, end):
        after = match.end()
        if after >= end:
            break
        if _ends(text, opened, match, end, known, language):
            opened = after
            cuts.append(match.end(2))
    return cuts


def _ends(
    text: str,
    opened: int,
    match: re.Match[str],
    end: int,
    known: frozenset[str],
    language: str,
) -> bool:
    """Whether the mark found by ``match`` ends the sentence that began at ``opened``."""
    at = match.end()
    limit = min(end, at + 8)
    while at < limit and text[at] in _OPENERS:
        at += 1
    following = text[at] if at < end else ""
    if following.islower():
        return False
    if match[1] != "." or match[2]:
        return True
    found = _WORD_BEFORE.search(text, max(opened, match.start() - 24), match.start())
    if found is None:
        return True
    word = found[0]
    bare = word.replace(".", "").lower()
    if bare in known:
        return False
    if following.isdigit() and bare in _BEFORE_NUMBER:
        return False
    if word.isdigit():
        # "1. The first" numbers a list; German "am 3. Mai" is an ordinal.
        listed = not text[opened : found.start()].strip(" \n\t([*_")
        return not (listed or (language == "de" and len(word) <= 2))
    if language == "de" and _ROMAN.match(word):
        return False
    if "." in word:
        # U.S. Navy, J.R. Smith, т.е. Иван; but "at 5 p.m. He": small letters in it end a sentence.
        return word[0].islower() and language == "en" and bare in {"am", "pm", "bc", "ad"}
    if len(word) == 1 and word.isalpha():
        # An initial, unless it is the pronoun: "it was I. She left".
        before = text[opened : found.start()].rstrip()
        pronoun = language == "en" and word == "I"
        return pronoun and bool(before) and text[_word_start(text, opened, opened + len(before))].islower()
    return True


def _word_start(text: str, start: int, end: int) -> int:
    """Offset of the first character of the word that ends at ``end``, not below ``start``."""
    at = end
    while at > start and not text[at - 1].isspace():
        at -= 1
    return min(at, end - 1)


def _cuts_cjk(text: str, start: int, end: int, language: str) -> list[int]:
    """Offsets inside (start, end) at which a sentence ends, for Chinese and Japanese."""
    cuts: list[int] = []
    quotes, counted = 0, start  # quotes so far: an odd number means that one is open
    for match in _END_CJK.finditer(text, start, end):
        at = match.end()
        while at < end and (text[at] == '"' or text[at] in _CLOSERS_CJK or text[at] in "。．"):
            if text[at] == '"':
                quotes += sum(text.count(mark, counted, at) for mark in '"“”')
                counted = at
                if quotes % 2 == 0:
                    break
            at += 1
        if at >= end:
            break
        leans = at > match.end() and language == "ja" and text[at] in _PARTICLES_JA
        if not leans and at > (cuts[-1] if cuts else start):
            cuts.append(at)
    return cuts
