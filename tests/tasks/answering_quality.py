"""What passages and the adapter are worth to an answer: NLL of the true one, each with and without.

    python -m tests.tasks.answering_quality [COUNT]

Reads the novella with the bundled model, then scores facts.toml's answers (nats a token, mean over questions)
after the prompt of ``ask``: with the passages found or with none, the adapter on or off. Knows what is true
from the data alone.
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

import torch

from longread.config import Memory, Options
from longread.engine.session import Session
from longread.memory.policy import make_policy
from longread.memory.recall import pack, recall
from longread.model.chat import Chat, Message
from longread.store.passages import Passages
from longread.tasks import prompts, reading
from tests.tasks.recall_quality import facts


def ids_for(chat: Chat, question: str, source: str) -> list[int]:
    system, user = prompts.prompt("answer").fill(
        title="The Mud Book", source=source, question=question, language=prompts.language_name("en")
    )
    return chat.ids([Message("system", system), Message("user", user)])


@torch.no_grad()
def nll(session: Session, before: list[int], answer: list[int]) -> float:
    """Nats a token of ``answer`` after ``before``, in a stream of its own."""
    policy = make_policy("sink", session.backbone, window=session.shape.window, sinks=session.shape.sinks)
    ids = torch.tensor(before + answer)
    first = session.shape.sinks
    hidden = []
    for part in (ids[:first], ids[first:]):
        hidden.append(policy.forward(part))
        policy.commit()
    states = torch.cat(hidden)[len(before) - 1 : -1]
    return float(session.backbone.nll(states, ids[len(before) :]).mean())


def main(count: int = 200) -> None:
    with tempfile.TemporaryDirectory() as folder, reading.opened("sample:en", Options(save=False)) as job:
        loaded = reading.load(job)
        chat, shape = Chat(loaded.found.folder, loaded.encoder), reading.shape_of(loaded, job.options)
        with (
            Passages.build(Path(folder) / "index.db", job.document) as passages,
            Session(loaded.backbone, loaded.prefix, shape, Memory()) as session,
        ):
            for _ in reading.read_blocks(job, loaded, session):
                pass
            sums = dict.fromkeys(((p, a) for p in (True, False) for a in (True, False)), 0.0)
            asked = facts()[:count]
            for fact in asked:
                answer = loaded.encoder.encode(" " + fact["answer"])
                bare = ids_for(chat, fact["question"], "")
                room = shape.window - len(bare) - len(answer) - 8
                found = recall(passages, fact["question"], 3).hits
                held = pack(found, room, lambda text: len(loaded.encoder.encode(text)))
                source = "\n".join(f"[{rank}] {' '.join(hit.text.split())}" for rank, hit in held)
                for given, adapter in sums:
                    before = ids_for(chat, fact["question"], source) if given else bare
                    with nullcontext() if adapter else session.lora.off():
                        sums[given, adapter] += nll(session, before, answer) / len(asked)
    for (given, adapter), value in sums.items():
        print(f"passages {'on ' if given else 'off'}  adapter {'on ' if adapter else 'off'}  {value:.3f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
