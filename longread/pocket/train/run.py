"""``python -m longread.pocket.train.run --data DIR --out DIR``: train, or go on training.

Knows the order of a step, the schedule, and when to save. The same command goes on where the last one
stopped, was stopped (SIGTERM and Ctrl-C finish the step and save) or was killed; the weights are then those
of an unbroken run, to the last bit on a CPU with as many threads. Imports torch, numpy and safetensors only.

The schedule is warm-up, stable, decay (2405.18392): without ``--tokens`` the rate stays up for ever; with
it the last ``--decay`` tokens bring it down to zero, by the square root of their share that is done, on
the mix and the length of row meant for that. So the end may be chosen late, and tried from any state
that was kept.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import torch

from longread.errors import UsageError
from longread.pocket.train.batches import DECAY, STABLE, Batch, Rows, Share, pieces
from longread.pocket.train.command import command, log
from longread.pocket.train.model import Llama, Shape
from longread.pocket.train.muon import Optimizer, Rates
from longread.pocket.train.state import State

WARM = 100  # steps until the rate is full
AVERAGE = 0.998  # weight of the old in the running average of the weights
Z = 1e-4  # weight of the squared log-partition (PaLM, 2204.02311, section 5)
HELD = (Share("en", 1024, 24), Share("zh", 1024, 4), Share("lessons", 512, 8), Share("pairs", 256, 8))


def rate(step: int, tokens: int, total: int | None, decay: int) -> float:
    """The share of the full rate after ``step`` steps and ``tokens`` tokens."""
    warm = min(1.0, (step + 1) / WARM)
    if total is None or tokens < total - decay:
        return warm
    return warm * (1 - math.sqrt(min(1.0, 1 - (total - tokens) / max(1, decay))))


def _alone() -> None:
    """What a worker's thread is told: one core, and no time lost on numbers next to zero."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)


