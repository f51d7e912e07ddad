"""Does a line look like a heading, and what does it say?

Knows how chapters, parts and sections are headed in English, French, German, Russian,
Italian, Spanish, Latin, Chinese and Japanese books. Judges one line at a time; whether a
candidate is a chapter of its book is decided by ``outline``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from longread.reader import numerals

VOLUME, PART, CHAPTER, SECTION = range(4)
TITLE_LENGTH = 120

_LEVELS = {
    VOLUME: "volume vol tome band том",
    PART: "book part livre partie buch teil theil книга часть act acte akt aufzug actus libro parte действие",
    CHAPTER: (
        "chapter chap letter canto stave chapitre lettre chant kapitel capitel brief gesang "
        "глава письмо песнь capitolo capítulo capitulo"
    ),
    SECTION: "section scene scène szene scena abschnitt auftritt раздел явление",
}
_LEVEL = {word: level for level, words in _LEVELS.items() for word in words.split()}
KEYWORDS = "|".join(sorted(_LEVEL, key=len, reverse=True))
NAMED = (
    "prologue|epilogue|preface|introduction|introductory|foreword|afterword|conclusion|appendix|postscript|"
    "interlude|finale|footnotes|notes|index|glossary|prélude|préface|avant-propos|épilogue|introduction|"
    "vorwort|einleitung|nachwort|prolog|epilog|schluß|schluss|anhang|vorrede|"
    "пролог|эпилог|предисловие|введение|послесловие|заключение|вступление|"
    "prólogo|epílogo|prefazione|prologo|epilogo"
)
_WORD = r"[^\W_]{1,24}"
_JOINED = re.compile(r"['’\w]|-\w")  # the "number" goes on as a word of another kind

_LEADING = re.compile(
    rf"(?P<word>{KEYWORDS})\b\.?\s+(?:the\s+|no\.?\s*)?(?P<number>{_WORD}(?:[- ]{_WORD}){{0,2}}).*$", re.I
)
_TRAILING = re.compile(
    rf"(?:the\s+)?(?P<number>{_WORD}(?:[- ]{_WORD}){{0,2}}?)\.?\s+(?P<word>{KEYWORDS})\b.*$", re.I
)
_NAMED_LINE = re.compile(rf"(?:{NAMED})\b(?P<rest>[.:]?(?:$|\s.*$|[:—–-].*$))", re.I)
_NUMERAL = re.compile(
    r"(?:§\s*)?(?P<number>[IVXLC]{1,9}|\d{1,3})(?P<dot>[.):]?)(?P<rest>(?:$|[ \t—–-]+\S.*$))"
)
_CJK = re.compile(
    rf"第\s*(?P<number>[{numerals.CJK_DIGITS}0-9０-９]{{1,7}})\s*(?P<word>[回章節节卷部集話话編编篇幕])(?P<rest>.*)$"
)
_CJK_VOLUME = re.compile(rf"卷之?(?P<number>[{numerals.CJK_DIGITS}]{{1,4}})(?P<rest>.*)$")
_CJK_NUMERAL = re.compile(rf"(?:其)?(?P<number>[{numerals.CJK_DIGITS}]{{1,4}}|[０-９]{{1,3}})$")
_CJK_NAMED = re.compile(
    r"(?:楔子|緣起首回|引子|序章?|序言|自序|前言|引言|尾聲|尾声|終章|终章|後記|后记|跋|附錄|附录|プロローグ|エピローグ"
    r"|あとがき|まえがき|はじめに|おわりに)(?P<rest>$|[　 :：].*$)"
)
_CJK_LEVEL = {
    "卷": PART,
    "部": PART,
    "集": PART,
    "編": PART,
    "编": PART,
    "篇": PART,
    "節": SECTION,
    "节": SECTION,
}

# How the prose begins after a heading on the same line in the old Chinese novels.
_OPENERS = re.compile(
    r"(?:话说|話說|却说|卻說|且说|且說|话表|話表|说话|說話|诗曰|詩曰|詩云|诗云|词曰|詞曰|詞云|按：|這回書|这回书|上回|古風|話分|再說)"
)
_CJK_STOP = re.compile(r"[，。；：！？「『“《（]")
# How a sentence goes on that speaks of a chapter (第一回書中…), and what says that a part ends (第一部 完).
_CJK_PROSE = tuple("終终完書书中裏里的是")
_CJK_END = re.compile("(?:全[书書])?(?:終わり?|终わり?|[完终終](?:[结結了])?)")
_DECORATION = re.compile(r"^[\s#*_=~>|·•—–\-\[「『【]+|[\s*_=~|·•—–\-\]」』】]+$")
_SPACES = re.compile(r"\s+")
_SENTENCE_END = (
    ".",
    "!",
    "?",
    ",",
    ";",
    ":",
    '"',
    "”",
    "’",
    "'",
    "»",
    "。",
    "，",
    "！",
    "？",
    "」",
    "…",
)


@dataclass(frozen=True)
class Heading:
    """What a line says as a heading.

    ``kind`` is its word ("chapter", "回", "numeral", "numbered", "named", "caps"), ``level``
    how deep it stands, ``number`` its number if it has one, ``rest`` the title after the
    number, ``length`` the characters of the line that belong to the heading.
    """

    kind: str
    level: int
    number: int | None
    label: str
    rest: str
    length: int


def clean(text: str) -> str:
    """``text`` on one line, without decoration and control characters."""
    if not text.isprintable():
        text = "".join(character if character.isprintable() else " " for character in text)
    return _SPACES.sub(" ", _DECORATION.sub("", text)).strip()


def shorten(title: str, limit: int = TITLE_LENGTH) -> str:
    """``title`` cut at a word to at most ``limit`` characters."""
    if len(title) <= limit:
        return title
    cut = title[: limit - 1]
    space = cut.rfind(" ", limit // 2)
    return cut[: space if space > 0 else None].rstrip(" ,;:.-—…") + "…"


def classify(line: str) -> Heading | None:
    """What ``line`` says as a heading; None where it does not look like one."""
    bare = line.strip()
    if not bare:
        return None
    lead = len(line) - len(line.lstrip())
    first = bare[0]
    if first > "\u2fff":
        return _classify_cjk(bare, lead)
    if len(bare) > 200:
        return None
    text = _DECORATION.sub("", bare)
    if not text or not (text[0].isupper() or text[0].isdigit() or text[0] == "§"):
        return None
    for pattern in (_LEADING, _TRAILING):
        match = pattern.match(text)
        if not match:
            continue
        number, length = _longest_number(match["number"])
        end = match.start("number") + length if pattern is _LEADING else match.end("word")
        if pattern is _TRAILING and length < len(match["number"]):
            continue
        if number is not None and not _JOINED.match(text, end) and _is_title(text[end:]):
            # The patterns take the long s for an s, and so does casefold: "Erſter Geſang".
            word = match["word"].casefold()
            if (level := _LEVEL.get(word)) is not None:
                return _heading(word, level, number, text[:end], text[end:], line)
    match = _NAMED_LINE.match(text)
    if match and len(text) <= 80 and (not match["rest"].strip(" .:") or text.isupper()):
        return _heading("named", CHAPTER, None, text, "", line)
    match = _NUMERAL.match(text)
    if match:
        number = numerals.parse(match["number"])
        rest = match["rest"].strip(" \t—–-")
        if number and not rest:
            return _heading("numeral", SECTION, number, text, "", line)
        if number and match["dot"] and _is_title(match["rest"]) and not rest.endswith((",", ";")):
            return _heading("numbered", SECTION, number, match["number"] + match["dot"], rest, line)
    return None


def is_caps(line: str) -> bool:
    """Whether ``line`` is set in capitals like a heading: short, mostly letters, no sentence."""
    text = line.strip()
    if not text.isupper() or len(text) > 75 or text.endswith((",", ";", "!", "?", '"', "”")):
        return False
    letters = sum(map(str.isalpha, text))
    return letters > 2 and letters > 0.6 * len(text.replace(" ", ""))


def looks_like_title(text: str) -> bool:
    """Whether a short paragraph under a bare "Chapter I" is its title and not its first sentence."""
    line = text.strip().strip("_*#= ")
    if not line or len(line) > 500:
        return False
    letters = [character for character in line if character.isalpha()]
    if letters and sum(character.isupper() for character in letters) > 0.8 * len(letters):
        return True
    if len(line) > 70 or "\n" in line or line.endswith(_SENTENCE_END[1:]) or line[0] in "\"'“‘«-—":
        return False
    words = [word for word in re.findall(r"[^\W\d_]+", line) if len(word) > 3]
    if line.endswith("."):
        return len(words) > 0 and all(word[0].isupper() for word in words) and len(line) <= 50
    return bool(words) and 2 * sum(word[0].isupper() for word in words) > len(words)


def _longest_number(text: str) -> tuple[int | None, int]:
    """The number that ``text`` begins with, in as many words as make one, and the characters it takes."""
    ends = [match.start() for match in re.finditer(r"[- ]", text)] + [len(text)]
    for end in reversed(ends):
        number = 999 if text[:end].lower() == "last" else numerals.parse(text[:end])
        if number is not None:
            return number, end
    return None, 0


def _heading(kind: str, level: int, number: int | None, label: str, rest: str, line: str) -> Heading:
    return Heading(kind, level, number, label.strip(), rest.strip(" \t.:—–-*_"), len(line))


def _is_title(rest: str) -> bool:
    """Whether what follows the number can be a title: nothing, a separator and words, or capitals."""
    text = rest.strip()
    if not text:
        return True
    if len(text) > 150:
        return False
    if text[0] in "[<":
        return False
    if text[0] in ".:—–-(":
        return True
    return text[0].isupper() or text[0] in "\"'“‘«„0123456789_*"


def _classify_cjk(text: str, lead: int) -> Heading | None:
    match = _CJK.match(text)
    if match:
        rest, length = _cjk_title(match["rest"])
        number = numerals.cjk(match["number"])
        if number is None or match["rest"].startswith(_CJK_PROSE) or _CJK_END.fullmatch(rest):
            return None
        word = match["word"]
        end = lead + match.start("rest") + length
        return Heading(
            word,
            _CJK_LEVEL.get(word, CHAPTER),
            number,
            text[: match.start("rest")].strip(),
            rest,
            end,
        )
    match = _CJK_VOLUME.match(text)
    if match:
        rest, length = _cjk_title(match["rest"])
        end = lead + match.start("rest") + length
        return Heading(
            "卷",
            PART,
            numerals.cjk(match["number"]),
            text[: match.start("rest")],
            rest,
            end,
        )
    match = _CJK_NUMERAL.match(text)
    if match:
        return Heading(
            "numeral",
            SECTION,
            numerals.cjk(match["number"]),
            text,
            "",
            lead + len(text),
        )
    match = _CJK_NAMED.match(text)
    if match and len(text) <= 40:
        return Heading("named", CHAPTER, None, text, "", lead + len(text))
    return None


def _cjk_title(rest: str) -> tuple[str, int]:
    """The title in what follows 第…回, and how many characters of ``rest`` the heading takes.

    Where heading and prose share a line the prose begins with a storyteller's opening, or
    else after the couplet that has no punctuation in it. A title that a space sets apart may
    have some: 第三章 你好，世界！
    """
    if len(rest) <= 40 and not _OPENERS.search(rest, 4):
        apart = rest.startswith((" ", "　")) and not rest.endswith(("。", "，"))
        if apart or not _CJK_STOP.search(rest.strip(" 　")[:-1]):
            return rest.strip(" 　。"), len(rest)
    opener = _OPENERS.search(rest, 6, 40)
    stop = _CJK_STOP.search(rest)
    if opener and (not stop or opener.start() <= stop.start()):
        return rest[: opener.start()].strip(" 　"), opener.start()
    end = min(stop.start() if stop else 16, 16)
    return rest[:end].strip(" 　"), end
