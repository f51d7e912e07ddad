"""Where a continuation joins the text, and where it stops.

Knows what a paragraph's and a sentence's end look like. Knows characters only: no model, and
of tokens their count.
"""

from __future__ import annotations

from longread.reader.sentences import sentences

# Of the length asked for: from here on a paragraph's end will do, then a sentence's, then any place.
PARAGRAPH, SENTENCE, ANYWHERE = 0.9, 1.1, 1.25
_LINE = 240  # characters in which a sentence's end is looked for


def longest(tokens: int) -> int:
    """The most tokens that are written where about ``tokens`` are asked for."""
    return round(ANYWHERE * tokens)


def gap(layout: str) -> str:
    """What parts two paragraphs, by the document's ``layout``."""
    return "\n\n" if layout == "wrapped" else "\n"


def seam(tail: str, *, layout: str, language: str, begins: bool) -> str:
    """What must stand between a text that ends in ``tail`` and what is written after it.

    The line ends that a new paragraph lacks, where the continuation ``begins`` with given
    words or the text ends with a sentence and the end of its line; nothing in the middle of a line, nor
    where a last line that is a sentence lacks its line end.
    """
    if not begins and not (tail.endswith("\n") and _ends(tail.rstrip(), " Then", language)):
        return ""
    return gap(layout)[len(tail) - len(tail.rstrip("\n")) :]


def _ends(line: str, following: str, language: str) -> bool:
    """Whether a sentence ends where ``line`` does, now that something follows."""
    line = line[-_LINE:]
    return any(end == len(line) for _, end in sentences(line + following, language)[:-1])


class Ending:
    """Takes the pieces of a text as they come and gives out what is to be shown of it.

    ``over`` is "" while the text goes on, then "until", "paragraph" or "sentence". Spaces and
    line ends are held back until something follows: a text ends with its last word. After
    ``before``, which has been shown, no line begins with a space.
    """

    def __init__(
        self,
        tokens: int,
        *,
        until: str = "",
        before: str = "",
        layout: str = "wrapped",
        language: str = "en",
    ) -> None:
        self.over = ""
        self._tokens, self._until = tokens, until
        self._gap, self._language = gap(layout), language
        self._line, self._kept = "", max(_LINE, len(until))  # the last characters shown
        self._held = ""
        self._at_start = before.endswith("\n")

    def take(self, piece: str, count: int) -> str:
        """What can be shown now that ``piece`` has come and the text has ``count`` tokens."""
        text = self._held + piece
        if self._at_start:
            text = text.lstrip(" ")
            self._at_start = not text
        if self._until:
            before = self._line[max(0, len(self._line) - len(self._until) + 1) :]
            at = (before + text).find(self._until)
            if at >= 0:
                self.over, self._held = "until", ""
                return text[: at + len(self._until) - len(before)]
        if count >= SENTENCE * self._tokens and _ends(self._line, text, self._language):
            self.over, self._held = "sentence", ""
            return ""
        shown = text.rstrip()
        self._held = text[len(shown) :]
        self._line = (self._line + shown if shown else self._line)[-self._kept :]
        if count >= PARAGRAPH * self._tokens and self._gap in self._held.replace(" ", ""):
            self.over = "paragraph"
        return shown
