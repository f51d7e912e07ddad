"""A chat of 2,000 turns with the bundled model, its template in use: nothing grows, nothing wears out.

The model does not make sense, and need not: what is measured is whether the window, the
sinks and the adapter carry a conversation of any length.
"""

from __future__ import annotations

import json
import math
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from longread.config import Options
from longread.events import Text
from longread.reader import open_document
from longread.reader.sentences import sentences
from longread.tasks.chat import voice
from longread.tasks.chat.talk import Talk

TURNS = 2000
ANSWER = 12  # tokens of an answer at most: the turns are what is counted


def lines_and_unseen() -> tuple[list[str], str]:
    """What the user says, sentence by sentence, and a passage that is said nowhere."""
    with open_document("sample:en") as document:
        text = "".join(document.text())
    said = [" ".join(text[a:b].split()) for a, b in sentences(text[: len(text) // 2], document.language)]
    return [line for line in said if 20 < len(line) < 120], text[-20_000:]


def resident() -> int:
    """Bytes of memory that this process holds now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def perplexity(talk: Talk, ids: list[int]) -> float:
    """Of ``ids`` said after all that was said so far; nothing of it is kept."""
    import torch

    from longread.memory.policy import make_policy

    conversation = talk._voice.conversation
    kept, backbone = conversation._policy, conversation.backbone
    policy = make_policy("sink", backbone, window=kept.window, sinks=kept.sinks)
    policy.load(kept.state())
    total, last = 0.0, None
    with torch.no_grad():
        for block in torch.tensor(ids).split(128):
            hidden = policy.forward(block)
            policy.commit()
            states = hidden[:-1] if last is None else torch.cat((last, hidden[:-1]))
            total += float(backbone.nll(states, block[-len(states) :]).double().sum())
            last = hidden[-1:]
    return math.exp(total / (len(ids) - 1))


def distinct(answers: list[list[int]]) -> float:
    """The share of 4-grams of tokens that are different from each other."""
    grams = [tuple(ids[at : at + 4]) for ids in answers for at in range(len(ids) - 3)]
    return len({*grams}) / len(grams)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize("learn", [False, True], ids=["window", "learning"])
def test_two_thousand_turns(learn, monkeypatch):
    monkeypatch.setattr(voice, "LONGEST", ANSWER)
    lines, unseen = lines_and_unseen()
    memory, seconds, work, answers, first = [], [], [], [], 0.0
    with Talk(Options()) as talk:
        list(talk._bench.load())
        loaded = talk._bench.loaded
        talk._bench.loaded = replace(loaded, trust=replace(loaded.trust, chats=True))
        passage = loaded.encoder.encode(unseen)
        if learn:
            list(talk.send("/learn on"))
        filled = None
        for turn in range(TURNS + 40):
            began, before = time.perf_counter(), time.process_time()
            text = "".join(e.text for e in talk.send(lines[turn % len(lines)]) if isinstance(e, Text))
            seconds.append(time.perf_counter() - began)
            work.append(time.process_time() - before)
            memory.append(resident())
            answers.append(loaded.encoder.encode(text))
            if filled is None and talk.status.window == 1.0:
                filled = turn + 1
                first = perplexity(talk, passage)
            if filled is not None and turn + 1 == filled + TURNS:
                break
        last = perplexity(talk, passage)
        tokens = len(talk._voice.conversation)

    begun, ended = slice(filled, filled + 100), slice(-100, None)
    figures = {
        "turns": len(answers),
        "tokens": tokens,
        "window_full_after": filled,
        "memory_mb": [max(memory[part]) / 1e6 for part in (begun, ended)],
        "seconds_a_turn": [sum(seconds[part]) / 100 for part in (begun, ended)],
        "cpu_seconds_a_turn": [sum(work[part]) / 100 for part in (begun, ended)],
        "distinct_4grams": [distinct(answers[part]) for part in (begun, ended)],
        "perplexity_unseen": [first, last],
    }
    print(json.dumps(figures, indent=1))

    def change(name: str) -> float:
        before, after = figures[name]
        return after / before - 1

    assert change("memory_mb") < 0.02
    assert change("cpu_seconds_a_turn") < 0.10  # of the processor: the wall's clock is the machine's
    assert abs(change("distinct_4grams")) < 0.10
    # The sentences are said five times over, and an adapter learns them by heart at the cost of others.
    assert change("perplexity_unseen") < (0.15 if learn else 0.02)
