"""Bytes to text, piece by piece.

Knows how to decode without ever holding more than a chunk, how to count and place what
cannot be decoded, and that a line ends in ``\\n`` whatever the file says. Control characters
other than ``\\r`` are data and stay where they are, so that offsets mean what they say.
Knows nothing of what the text says.
"""

from __future__ import annotations

import codecs
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from longread.errors import InputError
from longread.reader.charset import Charset
from longread.reader.files import Bytes

TOO_MANY = 1000  # one bad character in so many is one too many
_EARLY = 1 << 20  # after so many characters a hopeless decoding is given up


@dataclass
class Damage:
    """What could not be decoded: how many characters, and the byte at which the first begins."""

    count: int = 0
    first: int = 0
    characters: int = 0

    def check(self, name: str, charset: Charset) -> None:
        """Raise ``InputError`` when more than one character in a thousand is bad."""
        if self.count * TOO_MANY > max(self.characters, 1):
            raise InputError(
                f"{name} is not {charset.name}: {self.count:,} of {self.characters:,} characters cannot be "
                f"decoded, the first at byte {self.first:,}",
                "name the right encoding with --encoding, for example --encoding windows-1252",
            )

    def note(self, charset: Charset) -> str:
        """What the user is told; empty when nothing was bad."""
        if not self.count:
            return ""
        what = "1 character is" if self.count == 1 else f"{self.count:,} characters are"
        return f"{what} not valid {charset.name} and shown as \ufffd; the first is at byte {self.first:,}"


def decode(data: Bytes, charset: Charset, damage: Damage | None = None) -> Iterator[str]:
    """The text of ``data`` in pieces, line ends made ``\\n``; ``damage`` is filled on the way.

    Raises ``InputError`` as soon as the first million characters show that the encoding is wrong.
    """
    damage = damage if damage is not None else Damage()
    decoder = codecs.getincrementaldecoder(charset.codec)("strict")
    at = charset.mark
    held = ""  # a carriage return whose line feed may come with the next piece
    begun = False
    for chunk in itertools.chain(data.chunks(charset.mark), [b""]):  # the empty chunk is the end
        text = _decode_chunk(decoder, charset.codec, chunk, at, damage)
        at += len(chunk)
        damage.characters += len(text)
        if damage.characters > _EARLY and damage.count:
            damage.check(data.name, charset)
        if not begun and text:
            begun, text = True, text.removeprefix("\ufeff")
        text, held = held + text, ""
        if chunk and text.endswith("\r"):
            text, held = text[:-1], "\r"
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        if text:
            yield text


def _decode_chunk(
    decoder: codecs.IncrementalDecoder,
    codec: str,
    chunk: bytes,
    at: int,
    damage: Damage,
) -> str:
    """One chunk, decoded strictly, and once more with replacements when that fails.

    The decoder's state before the chunk holds the bytes that it still waits to complete.
    """
    state = decoder.getstate()
    try:
        return decoder.decode(chunk, final=not chunk)
    except UnicodeDecodeError as error:
        if not damage.count:
            damage.first = at - len(state[0]) + error.start
        pending = state[0]
    decoder.setstate(state)
    decoder.errors = "replace"
    text = decoder.decode(chunk, final=not chunk)
    decoder.errors = "strict"
    try:  # characters that the file itself holds as U+FFFD are no damage of ours
        own = (pending + chunk).count("\ufffd".encode(codec))
    except UnicodeEncodeError:
        own = 0
    damage.count += max(text.count("\ufffd") - own, 1)
    return text