class Trainer:
    """One run in memory: the model, its optimizer, and the rows that come next."""

    def __init__(
        self,
        shape: Shape,
        rates: Rates,
        rows: Rows,
        *,
        device: str,
        seed: int,
        piece: int,
        scale: int,
        workers: int,
    ) -> None:
        torch.manual_seed(seed)
        self.device, self.piece, self.scale = torch.device(device), piece, scale
        self.rows = rows
        self.model = Llama(shape).to(self.device)
        named = list(self.model.named_parameters())
        self.optimizer = Optimizer(named, rates)
        self.average = {name: weight.detach().clone() for name, weight in named}
        self.step = self.tokens = 0
        self.seconds = 0.0  # of processors, by the processes before this one
        self.longest = 0  # tokens of the longest row yet: the window that the weights have been trained on
        # Threads of one core each wait for one another once a step: on a machine with other work to do that
        # is many times faster than the threads of torch, which meet after every product.
        self.workers = ThreadPoolExecutor(workers, initializer=_alone)

    def advance(self, total: int | None, decay: int) -> dict[str, float]:
        """One step; the loss of each source in nats a token, before it."""
        falling = total is not None and self.tokens >= total - decay
        mix = [Share(s.source, s.length, s.rows * self.scale) for s in (DECAY if falling else STABLE)]
        batches = [self.rows.take(share) for share in mix]
        weights = {batch.source: float(batch.weights.sum()) for batch in batches}
        found = dict.fromkeys(weights, 0.0)
        parts = [part for batch in batches for part in pieces(batch, self.piece)]
        # Summed in order, whoever is done first: the bits do not depend on the number of workers.
        for part, (gradients, nll) in zip(parts, self.workers.map(self._gradients, parts), strict=True):
            for weight, gradient in zip(self.model.parameters(), gradients, strict=True):
                weight.grad = gradient if weight.grad is None else weight.grad.add_(gradient)
            found[part.source] += nll / weights[part.source]
        for weight in self.model.parameters():
            weight.grad /= sum(weights.values())
        scale = rate(self.step, self.tokens, total, decay)
        self.optimizer.step(self.step, scale, spread=self.workers.map)
        self.longest = max(self.longest, *(share.length for share in mix))
        self.step += 1
        self.tokens += sum(share.tokens for share in mix)
        with torch.no_grad():
            old = min(AVERAGE, self.step / (self.step + 10))
            weights = [weight.detach() for _, weight in self.model.named_parameters()]
            torch._foreach_lerp_(list(self.average.values()), weights, 1 - old)
        return found

    def held(self) -> dict[str, float]:
        """The loss on texts that are not learned from, nats a token, by source."""
        found = {}
        for share in HELD:
            batch = self.rows.held(share)
            parts = pieces(batch, self.piece)
            nll = sum(self.workers.map(self._nll, parts))
            found[share.source] = nll / float(batch.weights.sum())
        return found

    @torch.no_grad()
    def _nll(self, part: Batch) -> float:
        return float(self._loss(part)[1])

    def _gradients(self, part: Batch) -> tuple[tuple[torch.Tensor, ...], float]:
        whole, nll = self._loss(part)
        return torch.autograd.grad(whole, list(self.model.parameters())), float(nll)

    def _loss(self, part: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        tensors = (tensor.to(self.device) for tensor in (part.ids, part.targets, part.weights))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            return self.model.loss(*tensors, Z)

    def save(self, state: State, milestone: int | None) -> None:
        """Write down all that the next step depends on."""
        tensors = {f"weights.{name}": weight for name, weight in self.model.named_parameters()}
        tensors |= {f"average.{name}": weight for name, weight in self.average.items()}
        tensors |= self.optimizer.state()
        record = {
            "step": self.step,
            "tokens": self.tokens,
            "longest": self.longest,
            "taken": self.rows.taken,
            "shape": self.model.shape.as_dict(),
            "rates": asdict(self.optimizer.rates),
            "tokenizer_sha256": self.rows.record.get("tokenizer_sha256", ""),
            "cpu_seconds": round(self.seconds + time.process_time()),
        }
        state.save(record, tensors)
        if milestone is not None and self.tokens // milestone > state.milestone:
            state.keep(self.tokens // milestone)

    @torch.no_grad()
    def load(self, record: dict, tensors: dict[str, torch.Tensor]) -> None:
        """Bring back what was saved. ``UsageError`` where sizes or tokenizer are others."""
        if record["shape"] != self.model.shape.as_dict():
            raise UsageError(
                "the saved run has a model of other sizes", "give another --out, or the same sizes"
            )
        known, now = record.get("tokenizer_sha256"), self.rows.record.get("tokenizer_sha256")
        if known and now and known != now:
            raise UsageError(
                "the saved run was made with another tokenizer than the rows in --data",
                "give the rows that it was begun with, or another --out",
            )
        for name, weight in self.model.named_parameters():
            weight.copy_(tensors[f"weights.{name}"])
            self.average[name].copy_(tensors[f"average.{name}"])
        self.optimizer.load(tensors)
        self.step, self.tokens, self.longest = record["step"], record["tokens"], record.get("longest", 512)
        self.rows.taken, self.seconds = dict(record["taken"]), record.get("cpu_seconds", 0)


def train(trainer: Trainer, state: State, options: argparse.Namespace, stopped: Callable[[], bool]) -> bool:
    """Steps until the end, the time given, or ``stopped``; whether the end was reached."""
    began = saved = time.monotonic()
    at, clock = trainer.tokens, began
    while options.tokens is None or trainer.tokens < options.tokens:
        losses = trainer.advance(options.tokens, options.decay)
        now = time.monotonic()
        late = stopped() or (options.hours is not None and now - began > options.hours * 3600)
        if trainer.step % options.log_every == 0:
            speed = (trainer.tokens - at) / (now - clock)
            share = rate(trainer.step, trainer.tokens, options.tokens, options.decay)
            state.note(trainer, losses, {"rate": round(share, 4), "tokens_per_second": round(speed)})
            at, clock = trainer.tokens, now
        if trainer.step % options.held_every == 0:
            state.note(trainer, trainer.held(), {"held": True})
            at, clock = trainer.tokens, time.monotonic()
        if late or now - saved > options.save_every:
            trainer.save(state, options.keep_every)
            saved = time.monotonic()
        if late:
            log.info("stopped after %d steps, %.2f M tokens", trainer.step, trainer.tokens / 1e6)
            return False
    trainer.save(state, options.keep_every)
    state.note(trainer, trainer.held(), {"held": True})
    log.info("done: %d steps, %.2f M tokens", trainer.step, trainer.tokens / 1e6)
    return True


def parser() -> argparse.ArgumentParser:
    """The options, which the experiment with the sinks shares."""
    found = argparse.ArgumentParser(prog="run", description="Train, or go on training.")
    found.add_argument("--data", type=Path, required=True, help="folder that `data` has written")
    found.add_argument("--out", type=Path, required=True, help="folder of the run: saves and log.jsonl")
    found.add_argument("--start", type=Path, help="a kept state of another run to begin with")
    found.add_argument("--tokens", type=lambda text: int(float(text)), help="end after so many in all")
    found.add_argument(
        "--decay", type=lambda text: int(float(text)), default=8_000_000, help="of them at the end"
    )
    found.add_argument("--hours", type=float, help="save and leave after so long")
    found.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    found.add_argument("--compile", action="store_true", help="let torch compile the forward")
    piece = 65_536 if torch.cuda.is_available() else 2048
    found.add_argument("--piece", type=int, default=piece, help="tokens that go through the model at once")
    found.add_argument("--scale", type=int, default=1, help="times 8,192 tokens a step")
    cores = 1 if torch.cuda.is_available() else os.cpu_count() or 1
    found.add_argument("--workers", type=int, default=cores, help="threads, each with pieces of its own")
    found.add_argument("--seed", type=int, default=0)
    found.add_argument("--save-every", type=float, default=300, help="seconds")
    found.add_argument(
        "--keep-every", type=int, default=5_000_000, help="tokens between states that are kept"
    )
    found.add_argument("--log-every", type=int, default=20, help="steps")
    found.add_argument("--held-every", type=int, default=250, help="steps")
    sizes, rates = found.add_argument_group("sizes"), found.add_argument_group("rates")
    for name, value in Shape().as_dict().items():
        sizes.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    for name in ("muon", "adam"):
        rates.add_argument(f"--{name}", type=float, default=getattr(Rates(), name))
    return found


def trainer_of(options: argparse.Namespace, rows: Rows) -> Trainer:
    """A run at its beginning, as ``parser``'s options have it."""
    shape = Shape(**{name: getattr(options, name) for name in Shape().as_dict()})
    given = {name: getattr(options, name) for name in ("device", "seed", "piece", "scale", "workers")}
    return Trainer(shape, Rates(muon=options.muon, adam=options.adam), rows, **given)


@command
def main(arguments: list[str] | None = None) -> None:
    """Train, or go on."""
    options = parser().parse_args(arguments)
    state = State(options.out)
    rows = Rows(options.data, options.seed)
    words = rows.record.get("vocabulary", 0)
    if options.vocabulary < words:
        raise UsageError(
            f"the rows have a vocabulary of {words:,}, the model one of {options.vocabulary:,}",
            f"give --vocabulary {words}",
        )
    trainer = trainer_of(options, rows)
    found = state.newest() or (State.read(options.start) if options.start else None)
    if found:
        trainer.load(*found)
        log.info("going on after %d steps, %.2f M tokens", trainer.step, trainer.tokens / 1e6)
    if options.compile:
        trainer.model.forward = torch.compile(trainer.model.forward, dynamic=False)
    torch.set_num_threads(1)
    signals: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, _: signals.append(got))
    if train(trainer, state, options, lambda: bool(signals)):
        (options.out / "done.json").write_text(json.dumps({"tokens": trainer.tokens}), encoding="utf-8")


if __name__ == "__main__":
    main()
