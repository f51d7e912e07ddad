"""Where a text can be cut so that its pieces, encoded one by one, give the tokens of the whole.

Knows when a tokenizer's work on the left of a place cannot depend on what stands on its right, and the
other way round. Knows nothing of what is done with the pieces.

Two proofs are used, by the kind of tokenizer:

``segments``    The pre-tokenizer splits the text and no token reaches over a split. A cut goes where a
                segment begins, where the kind of character changes (letter, digit, space, other), and
                where the normalizer cannot reach across. What comes later cannot move that border: a
                pre-tokenizer looks no further than the run of one kind that it stands in. What came
                before can (where "'t't't't" is split depends on where it was begun), so the border is
                looked for from several beginnings, of which one is a true one.
``vocabulary``  The whole text is one segment to BPE (Llama 2, Gemma). A merge only ever makes a token of
                the vocabulary; where no entry could lie across a place, nothing is merged across it.

Either way the cut is then tried on the text around it, and taken only if it changes nothing there.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator

from tokenizers import Encoding, Tokenizer

from longread.model.plaintext import Plain, components, split_merge, without_prefix

_SPLITTERS = {
    "ByteLevel",
    "Split",
    "Whitespace",
    "WhitespaceSplit",
    "BertPreTokenizer",
    "Punctuation",
    "Digits",
    "Metaspace",
    "CharDelimiterSplit",
}
_LOCAL_NORMALIZERS = {
    "Prepend",
    "Replace",
    "NFC",
    "NFD",
    "NFKC",
    "NFKD",
    "Nmt",
    "Precompiled",
    "Lowercase",
    "StripAccents",
    "BertNormalizer",
    "ByteLevel",
}
_BETWEEN_WORDS = re.compile(r"(?<=\w)[ \n](?=\w)")
_TRIAL = "One two, three\nfour 12 five: six (seven) eight.\n\nNine ten。一二三，四五六。\n七八 Übung щука"
_BYTE = re.compile(r"<0x[0-9A-F]{2}>")
_AT_THE_ENDS = ("ignore_merges", "continuing_subword_prefix", "end_of_word_suffix")
_WHOLE = "this model's texts are encoded in one piece, which takes memory:"
_NEAR = 4096  # characters in which a border must have its beginnings
_WORDS = 512  # characters searched for a place between two words before any other place is tried
_CHANGES = 8  # changes of the kind of character that no segment holds
_TRIES = 64  # places tried before the piece is made longer


class Cutter:
    """Cuts a stream of text for one tokenizer.

    ``first`` encodes the beginning of a text and ``onward`` every later piece: it adds no dummy space.
    ``note`` says why a text is not cut at all; it is empty where cutting works. ``reach`` is how many
    characters around a cut are tried, or as many as the longest token has.
    """

    def __init__(self, plain: Plain, *, reach: int = 32) -> None:
        self.first = self.onward = plain.tokenizer
        self.reach = reach
        self.vocabulary: frozenset[str] = frozenset()
        self.longest = 0
        self.note = self._classify(plain)
        if not self.note:
            stripped = without_prefix(plain)
            scored = [(self._trial(twin), twin) for twin in dict.fromkeys((stripped, plain.tokenizer))]
            best, self.onward = max(scored, key=lambda pair: pair[0])
            if not best:
                self.note = f"{_WHOLE} every cut tried changed its tokens"

    def split(self, pieces: Iterable[str], size: int) -> Iterator[str]:
        """``pieces`` again, cut where it is safe: each about ``size`` characters, none empty.

        A run without any safe place (100,000 letters without a space) is kept in one piece, so
        memory is constant but for such runs.
        """
        held: list[str] = []
        count, needed, first = 0, size, True
        for piece in pieces:
            held.append(piece)
            count += len(piece)
            if count < needed or self.note:
                continue
            text, at = "".join(held), 0
            while len(text) - at >= needed:
                window = text[at : at + needed]
                cut = self._find(window, first)
                if cut:
                    yield window[:cut]
                    at, needed, first = at + cut, size, False
                else:
                    needed *= 2
            held = [text[at:]]
            count = len(text) - at
        if count:
            yield "".join(held)

    def _find(self, text: str, first: bool) -> int:
        """The last good place to cut ``text``, which goes on after its end; 0 where there is none."""
        last = len(text) - 2 * max(self.reach, self.longest)
        near = max(0, last - _WORDS)
        words = [match.start() for match in _BETWEEN_WORDS.finditer(text, near, max(near, last + 2))]
        plausible = self._starter if self.vocabulary else self._border
        others = (place for place in range(last, 0, -1) if plausible(text, place))
        for place in itertools.chain(words[: -_TRIES - 1 : -1], itertools.islice(others, _TRIES)):
            if 0 < place <= last and self._holds(text, place, first):
                return place
        return 0

    def _border(self, text: str, place: int) -> bool:
        """Whether the kind of character changes at ``place``, and what begins there is seen to end."""
        before, after = _kind(text[place - 1]), _kind(text[place])
        if before == "space" or before == after or not self._starter(text, place):
            return False
        return after != "space" or not text[place : place + self.reach].isspace()

    def _starter(self, text: str, place: int) -> bool:
        """Whether normalisation keeps to either side: what begins at ``place`` joins nothing before it."""
        if text[place - 1] == "\r" and text[place] == "\n":
            return False
        head = unicodedata.normalize("NFKD", text[place])[0]
        return unicodedata.category(head)[0] != "M" and not "\u1160" <= head <= "\u11ff"  # conjoining jamo

    def _holds(self, text: str, place: int, first: bool) -> bool:
        """Whether cutting at ``place`` leaves the tokens around it as they are."""
        reach = max(self.reach, self.longest)
        end = min(len(text), place + reach)
        begins = [max(0, place - reach)] if self.vocabulary else self._beginnings(text, place)
        right = _encode(self.onward, text[place:end])
        return bool(begins) and all(
            self._divides(text[begin:end], place - begin, right, first and begin == 0) for begin in begins
        )

    def _beginnings(self, text: str, place: int) -> list[int]:
        """Places before ``place``, one of them the beginning of a segment of the text; none if too far.

        Segments begin where the kind of character changes and hold few such changes (" don't" has
        four), so of the last eight changes one is a beginning. So is that of ``text``, itself a cut.
        """
        found = []
        for begin in range(place - 1, max(0, place - _NEAR), -1):
            if _kind(text[begin - 1]) != _kind(text[begin]):
                found.append(begin)
                if len(found) == _CHANGES:
                    return found
        return [*found, 0] if place <= _NEAR else []

    def _divides(self, text: str, place: int, right: Encoding, first: bool) -> bool:
        """Whether the tokens of ``text`` are those before ``place`` and then those of ``right``."""
        head = self.first if first else self.onward
        if self.vocabulary and not self._nothing_across(head, text[:place], text[place:]):
            return False
        whole, left = _encode(head, text), _encode(head, text[:place])
        count = len(left.ids)
        if not 0 < count < len(whole.ids) or whole.ids != left.ids + right.ids:
            return False
        words, offsets = whole.word_ids, whole.offsets
        return bool(self.vocabulary) or (
            words[count - 1] != words[count] and offsets[count - 1][1] <= place <= offsets[count][0]
        )

    def _nothing_across(self, head: Tokenizer, left: str, right: str) -> bool:
        """Whether no entry of the vocabulary could cover the end of ``left`` and the start of ``right``."""
        whole, left, right = _surface(head, left + right), _surface(head, left), _surface(self.onward, right)
        if whole != left + right or right[:1] not in self.vocabulary:  # two unknowns may fuse into one token
            return False
        left, right = left[-self.longest :], right[: self.longest]
        return not any(
            left[-back:] + right[:ahead] in self.vocabulary
            for back in range(1, len(left) + 1)
            for ahead in range(1, min(len(right), self.longest - back) + 1)
        )

    def _classify(self, plain: Plain) -> str:
        """Settle which proof applies; the reason where none does."""
        model = plain.layout["model"]
        parts = components(plain.layout.get("pre_tokenizer"))
        kinds = {part["type"] for part in parts}
        odd = kinds - _SPLITTERS
        odd |= {part["type"] for part in components(plain.layout.get("normalizer"))} - _LOCAL_NORMALIZERS
        if odd:
            return f"{_WHOLE} its tokenizer uses {', '.join(sorted(odd))}"
        through = [part for part in parts if _lets_through(part)]
        if len(through) < len(parts) or (model["type"] == "Unigram" and _splits_words(parts)):
            return ""
        if model["type"] != "BPE":
            return f"{_WHOLE} its {model['type']} tokenizer splits no words"
        if any(model.get(key) for key in _AT_THE_ENDS):
            return f"{_WHOLE} its tokenizer treats the ends of a text apart"
        if any(_BYTE.fullmatch(half) for pair in model["merges"] for half in split_merge(pair)):
            return f"{_WHOLE} its tokenizer merges single bytes"
        self.vocabulary = frozenset(name for name in model["vocab"] if "\ufffe" not in name)
        self.longest = max(map(len, self.vocabulary), default=0)
        return ""

    def _trial(self, onward: Tokenizer) -> int:
        """How many places of a short text could be cut if later pieces were encoded by ``onward``."""
        kept, self.onward = self.onward, onward
        plausible = self._starter if self.vocabulary else self._border
        places = [place for place in range(1, len(_TRIAL)) if plausible(_TRIAL, place)]
        held = sum(self._holds(_TRIAL, place, True) for place in places)
        self.onward = kept
        return held


def _encode(tokenizer: Tokenizer, text: str) -> Encoding:
    return tokenizer.encode(text, add_special_tokens=False)


def _surface(tokenizer: Tokenizer, text: str) -> str:
    """``text`` as the model sees it: normalised, spaces and bytes replaced."""
    if tokenizer.normalizer is not None:
        text = tokenizer.normalizer.normalize_str(text)
    if tokenizer.pre_tokenizer is not None:
        text = "".join(part for part, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text))
    return text


def _kind(character: str) -> str:
    if character.isspace():
        return "space"
    return {"L": "letter", "M": "letter", "N": "digit"}.get(unicodedata.category(character)[0], "other")


def _lets_through(part: dict) -> bool:
    """Whether a pre-tokenizer leaves the inside of a spaceless text whole, wherever it is cut."""
    if part["type"] == "ByteLevel":
        return not part.get("use_regex", True)
    if part["type"] == "Split":
        return part["pattern"].get("String") == " "
    return part["type"] == "Metaspace"


def _splits_words(parts: list[dict]) -> bool:
    return any(part["type"] == "Metaspace" and part.get("split", True) for part in parts)
