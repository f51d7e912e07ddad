"""How long a text is, in what its language counts and in tokens, and how it is cut to length.

Knows words, characters, sentences and how many tokens they take. Knows no prompt and no model.
"""

from __future__ import annotations

from typing import Any

from longread.reader.sentences import sentences
from longread.tasks.extract.traits import counts_characters, length_of
from longread.tasks.outlook import END, SPARE, answer_for, rate_of


class Meter:
    """Lengths in ``language``. ``sample`` is some of the book, which is in ``spoken``."""

    def __init__(self, encoder: Any, language: str, sample: str, spoken: str) -> None:
        self.language = language
        self.joint = "" if counts_characters(language) else " "
        self.unit = "characters" if counts_characters(language) else "words"
        self._encoder = encoder
        self._rate = rate_of(encoder, language, sample, spoken)

    def length(self, text: str) -> int:
        """Words of ``text``; in Chinese and Japanese characters."""
        return length_of(text, self.language)

    def tokens(self, text: str) -> int:
        """Tokens of ``text``."""
        return len(self._encoder.encode(text))

    def answer(self, length: int) -> int:
        """Tokens to allow for an answer of ``length``."""
        return answer_for(length, self._rate)

    def length_in(self, answer: int) -> int:
        """The length that can be asked for where ``answer`` tokens are allowed."""
        return max(1, int((answer - END) / (self._rate * SPARE)))

    def sentences(self, text: str) -> list[str]:
        """The sentences of ``text``, in order."""
        return [text[start:end] for start, end in sentences(text, self.language)]

    def join(self, texts: list[str]) -> str:
        """Sentences or texts as one paragraph."""
        return self.joint.join(text for text in texts if text)

    def trimmed(self, text: str, length: int) -> str:
        """``text`` cut at the sentence end that comes nearest to ``length``; never to nothing."""
        kept: list[str] = []
        size = 0
        for sentence in self.sentences(text):
            grown = size + self.length(sentence)
            if kept and abs(grown - length) > abs(size - length):
                break
            kept.append(sentence)
            size = grown
        return self.join(kept)

    def shortened(self, text: str, tokens: int) -> str:
        """The first sentences of ``text`` that fit ``tokens``, or the beginning of the first."""
        kept, used = [], 0
        for sentence in self.sentences(text):
            used += self.tokens(sentence) + 1
            if used > tokens:
                break
            kept.append(sentence)
        return self.join(kept) or _beginning(text.strip(), tokens, self.tokens)

    def recent(self, texts: list[str], tokens: int) -> str:
        """As many of the last of ``texts`` as fit ``tokens``, whole."""
        kept: list[str] = []
        for text in reversed(texts):
            tokens -= self.tokens(text) + 1
            if tokens < 0:
                break
            kept.insert(0, text)
        return self.join(kept)


def _beginning(text: str, tokens: int, count: Any) -> str:
    """The longest beginning of ``text`` that fits ``tokens`` less one, found by halving, with an ellipsis."""
    if count(text) <= tokens:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if count(text[:middle]) < tokens:
            low = middle
        else:
            high = middle - 1
    cut = text[:low]
    space = cut.rfind(" ")
    return (cut[:space] if space > 0 else cut) + "…"
