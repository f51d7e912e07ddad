"""From words to the terms of an index: what a text and a question are compared in.

Knows which scripts write no spaces (Chinese and Japanese become pairs of characters), SQLite's own
tokenizers, and which words of a question carry nothing. Knows no documents and no files.
"""

from __future__ import annotations

import re
import sqlite3
import unicodedata
from collections.abc import Callable, Iterator, Sequence

_CJK = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U000323af"
_RUN = re.compile(f"[{_CJK}]+")
# Marks that stand on or beside the letters of Hebrew, Arabic, and the scripts of India and South-East Asia.
_MARKS = "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u0900-\u109f"
_WORD = re.compile(f"(?:(?![{_CJK}])[^\\W_]|[{_MARKS}])+|[{_CJK}]+")
_PAIRED = frozenset({"zh", "ja"})

# Words that ask, or that stand in any passage. The index weighs rare words; words that are rare in a book
# and common in questions ("how", "many", "did") would mislead it.
_EMPTY = {
    "en": """a about after again all also am an and any are as at be because been before being between
        both but by can could did do does doing done during each else ever every few for from get
        gets give given had has have having he her here hers herself him himself his how i if in
        into is it its itself just let like many may me might more most much must my name named of
        off often on once one only or other our out over own same shall she should so some such
        than that the their them themselves then there these they thing this those through to too
        under until up upon us use very was we were what when where which while who whom whose why
        will with within without would you your yours happen happened kind tell told say said says
        according book story chapter s t re ve ll d m don didn doesn isn aren wasn weren hasn haven hadn
        won wouldn couldn shouldn mustn ain""",
    "fr": """a à ai ainsi au aucun aux avait avec avoir ce ceci cela celle celui ces cet cette chez ci
        comme comment d dans de des donc dont du elle elles en est et était être fait il ils j je
        l la le les leur leurs lui m ma mais me mes moi mon n ne nom nos notre nous on ont ou où
        par pas pendant plus pour pourquoi qu quand que quel quelle quelles quels qui quoi s sa se
        ses si son sont sur t ta te tes toi ton tu un une vos votre vous y combien""",
    "de": """aber als am an auch auf aus bei bin bis da das dass dem den denn der des die dies diese
        diesem diesen dieser dieses doch dort du durch ein eine einem einen einer eines er es für
        gegen hat hatte hatten heißt ich ihm ihn ihr ihre ihrem ihren ihrer im in ist ja kann kein
        keine man mein mit nach nicht noch nun nur ob oder sehr sein seine seinem seinen seiner
        sich sie sind so um und uns unter von vor wann war waren warum was weil welche welcher
        welches wem wen wenn wer werden wessen wie wieviel viele wir wird wo woher wohin wurde zu
        zum zur über""",
    "ru": """а без более бы был была были было быть в вам вас весь во вот все всё вы где да для до его
        ее её если есть еще ещё же за зачем и из или им их к как какая какие какой какое когда
        кого ком кому кто куда ли мне на над не него нее нет ни них но о об он она они оно от
        откуда по под почему при с сколько со так там то того тоже только у уже чего чей чем что
        чтобы чья эта эти это этот я""",
    "es": """a al algo como con cual cuál cuando cuándo cuánto cuántos cuántas de del desde donde dónde
        e el él ella ellas ellos en entre era eran es esa ese eso esta está este esto fue ha había
        hay la las le les lo los más me mi muy no nos o para pero por porque qué que quien quién
        se ser si sin sobre son su sus también te tiene tu un una uno y ya""",
    "it": """a ai al alla anche c che chi ci come con cosa cui da dal dalla dei del della delle di dove
        e è ed era essere fu gli ha hanno i il in io la le lo loro ma mi nel nella no non o per
        perché più qual quale quali quando quanti quanto se si sono su sua sue sul suo un una uno
        l dell all nell sull dall quell""",
}  # fmt: skip
# What a question calls its own text, with a capital too where it names it: the Mud Book.
_TEXT = frozenset({"book", "story", "chapter"})
_EMPTY_CJK = re.compile(
    "什么|甚么|什麼|甚麼|谁|誰|哪(?!吒)[里裡儿兒个個些位]?|多少|怎么|怎样|怎麼|如何|为何|为什么|為什麼|为了|到底|究竟|结果|結果|因为|因為|名字|吗|嗎|呢|的|是"
    "|だれ|どこ|いつ|なぜ|どう|どの|どんな|なに|何|ですか|ますか|でした|ました|です|ます|は|が|を|に|の|へ|と|も|か|で"
)
# What stands before a word that has its capital by its place; the point of a title ends no sentence.
_OPENS = re.compile(r"(?:\A|(?<!\bMr)(?<!\bMrs)(?<!\bMs)(?<!\bDr)(?<!\bSt)[.!?…:])\W*\Z")
# They join words and are in words: 现在, 和尚, 了解.
_SOFT = frozenset("了在几幾和與与")


