"""Plain text to token ids and back, for the tokenizer of any local model.

Knows a model folder's ``tokenizer.json``, the two libraries that can run it, and how a text of any length
is encoded piece by piece. Knows no model, no torch and no transformers. Special tokens are never produced
from text: templates put them in as ids.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from longread.model import tiktokens
from longread.model.cuts import Cutter
from longread.model.plaintext import Plain, components, load_plain

_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")


class Encoder:
    """Plain text to ids and ids to text.

    ``kind`` is the library that encodes, "tiktoken" or "tokenizers"; ``reason`` says why it is not
    tiktoken. ``vocab_size`` is one more than the highest id, added tokens included. ``note`` is for the
    user: it says where texts cannot be cut and are encoded in one piece, and is empty otherwise.
    ``chunk`` is the length of a piece in characters.
    """

    chunk = 1 << 16

    def __init__(self, plain: Plain, ranks: tiktokens.Ranks | None = None, reason: str = "") -> None:
        self._special = plain.special
        self._ranks = ranks
        self.cutter = Cutter(plain)
        self.kind = "tokenizers" if ranks is None else "tiktoken"
        self.reason = reason
        self.vocab_size = plain.vocab_size
        self.note = self.cutter.note
        self._piece, self._strips = _spelling(plain)

    def encode(self, text: str) -> list[int]:
        """The ids of ``text``, whatever its length."""
        return [token for ids, _ in self.stream([text]) for token in ids.tolist()]

    def stream(self, pieces: Iterable[str]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Encode a text that comes in ``pieces`` of any size, in constant memory.

        Yields ids [n] and starts [n], both int64: ``starts`` are the characters, counted from the
        beginning of the stream, in which the tokens' first bytes lie. The ids are those of the whole
        text encoded at once. Only a run without any place to cut is held back in one piece.
        """
        at = 0
        for text in self.cutter.split(pieces, self.chunk):
            ids, starts = self._encode(text, at == 0)
            if len(ids):
                yield ids, starts + at
            at += len(text)

    def decode(self, ids: Iterable[int]) -> str:
        """The text of ``ids``. Special tokens are dropped; added tokens that are not special are shown."""
        streamer = self.streamer()
        return "".join([*map(streamer.push, ids), streamer.finish()])

    def streamer(self) -> Streamer:
        """A decoder that takes ids one by one."""
        return Streamer(self._piece, self._strips)

    def special_ids(self) -> frozenset[int]:
        """The ids that no text yields: special tokens, and added ones that the vocabulary cannot spell.

        A token for unknown characters is among them only where every character is known.
        """
        return self._special

    def _encode(self, text: str, first: bool) -> tuple[np.ndarray, np.ndarray]:
        fast = self._ranks.encode(text) if self._ranks else None
        if fast is not None:
            return fast
        tokenizer = self.cutter.first if first else self.cutter.onward
        encoding = tokenizer.encode(text, add_special_tokens=False)
        ids = np.array(encoding.ids, dtype=np.int64)
        starts = np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2)[:, 0]
        # A normalizer that reorders characters may report places out of order.
        return ids, np.minimum(np.maximum.accumulate(starts), len(text) - 1)


class Streamer:
    """Decodes ids one by one, giving out only complete characters."""

    def __init__(self, piece: Callable[[int], bytes], strips: bool) -> None:
        self._piece = piece
        self._strips = strips
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, token: int) -> str:
        """The characters that ``token`` completes; may be empty."""
        return self._after_first_space(self._utf8.decode(self._piece(int(token))))

    def finish(self) -> str:
        """What is left: U+FFFD where the last character was never completed."""
        return self._after_first_space(self._utf8.decode(b"", final=True))

    def _after_first_space(self, text: str) -> str:
        if self._strips and text:
            self._strips = False
            return text.removeprefix(" ")
        return text


def load_encoder(folder: str | Path, *, prefer: str = "auto") -> Encoder:
    """The encoder of the model in ``folder``.

    ``prefer`` is "tokenizers", "tiktoken", or "auto", which is tiktoken: it measured 4 to 5 times as
    fast. tiktoken is used only where it gives the model's own tokens; ``reason`` says why it is not.
    Raises ModelError where ``tokenizer.json`` is missing or damaged.
    """
    if prefer not in ("auto", "tiktoken", "tokenizers"):
        raise ValueError(f"prefer is {prefer!r}, not auto, tiktoken or tokenizers")
    plain = load_plain(folder)
    if prefer == "tokenizers":
        return Encoder(plain, reason="the stock tokenizer was asked for")
    return Encoder(plain, *tiktokens.build(plain))


def _spelling(plain: Plain) -> tuple[Callable[[int], bytes], bool]:
    """How ids are spelled: a function from id to bytes, and whether a text's first space is dropped.

    The decoder is asked what a token adds after another one, so that every kind of decoder works; bytes
    are taken as bytes, since their characters may be complete only several tokens later.
    """
    kinds = {part["type"] for part in components(plain.layout.get("decoder"))}
    tokenizer, added = plain.tokenizer, plain.added  # not plain itself: its layout is large
    decoder = tokenizer.decoder
    alphabet = tiktokens.byte_alphabet()

    def added_text(token: str) -> str:
        if decoder is None:
            return " " + token
        before, both = decoder.decode(["a"]), decoder.decode(["a", token])
        return both[len(before) :] if both.startswith(before) else decoder.decode([token])

    def spell(token: str) -> bytes:
        if "ByteLevel" in kinds:
            return b"".join(bytes([alphabet[c]]) if c in alphabet else c.encode("utf-8") for c in token)
        if "ByteFallback" in kinds and (match := _BYTE.fullmatch(token)):
            return bytes.fromhex(match[1])
        return added_text(token).encode("utf-8")

    known: dict[int, bytes] = {}

    def piece(token: int) -> bytes:
        if token not in known:
            name = tokenizer.id_to_token(token) if token >= 0 else None
            shown = added.get(token)
            known[token] = shown.encode("utf-8") if shown is not None else spell(name) if name else b""
        return known[token]

    if "ByteLevel" in kinds:
        return piece, False
    alone = (lambda token: token) if decoder is None else (lambda token: decoder.decode([token]))
    strips = any(added_text(token) == " " + alone(token) for token in ("▁a", "a"))
    return piece, strips
