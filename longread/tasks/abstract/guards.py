"""What can be wrong with a text that a model wrote, and what of it is not prose.

Knows loops, repetition, leaked template marks, empty answers, headings and labels. Knows no model, no
lengths and no prompt. A text that copies its source is sound.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from longread.engine.decode import Ended

_MARKS = re.compile(
    r"<\|[^<>|\s]{1,40}\|>|</?s>|</?think>|\[/?INST\]|<</?SYS>>|</?(?:start|end)_of_turn>|<(?:bos|eos|pad|unk)>"
)
_LABEL = re.compile(r"\A[^\n.!?。！？]{0,80}[:：]\s*\n+(?=\S)")
_HEADING = re.compile(
    r"^[ \t]*(?:#{1,6}[ \t].*|\*\*[^*\n]{1,80}\*\*:?[ \t]*|[-*_=]{3,}[ \t]*)$", re.MULTILINE
)
_BULLET = re.compile(r"^[ \t]*(?:[-*•–]|\d{1,2}[.)])[ \t]+", re.MULTILINE)
_STARS = re.compile(r"\*\*(?=\S)(.+?)(?<=\S)\*\*")


def fault(text: str, ended: Ended, special: Collection[int], source: str) -> str:
    """What is wrong with ``text`` as it was written, in words, or nothing.

    ``special`` are the ids that no plain text has; ``source`` is what the text is about.
    """
    if ended.reason == "loop":
        return "went in circles"
    leaked = [mark for mark in _MARKS.findall(text) if mark not in source]
    if leaked or any(token in special for token in ended.ids[ended.thought :]):
        return "held template marks"
    if not any(map(str.isalnum, text)):
        return "was empty"
    return ""


def repeats(sentences: Sequence[str]) -> bool:
    """Whether a third of at least three ``sentences`` has been said before in the same words: short loops
    end before the guard of the tokens is sure."""
    said = [tuple(re.findall(r"\w+", sentence.lower())) for sentence in sentences]
    return len(said) >= 3 and len(said) - len(set(said)) >= len(said) / 3


def prose(text: str, joint: str) -> str:
    """``text`` as one paragraph: no headings, labels ("Summary:"), bullets, rules or asterisks.

    ``joint`` stands where a line ended: a space, nothing in Chinese and Japanese.
    """
    text = _LABEL.sub("", text.strip())
    for pattern, into in ((_HEADING, ""), (_BULLET, ""), (_STARS, r"\1")):
        text = pattern.sub(into, text)
    return joint.join(line.strip() for line in text.splitlines() if line.strip())
