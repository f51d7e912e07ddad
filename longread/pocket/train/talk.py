"""What the model is taught to answer, as conversations in its template.

Knows the wording of each task; evaluation and the card use the same. Knows no book and no file.
A conversation is a list of turns (said, answer); the program puts what it has to say of the
task in front, as the first user's turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from longread.tasks.prompts import prompt

SINK, END, USER, ASSISTANT, DOC = range(5)
SPECIAL = ("<|sink|>", "<|end|>", "<|user|>", "<|assistant|>", "<|doc|>")
LANGUAGES = {"en": "English", "zh": "Chinese"}
# Turns as the program writes them: what the system says is a user's turn without an answer.
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}"
    "{{ '<|user|>' if m.role in ('user','system') else '<|assistant|>' }}{{ m.content }}"
    "{% if m.role == 'assistant' %}<|end|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)

Encode = Callable[[str], list[int]]


@dataclass(frozen=True)
class Talk:
    """Ids of a stretch of conversation, and which of them the model is to learn to say."""

    ids: list[int]
    own: list[bool]

    def __add__(self, other: Talk) -> Talk:
        return Talk(self.ids + other.ids, self.own + other.own)


def said(ids: Iterable[int]) -> Talk:
    """A turn that is given."""
    whole = [USER, *ids]
    return Talk(whole, [False] * len(whole))


def answered(ids: Iterable[int]) -> Talk:
    """The model's own turn and its end; the mark that opens it is the template's."""
    whole = list(ids)
    return Talk([ASSISTANT, *whole, END], [False, *[True] * len(whole), True])


def translation(target: str) -> str:
    """The short wording that opens a conversation of translations into ``target`` ("en", "zh")."""
    return f"Translate into {LANGUAGES[target]}."


def book_translation(target: str, title: str) -> str:
    """The wording that ``longread translate`` opens with."""
    source = LANGUAGES["zh" if target == "en" else "en"]
    names = {"source": source, "target": LANGUAGES[target], "title": title, "terms": "", "sentence": ""}
    return prompt("translate").fill(**names)[0]


def question(text: str, asked: str) -> str:
    """An answer from a passage is wanted."""
    return f"{text}\n\nQuestion: {asked}"


def judgement(text: str, asked: str) -> str:
    """Whether a passage answers a question: "yes" or "no"."""
    return f"{text}\n\nDoes this answer the question: {asked}"


def heading(text: str) -> str:
    """A title for a chapter that begins like this."""
    return f"{text}\n\nGive this chapter a title."


def conversation(encode: Encode, opening: str, turns: Sequence[tuple[str, str]]) -> Talk:
    """An opening, if any, and turns of (said, answer)."""
    whole = said(encode(opening)) if opening else Talk([], [])
    for words, answer in turns:
        whole = whole + said(encode(words)) + answered(encode(answer))
    return whole
