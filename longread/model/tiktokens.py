"""A model's own byte-level BPE as a ``tiktoken.Encoding``.

Knows when tiktoken does what the model's tokenizer does, and how ranks and ids map. Knows nothing of
streams nor of special tokens. It is built only where it can be the same, and kept only where it was:
``build`` compares the two on a trial text of many scripts and on the vocabulary itself.
"""

from __future__ import annotations

import unicodedata
from typing import Any

import numpy as np
import tiktoken

from longread.model.plaintext import Plain, components, split_merge

# What GPT-2's pre-tokenizer splits by. Possessive, which changes no match and saves the way back.
_GPT2 = r"'(?:s|t|m|d|re|ve|ll)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s+(?!\S)|\s+"
# The matcher's stack overflows on a run of about a million spaces; the stock tokenizer's does not.
LONGEST = 1 << 17
_TRIAL = (
    "It's the 1st of 12,345,678 pages -- \"don't\", she'd said; WE'LL SEE, they're I'm you've.\n\n"
    "\tdef f(x):\r\n        return x**2 # 3.14159\r\r\n\n   \n  end   \t\t mid  two   three "
    "\u3000wide\xa0hard\u2003em\u200bzero\x85\x1c\x0b\nhelloWorld HTMLParser iPhone42s x²+y²  \n"
    "《紅樓夢》第一回：甄士隱夢幻識通靈，賈雨村風塵懷閨秀。１２３ 吾輩は猫である。ガガ 안녕하세요 ㅋㅋ "
    "Всё счастли\u0301вые семьи; naïve cafe\u0301 Straße ǅ ʰ ΑΒΓ العربية ١٢٣ עִבְרִית हिन्दी क्षि ไทยไม่เว้น Ⅻ ½ ₃ "
    "😀👩\u200d👩\u200d👧\u200d👦🇩🇪❤\ufe0f👍🏽 ∑∫≠ ←→ €£¥ \ufffd\u0000\u0007\u001b[31m ' 'S 'Re ''t "
    "<|endoftext|><s></s> ___ a_b-c/d?e=f&g 𝔘𝔫𝔦 𠮷野家\n"
)
_SAMPLE = 2000  # vocabulary entries compared; more would take longer than a small model's loading


class Ranks:
    """Encodes plain text through tiktoken and gives the model's ids."""

    def __init__(self, encoding: tiktoken.Encoding, ids: np.ndarray, lengths: np.ndarray, form: str) -> None:
        self._encoding = encoding
        self._ids = ids
        self._lengths = lengths
        self._form = form

    def encode(self, text: str) -> tuple[np.ndarray, np.ndarray] | None:
        """Ids [n] and starts [n] (int64, characters of ``text``), or None where stock must do it."""
        if len(text) > LONGEST or (self._form and not unicodedata.is_normalized(self._form, text)):
            return None
        ranks = self._encoding.encode_to_numpy(text, disallowed_special=())
        ends = np.cumsum(self._lengths[ranks])
        raw = np.frombuffer(text.encode("utf-8"), dtype=np.uint8)
        if (ends[-1] if len(ends) else 0) != len(raw):  # the pattern left something out
            return None
        starts = ends - self._lengths[ranks]
        if len(raw) != len(text):
            starts = (np.cumsum((raw & 0xC0) != 0x80, dtype=np.int64) - 1)[starts]
        return self._ids[ranks], starts


def build(plain: Plain) -> tuple[Ranks | None, str]:
    """The tiktoken twin of ``plain``, or None and the reason."""
    pattern, reason = _pattern(plain.layout)
    if reason:
        return None, reason
    forms = [part["type"] for part in components(plain.layout.get("normalizer"))]
    if len(forms) > 1 or any(form not in ("NFC", "NFD", "NFKC", "NFKD") for form in forms):
        return None, "its normalizer is not a Unicode form"
    table, ids, reason = _ranks(plain.layout["model"])
    if reason:
        return None, reason
    try:
        encoding = tiktoken.Encoding("model", pat_str=pattern, mergeable_ranks=table, special_tokens={})
    except Exception as error:  # tiktoken raises ValueError for some patterns and bare Exception for others
        return None, f"tiktoken does not take its pattern: {error}"
    lengths = np.fromiter(map(len, table), dtype=np.int64, count=len(table))
    ranks = Ranks(encoding, np.array(ids, dtype=np.int64), lengths, "".join(forms))
    step = max(1, len(table) // _SAMPLE)
    words = " ".join(entry.decode("utf-8", "ignore") for entry in list(table)[::step])
    return (ranks, "") if _same(ranks, plain, words) else (None, "tiktoken gives other tokens")


def byte_alphabet() -> dict[str, int]:
    """Character to byte: how byte-level vocabularies spell the 256 bytes with printable characters."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + n): byte for n, byte in enumerate(others)}


def _same(ranks: Ranks, plain: Plain, words: str) -> bool:
    """Whether both give the same ids and starts; texts not in normal form go to stock and need no trial."""
    form = ranks._form
    for text in (_TRIAL, words, "".join(plain.added.values()), "", " ", "a"):
        text = unicodedata.normalize(form, text) if form else text
        stock = plain.tokenizer.encode(text, add_special_tokens=False)
        fast = ranks.encode(text)
        if fast is None or fast[0].tolist() != stock.ids or fast[1].tolist() != [s for s, _ in stock.offsets]:
            return False
    return True


def _pattern(layout: dict[str, Any]) -> tuple[str, str]:
    """The regular expression that the pre-tokenizer splits by, or "" and why there is not one."""
    match components(layout.get("pre_tokenizer")):
        case [{"type": "ByteLevel", **level}]:
            split = None
        case [{"type": "Split", **split}, {"type": "ByteLevel", **level}]:
            pass
        case _:
            return "", "its pre-tokenizer is not one pattern over bytes"
    if level.get("add_prefix_space") or level.get("use_regex", True) == (split is not None):
        return "", "its pre-tokenizer is not one pattern over bytes"
    if split is None:
        return _GPT2, ""
    matches = (split["behavior"], split.get("invert", False)) in (("Isolated", False), ("Removed", True))
    if not matches or "Regex" not in split["pattern"]:
        return "", "its pre-tokenizer keeps more than the matches of its pattern"
    return split["pattern"]["Regex"], ""


def _ranks(model: dict[str, Any]) -> tuple[dict[bytes, int], list[int], str]:
    """Bytes to rank, in order of rank, the id of each rank, and why there are none.

    The bytes come first, then what the merges make, in their order. tiktoken merges any two neighbours
    that spell an entry, BPE only the listed pair; trained merges cannot tell the two apart.
    """
    bad = ("unk_token", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback")
    if model["type"] != "BPE" or any(model.get(key) for key in bad):
        return {}, [], "its model is not a byte-level BPE"
    vocab, alphabet = model["vocab"], byte_alphabet()
    if not alphabet.keys() <= vocab.keys():
        return {}, [], "its vocabulary lacks single bytes"
    names = [*alphabet, *("".join(split_merge(pair)) for pair in model["merges"])]
    if model.get("ignore_merges"):  # whole words are looked up first, merged or not
        names.extend(name for name in vocab if "\ufffe" not in name)
    names = list(dict.fromkeys(names))
    try:
        table = {bytes(map(alphabet.__getitem__, name)): rank for rank, name in enumerate(names)}
        return table, [vocab[name] for name in names], ""
    except KeyError:
        return {}, [], "its vocabulary holds more than bytes"
