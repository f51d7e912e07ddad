"""A model's answers, and how good they are.

Knows how one turn is asked for and the field's usual measures. Knows no archive. The answers are greedy and
come out of the program's own engine.
"""

from __future__ import annotations

import collections
import re
import string
from collections.abc import Sequence
from pathlib import Path

from longread.errors import UnsupportedError


class Answerer:
    """The model in ``folder``, asked one conversation at a time."""

    def __init__(self, folder: Path, device: str = "auto") -> None:
        from longread.memory.policy import make_policy
        from longread.model.chat import Chat
        from longread.model.load import load_model

        self._make_policy = make_policy
        self._loaded = load_model(str(folder.resolve()), make_policy, device=device)
        self._chat = Chat(folder, self._loaded.encoder)
        self.window = self._loaded.backbone.trained_length

    def answer(self, *said: str, longest: int = 64) -> str:
        """The answer to what was ``said``, an opening and a user's turn, or a turn alone."""
        from longread.engine.decode import generate_ids
        from longread.model.chat import Message

        roles = ("system", "user") if len(said) == 2 else ("user",)
        prompt = self._chat.ids([Message(*turn) for turn in zip(roles, said, strict=True)])
        backbone = self._loaded.backbone
        kind = "sink" if backbone.stateful else "recompute"
        policy = self._make_policy(kind, backbone, window=self.window, sinks=1)
        with backbone.attached():
            given = {"max_tokens": longest, "stop_ids": self._chat.stop_ids}
            ids = list(generate_ids(policy, backbone, prompt, **given))
        return self._loaded.encoder.decode(ids).strip()


def f1(answer: str, references: Sequence[str]) -> float:
    """The best share of words in common with a reference (SQuAD, 1606.05250, section 5)."""
    return max(_f1(_words(answer), _words(reference)) for reference in references)


def exact(answer: str, references: Sequence[str]) -> bool:
    """Whether the answer's words are those of a reference."""
    return any(_words(answer) == _words(reference) for reference in references)


def translation(texts: Sequence[str], references: Sequence[str], language: str) -> dict[str, float]:
    """Corpus BLEU, in characters for Chinese, and chrF, both 0 to 100."""
    try:
        import sacrebleu
    except ImportError:
        raise UnsupportedError("translations are judged by sacrebleu", "pip install sacrebleu") from None
    tokens = "zh" if language == "zh" else "13a"
    bleu = sacrebleu.corpus_bleu(list(texts), [list(references)], tokenize=tokens)
    chrf = sacrebleu.corpus_chrf(list(texts), [list(references)])
    return {"bleu": round(bleu.score, 3), "chrf": round(chrf.score, 3)}


def _words(text: str) -> list[str]:
    text = "".join(char for char in text.lower() if char not in string.punctuation)
    return [word for word in re.split(r"\s+", text) if word and word not in ("a", "an", "the")]


def _f1(found: list[str], wanted: list[str]) -> float:
    common = sum((collections.Counter(found) & collections.Counter(wanted)).values())
    return 2 * common / (len(found) + len(wanted)) if common else float(found == wanted)
