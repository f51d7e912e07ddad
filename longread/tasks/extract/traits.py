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


_LEANING = {
    "en": """he she it they him her his hers its their them this that these those such so but and or nor yet then
    however therefore thus moreover nevertheless nonetheless also besides hence still i we you one another both
    neither either here there which who whom whose otherwise meanwhile accordingly consequently furthermore again
    because for else though although what why how thereupon whereupon thence likewise anyhow anyway indeed
    perhaps too no yes well oh ah myself himself herself themselves ours mine yours thereby therein wherefore""",
    "fr": """il elle ils elles ce cet cette ces cela ceci ça c' celui celle ceux celles on je j' nous vous tu leur leurs
    lui eux son sa ses mais et ou or donc car ni puis alors ainsi cependant toutefois pourtant aussi d'ailleurs
    ensuite enfin en y qui que dont où non oui eh ah oh là voilà voici quant or""",
    "de": """er sie es ihm ihn ihr ihre ihren ihrem ihrer sein seine seinen seinem seiner dies diese dieser dieses
    diesem diesen das dessen deren jener jene jenes solche solcher solches ich wir du man aber und oder denn doch
    jedoch also dann da daher darum deshalb dennoch trotzdem auch so hier dort dadurch damit darauf dabei dazu
    davon hierauf hierbei indessen übrigens ja nein ach oh wer was welche welcher welches nun weil""",
    "ru": """он она оно они его ее её ему ей им их это этот эта эти этого этой этом тот та то те такой такая такие я мы
    вы ты но и а или же зато однако потом затем тогда поэтому так также тоже впрочем итак там тут здесь вот да
    нет ну ах ох кто что который которая которые этому этим ни если ибо наконец""",
    "es": """él ella ello ellos ellas este esta esto estos estas ese esa eso esos esas aquel aquella yo nosotros tú
    usted su sus pero y o ni pues entonces así sin luego después también además se le les lo""",
    "it": """egli ella esso essa essi esse lui lei loro questo questa questi queste quello quella quelli quelle io
    noi voi tu suo sua suoi sue ma e o né poi allora così però dunque quindi anche inoltre si gli le lo ciò""",
}
_LEANING_SETS = {language: frozenset(words.split()) for language, words in _LEANING.items()}
_LEANING_CJK = {
    "zh": re.compile(
        "[他她它我你您咱俺吾余予汝其彼此之這这那哪又但却卻而且則则遂乃便就才亦也故因所以]|於是|于是|可是|不過|不过|"
        "然而|然后|然後|如此|當下|当下|只是|如今|自此|从此|從此|同时|同時|說著|说着|說罷|说罷|说罢|聽了|听了|"
        "二人|兩人|两人|三人|众人|眾人|正|方才|原来|原來|誰|谁|何|怎|还|還|只见|只見|忽"
    ),
    "ja": re.compile(
        "彼|それ|これ|あれ|この|その|あの|こう|そう|ああ|ここ|そこ|あそこ|どこ|しかし|しかも|だが|だから|ですから|"
        "けれど|そして|そこで|また|すると|ところが|さて|つまり|なぜ|私|わたし|僕|俺|君|あなた|お前|吾輩|我輩|"
        "もっとも|ただし|ただ|なお|すなわち|従って|が、|で、|と、|は、|何|誰|ちょっと|はあ|いや|なに"
    ),
}
_THIRD = {
    "en": frozenset("he him his himself she her hers herself they them their".split()),
    "fr": frozenset("il elle ils elles lui leur leurs".split()),
    "de": frozenset("er ihm ihn sie ihr ihre ihren seine seinen seinem sein".split()),
    "ru": frozenset("он она они его ее её ему ей им их ним ней него нее".split()),
}
_POINTING = {
    "en": re.compile(
        r"\b(?:this|these|those|such|latter|former|moreover|however|therefore|thus|same|aforesaid|said|others?|too|also|"
        r"nevertheless|besides|accordingly|consequently|hence|thereby|thereupon|then|another)\b"
    ),
    "fr": re.compile(r"\b(?:ce|cet|cette|ces|cela|celui-ci|celle-ci|donc|cependant|même|autres?|aussi|ainsi)\b"),
    "de": re.compile(r"\b(?:dies(?:e[rnms]?)?|jene[rnms]?|solche[rnms]?|letztere[rn]?|auch|jedoch|also|daher|andere[rnms]?)\b"),
    "ru": re.compile(r"\b(?:эт(?:о|от|а|и|ого|ому|ой|у|их|им)|так(?:ой|ая|ие|же)|тоже|поэтому|однако|впрочем)\b"),
    "zh": re.compile("[此其这這]"),
    "ja": re.compile("[こそあ]の|それ|これ|こう|そう"),
}
_ADDRESSING = {
    "en": re.compile(r"\b(?:you|your|yours|thou|thee|thy|ye|me|my|us|our)\b", re.IGNORECASE),
    "fr": re.compile(r"\b(?:vous|votre|vos|tu|te|toi|ton|ta|tes)\b", re.IGNORECASE),
    "de": re.compile(r"\b(?:du|dich|dir|dein\w*|Ihnen|Euch|euch)\b"),
    "ru": re.compile(r"\b(?:ты|тебя|тебе|вы|вас|вам|ваш\w*|твой|твоя)\b", re.IGNORECASE),
    "zh": re.compile("[你您汝我咱]"),
    "ja": re.compile("あなた|お前|貴方|君は|君の"),
}
_OPINING = {
    "en": re.compile(
        r"\b(?:may|might|must|should|shall|ought|can|cannot|is|are|has|have|will|would|does|do|if)\b|n't\b", re.IGNORECASE
    )
}
_SPEECH_ZH = re.compile("[道說说曰云雲問问答叫喊罵骂]：|[道說说曰][，,]")
_NOTES = (
    "[illustration|[footnote|[transcriber|[note|[sidenote|[pg|[page|[greek|[music|[image|project gutenberg|transcriber|"
    "proofread|produced by|http://|https://|www.|copyright|©|all rights reserved|isbn|e-text|etext|ibid|op. cit|"
    "see page|see p.|see note|see chap|see vol|see appendix|vide "
).split("|")
_DAMAGE = re.compile(
    r"[\[{<|=#~\\^\]}>]|\*|_\d|\t|\S {3,}\S|\.{5,}|(?:\. ){4,}|�|-{3,}|—{3,}|[¹²³⁴-⁹†‡§]|\d\)|\n[ \t]{2,}\S"
)
_SHOUTED = re.compile(r"\b[^\W\d_a-zа-я]{4,}\b")
_ENDS = tuple(".!?…。！？．｡؟۔।॥\"')]’”»›«“」』）*_")
_LAST_WORD_CUT = re.compile(r"\b(?:Mr|Mrs|Ms|Dr|St|Mme|Mlle|No|Vol|Chap|pp?|vs|viz|Messrs|Capt|Col|Gen|Rev|[A-Z])\.\Z")
_QUOTE = re.compile("[\"“”„«»‹›「」『』]|(?<![^\\W_])[‘'‚](?=[^\\W_])|(?<=[^\\s])[’'](?![^\\W_])")
_PAIRS = {"“": "”", "„": "“”", "«": "»", "»": "«", "‹": "›", "›": "‹", "「": "」", "『": "』", "‘": "’", "'": "'", "‚": "‘’"}
_DASH = re.compile(r"\s*(?:[—–―]|-\s|--)\s*")
_WORD = re.compile(r"[^\W\d_]+(?:['’\-][^\W\d_]+)*")
_CJK_CHARACTER = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")


