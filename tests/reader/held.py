"""Reading a file that lies in memory, in this process."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

from longread.reader.formats.extract import Text


class Held:
    """``Bytes`` in memory."""

    def __init__(self, content: bytes, name: str) -> None:
        self.content, self.name, self.size = content, name, len(content)

    def read_at(self, offset: int, count: int) -> bytes:
        return self.content[offset : offset + count]

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        for at in range(start, self.size, 1 << 18):
            yield self.content[at : at + (1 << 18)]

    def close(self) -> None:
        pass


def text_of(form: str, content: bytes) -> Text:
    """The source that the format makes of ``content``, walked through once."""
    module = importlib.import_module(f"longread.reader.formats.{form}")
    text = module.open(Held(content, f"book.{form}"))
    for _ in text.pieces():
        pass
    return text


def paragraphs(form: str, content: bytes) -> list[str]:
    """The paragraphs that the format finds in ``content``."""
    text = text_of(form, content)
    try:
        return "".join(text.pieces()).strip("\n").split("\n\n")
    finally:
        text.close()


def left_out(form: str, content: bytes) -> tuple[str, ...]:
    text = text_of(form, content)
    text.close()
    return text.left_out
