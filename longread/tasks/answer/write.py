"""An answer in a model's own words, from passages that stand in its prompt.

Knows how passages fit a window and what of a model's words counts as an answer. Knows nothing of how they
were found; of the model only ``Write``.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence

from longread.engine.decode import LoopGuard, collected, generate
from longread.errors import UnsupportedError
from longread.events import Event, Progress
from longread.memory.recall import Hit, pack
from longread.model.chat import Chat, Message
from longread.model.tokens import Encoder
from longread.reader.sentences import sentences
from longread.tasks import prompts
from longread.tasks.abstract.guards import fault
from longread.tasks.abstract.writer import TRIES, Write

MOST = 200  # tokens of an answer
BEAT = Progress("answering", 0, 0, "")  # while words come
_LEAST = 64  # tokens that a passage needs
_SPAN = 64
# The prompt's word for it, alone; "was not found until spring" is an answer.
_ABSENT = re.compile(r"\W*not found(?: in (?:the|these) (?:passages?|text|book))?\W*", re.IGNORECASE)
_CITED = re.compile(r"\[(\d{1,2}(?:\s*[,;]\s*\d{1,2})*)\]")


class AnswerWriter:
    """Answers questions about the book called ``title`` within ``window`` tokens, in ``language``; while it
    does, ``beat`` is given out again and again."""

    def __init__(
        self,
        write: Write,
        chat: Chat,
        encoder: Encoder,
        *,
        window: int,
        title: str,
        language: str,
        seed: int = 0,
        beat: Event = BEAT,
    ) -> None:
        self._beat = beat
        self._write, self._chat, self._encoder = write, chat, encoder
        self._window, self._title, self._seed = window, title[:60], seed
        self._code, self._language = language, prompts.language_name(language)

    def answer(self, question: str, hits: Sequence[Hit]) -> Generator[Event, None, str | None]:
        """The answer, its passages cited by rank; "" where they hold none, None where both tries failed.

        ``UnsupportedError`` where the question leaves no room for a passage in the window.
        """
        most = min(MOST, self._window // 4)
        room = self._window - most - len(self._ids(question, "")) - 8
        if room < _LEAST:
            raise UnsupportedError(
                f"a window of {self._window} tokens leaves no room for passages beside this question",
                "ask a shorter question, or use a larger --window",
            )
        packed = pack(hits, room, lambda text: len(self._encoder.encode(text)))
        if not packed:  # the best alone is too long: its beginning
            tokens = self._encoder.encode(hits[0].text)[: room - 8]
            source, ranks = f"[1] {self._encoder.decode(tokens)}", {1}
        else:
            source = "\n".join(f"[{rank}] {' '.join(hit.text.split())}" for rank, hit in packed)
            ranks = {rank for rank, _ in packed}
        ids = self._ids(question, source)
        special = self._encoder.special_ids()
        for number, sampling in enumerate(TRIES):
            hand = self._write(ids, max_tokens=most, sampling=sampling, seed=self._seed + number)
            events = generate(hand, self._encoder.streamer(), LoopGuard(span=_SPAN, share=0.6))
            raw, ended = yield from collected(events, self._beat)
            text = " ".join(raw.split())
            if _ABSENT.fullmatch(text):
                return ""
            wrong = fault(text, ended, special, source)
            if ended.reason == "length":  # its last sentence was cut off in the middle
                whole = sentences(text, self._code)[:-1]
                text = text[: whole[-1][1]] if whole else f"{text}…"
            if text and not wrong:
                return cited(text, ranks)
        return None

    def _ids(self, question: str, source: str) -> list[int]:
        system, user = prompts.prompt("answer").fill(
            title=self._title, source=source, question=" ".join(question.split()), language=self._language
        )
        return self._chat.ids([Message("system", system), Message("user", user)])


def cited(text: str, ranks: set[int]) -> str:
    """``text`` without citations of passages that were not given."""

    def check(match: re.Match[str]) -> str:
        numbers = [n for n in map(int, re.findall(r"\d+", match[1])) if n in ranks]
        return f"[{', '.join(map(str, numbers))}]" if numbers else ""

    return re.sub(r"\s+([.,;!?])", r"\1", _CITED.sub(check, text)).strip()