def base_language(language: str) -> str:
    """The first part of a BCP 47 code, in lower case."""
    return language.replace("_", "-").split("-")[0].lower()


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


def describe(
    passage: str, spans: Sequence[tuple[int, int]], language: str, *, heading: bool = False
) -> list[Traits]:
    """The traits of the sentences that stand at ``spans`` in ``passage``.

    ``passage`` is a whole paragraph: quotation marks are followed through it, so that a sentence in the
    middle of a speech is known for one. ``heading`` marks every sentence of it as a title.
    """
    language = base_language(language)
    quoted = _quoted(passage)
    spoken = _DASH.match(passage) is not None
    verse = _is_verse(passage)
    traits = []
    for number, (start, end) in enumerate(spans):
        text = passage[start:end]
        marks = _damage(text, language)
        if heading:
            marks |= Mark.HEADING
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
        if spoken or inside > 0.4 * len(text) or (language == "zh" and _SPEECH_ZH.search(text)):
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
    if opened >= 0:
        # A single quote without its fellow is an apostrophe ('tis); any other is a speech that goes on.
        if passage[opened] not in "'‘‚":
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
    if any(note in small for note in _NOTES):
        marks |= Mark.NOTE
    first = text.lstrip("\"'“‘„«»‚‹›「『_ \u00a0\u202f")[:1]
    if (
        not first.isalnum()
        or first.islower()
        or first.isdigit()
        or not text.endswith(_ENDS)
        or _DAMAGE.search(text)
        or _LAST_WORD_CUT.search(text)
        or any(text.count(a) != text.count(b) for a, b in ("()", "（）", "《》"))
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
        (Mark.POINTS, _POINTING),
        (Mark.ADDRESSES, _ADDRESSING),
        (Mark.OPINES, _OPINING),
    ):
        pattern = patterns.get(language)
        if pattern is not None and pattern.search(text):
            marks |= told
    pattern = _LEANING_CJK.get(language)
    if pattern is not None:
        leans = pattern.match(text.lstrip("「『“\"‘（(　 "))
        return marks | Mark.LEANS if leans else marks
    if not words:
        return marks
    leaning = _LEANING_SETS.get(language, frozenset())
    first = words[0].lower().replace("’", "'")
    stem, _, rest = first.partition("'")
    if first in leaning or stem in leaning or (rest and stem + "'" in leaning) or stem.split("-")[0] in leaning:
        marks |= Mark.LEANS
    third = _THIRD.get(language, frozenset())
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
    return tuple(sorted({word_hash(text[i : i + 2]) for i in range(len(text) - 1) if text[i : i + 2].isalnum()})[:GRAMS])