def base(language: str) -> str:
    """The first part of a BCP 47 code."""
    return language.replace("_", "-").split("-")[0].lower()


def tokenizer(language: str) -> str:
    """SQLite's tokenizer for texts in ``language``: English is stemmed, accents count nowhere."""
    # SQLite brings the Porter stemmer, which is one for English alone. Vowel signs are parts of their word.
    plain = "unicode61 remove_diacritics 2 categories ''L* N* Co Mn Mc''"
    return f"porter {plain}" if base(language) == "en" else plain


def spaced(text: str, *, ends: bool = False) -> str:
    """``text`` as it is indexed: Chinese and Japanese as pairs of characters, possessives without their s.

    With ``ends`` the last character of a run, which begins no pair, stands by itself, too.
    """
    text = re.sub(r"['’]s\b", " ", unicodedata.normalize("NFC", text))
    return _RUN.sub(lambda run: " " + " ".join(_pairs(run[0], ends)) + " ", text)


def asked(question: str, language: str) -> str:
    """What of ``question`` is worth looking for, as it is indexed: its content words, apart by spaces.

    All of its words where none would be left.
    """
    question = re.sub(r"['’]s\b", "", unicodedata.normalize("NFC", question))
    found = _WORD.findall(question)
    empty = _stop_words(base(language))
    if base(language) in _PAIRED or _RUN.search(question):
        parts = (part for word in found for part in _EMPTY_CJK.split(word) if _RUN.match(part))
        content = [part.rstrip("".join(_SOFT)) or part for part in parts]
        content += [word for word in found if not _RUN.match(word)]
    else:
        named = _named(question, language)
        content = [word for word in found if word in named or word.lower() not in empty]
    return spaced(" ".join(content or found)).strip()


def _named(question: str, language: str) -> set[str]:
    """The names in an English ``question``, which have a capital that is not there by its place: Will and May
    are persons, though "will" and "may" are in every text. None where capitals mark nothing."""
    if base(language) != "en":
        return set()
    found = list(_WORD.finditer(question))
    if not any(match[0].islower() for match in found[1:]):
        return set()
    capital = (match for match in found if len(match[0]) > 1 and match[0].istitle())  # "I" is no name
    names = {match[0] for match in capital if not _OPENS.search(question[: match.start()])}
    return {name for name in names if name.lower() not in _TEXT}


def unjoined(terms: Sequence[str], has: Callable[[str], bool], language: str) -> list[str]:
    """The ``terms`` of a question, in their order, without pairs of characters that are no word of it.

    Between two words of Chinese or Japanese stands a pair that only joins them. The text hardly ever
    has it (``has``), and it would count as the rarest word of the question. It is left out where the
    text has the pair before or after it; so is a character by itself that begins no pair of the text, and
    what the text never has with a word for "in" or "and" or the like, which may be half of a name, too.
    """
    if base(language) not in _PAIRED:
        return list(terms)
    known = [has(term) for term in terms]
    kept = []
    for at, term in enumerate(terms):
        before = at > 0 and known[at - 1] and terms[at - 1][-1] == term[0]
        after = at + 1 < len(terms) and known[at + 1] and terms[at + 1][0] == term[-1]
        if known[at] or not (before or after or lone(term) or _SOFT & {*term}):
            kept.append(term)
    return kept or list(terms)


def lone(term: str) -> bool:
    """Whether a term is one Chinese or Japanese character alone: it stands for every pair that begins so."""
    return len(term) == 1 and _RUN.match(term) is not None


def _stop_words(language: str) -> frozenset[str]:
    return frozenset(_EMPTY.get(language, "").split())


def _pairs(run: str, ends: bool) -> Iterator[str]:
    for at in range(len(run) - 1):
        yield run[at : at + 2]
    if ends or len(run) == 1:
        yield run[-1]


class Stemmer:
    """The terms that SQLite's tokenizer makes of a text, in their order: an index's own, asked of SQLite."""

    def __init__(self, language: str) -> None:
        self._db = sqlite3.connect(":memory:", check_same_thread=False)  # as in rows.py
        self._db.executescript(
            f"CREATE VIRTUAL TABLE t USING fts5(x, tokenize='{tokenizer(language)}');"
            "CREATE VIRTUAL TABLE v USING fts5vocab(t, instance);"
        )

    def terms(self, texts: list[str]) -> list[list[str]]:
        """The terms of each of ``texts``."""
        self._db.executemany(
            "INSERT INTO t(rowid, x) VALUES (?, ?)", [(at, spaced(text)) for at, text in enumerate(texts, 1)]
        )
        found: list[list[str]] = [[] for _ in texts]
        for term, at in self._db.execute("SELECT term, doc FROM v ORDER BY doc, offset"):
            if term:  # of an accent that stands alone the tokenizer makes a term without a letter, NULL here
                found[at - 1].append(term)
        self._db.execute("DELETE FROM t")
        return found

    def close(self) -> None:
        """Give back the database."""
        self._db.close()
