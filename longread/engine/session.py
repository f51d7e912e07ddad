"""The block loop, and the only place that fixes its order.

Knows a model, a KV policy, an adapter and a recipe, and in which order a block meets
them: make room, score, learn, keep, report. Knows token ids only: no text, no files,
no task.
"""

from __future__ import annotations

import time
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field, replace

import torch
from longread_kernels import dispatch
from torch import Tensor

from longread.config import Memory
from longread.engine.randomness import bring_back, cards, randomness
from longread.engine.shape import Shape
from longread.engine.shrink import undone
from longread.errors import ModelError
from longread.events import BlockRead, Event, Note
from longread.memory.policy import KVPolicy, framed, make_policy
from longread.memory.recipes import Recipe, Scored, recipe_class
from longread.memory.temp_lora import LoraOptions, TempLora
from longread.memory.watch import Watch
from longread.model.backbone import Backbone
from longread.reader.document import Block


@dataclass(frozen=True)
class _Read:
    """A part of a block after it was read: ``hidden`` [n, width], ``nll`` [n], and what came of it."""

    hidden: Tensor
    nll: Tensor
    learned: bool
    without: float | None
    skipped: bool


@dataclass
class _Work:
    """A block that is being read: what is left of it, what was read, what the sinks took."""

    block: Block
    left: Tensor
    learns: bool
    opening: tuple[Tensor, Tensor] | None
    seconds: float
    read: list[_Read] = field(default_factory=list)


class Session:
    """A stream of blocks through one model.

    Parameters
    ----------
    backbone
        The model; must not be attached yet.
    prefix
        Token ids that begin the stream before any text (sink, BOS, the template's head).
    shape
        Block, window and sinks.
    memory
        Learning options; ``memory.learn`` False reads with the model alone.
    policy
        Name of the KV policy; the probe's verdict may turn "sink" into "recompute".
    keep_hidden
        Whether the events carry the block's hidden states (float32 [tokens, width]).

    Use as a context manager: afterwards the model is bit for bit what it was.
    """

    def __init__(
        self,
        backbone: Backbone,
        prefix: list[int],
        shape: Shape,
        memory: Memory,
        *,
        policy: str = "sink",
        seed: int = 0,
        keep_hidden: bool = False,
    ) -> None:
        self.backbone = backbone
        self.shape = shape
        self.memory = memory
        self.lora: TempLora | None = None
        self.recipe: Recipe | None = None
        self.policy: KVPolicy | None = None
        self._policy_name = policy if backbone.stateful else "recompute"
        self._prefix = torch.tensor(prefix, dtype=torch.int64, device=backbone.device)
        self._seed = seed
        self.keep_hidden = keep_hidden
        self._last: Tensor | None = None  # [1, width]: what predicts the next token
        self._first = self._previous = self._prefix[:0]  # the sinks, and the last W - S tokens behind them
        self.part: int | None = None  # a block is read in parts of so many tokens; None for whole
        self.widest = shape.window
        self._work: _Work | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Session:
        with ExitStack() as stack:
            stack.enter_context(self.backbone.attached())
            stack.enter_context(torch.random.fork_rng(devices=cards(self.backbone.device)))
            torch.manual_seed(self._seed)
            if self.memory.learn:
                recipe = recipe_class(self.memory.recipe)
                rate = self.memory.rate or recipe.rate
                options = LoraOptions(
                    rank=self.memory.rank, alpha=self.memory.rank, rate=rate, seed=self._seed
                )
                self.lora = stack.enter_context(TempLora(self.backbone.model, recipe.defaults(options)))
                self.watch = Watch(self.lora)
                self._recipe_class = recipe
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.__exit__(*error)

    def step(self, block: Block) -> list[Event]:
        """Read one block: its score was measured before anything was learned from it.

        Returns what happened, ``BlockRead`` last. ``OutOfMemory`` where there is no memory for
        it: after a ``shrink`` the same block may be given again, and goes on where it stopped.
        """
        if self._work is None or self._work.block is not block:
            self._work = self._begun(block)
        work = self._work
        began = time.perf_counter()
        try:
            while len(work.left):
                count = -(-len(work.left) // (self.part or len(work.left)))
                part = work.left[: -(-len(work.left) // count)]
                work.read.append(self._read(part, work))
                work.left = work.left[len(part) :]
        finally:
            work.seconds += time.perf_counter() - began
        self._work = None
        return self._reported(work)

    def _begun(self, block: Block) -> _Work:
        """The block's tokens, less those that the sinks took of it if it is the first."""
        began = time.perf_counter()
        ids = torch.from_numpy(block.ids).to(self.backbone.device)
        opening = self._open(ids) if self.policy is None else None
        rest = ids if opening is None else ids[len(opening[1]) :]
        learns = self.recipe is not None and 4 * len(rest) >= self.shape.block and len(rest) > 1
        seconds = time.perf_counter() - began
        return _Work(block, rest, learns, opening if opening and len(opening[1]) else None, seconds)

    def _read(self, ids: Tensor, work: _Work) -> _Read:
        """A block, or a part of one: scored, learned from, kept. After ``OutOfMemory`` none of it was; where
        memory runs out in the pass that only makes keys without the adapter, the error is torch's own."""
        learns = work.learns and len(ids) > 1
        learned, without = False, None
        with undone(self, len(ids)):
            room = self.shape.window - len(self._first)
            if learns and self.watch.due(work.block.index) and len(ids) <= room:
                without = self._score_without(ids)
            with torch.set_grad_enabled(learns and self.recipe.grad):  # score
                hidden = self.policy.forward(ids)
                nll = self._nll(hidden, ids)
            unknown = 1 if self._last is None else 0  # nothing predicts a stream's very first token
            if bool(torch.isnan(nll[unknown:]).any()):
                raise ModelError(
                    f"block {work.block.index + 1}: the model's scores are not numbers",
                    "use --no-learn or a smaller --lr, or another model"
                    if self.backbone.dtype == torch.float32
                    else "use --dtype float32",
                )
            if learns:  # learn
                with torch.enable_grad():
                    learned = self.recipe.learn(Scored(ids, nll))
            hidden, nll = hidden.detach(), nll.detach()
        self._keep(ids)
        self._last, self._previous = hidden[-1:], torch.cat((self._previous, ids))[-room:]
        return _Read(hidden, nll, learned, without, skipped=learns and not learned)

    def _reported(self, work: _Work) -> list[Event]:
        """What happened to a block, in its parts' order."""
        block, parts, events = work.block, work.read, []
        learned = any(part.learned for part in parts)
        if any(part.skipped for part in parts):
            events.append(Note(f"block {block.index + 1}: a gradient was not finite; its step was skipped"))
        pieces = [(part.hidden, part.nll) for part in parts]
        if work.opening is not None:
            pieces.insert(0, work.opening)
        hidden = torch.cat([piece for piece, _ in pieces]) if pieces else None
        nll = torch.cat([piece for _, piece in pieces]) if pieces else torch.zeros(0)
        compared = [part for part in parts if part.without is not None]
        without = sum(part.without for part in compared) if compared else None
        counted = sum(len(part.nll) - 1 for part in compared)
        if without is not None:
            with_adapter = sum(float(part.nll[1:].sum()) for part in compared)
            verdict = self.watch.judge(with_adapter, without, counted)
            if verdict:
                events.append(Note(verdict, "warning"))
        measured = nll[~torch.isnan(nll)]
        report = BlockRead(
            index=block.index,
            tokens=len(measured),
            nll=float(measured.cpu().double().sum()),  # not every device has float64
            share=block.share,
            seconds=work.seconds,
            learned=learned,
            rate=self.lora.current_rate if learned else 0.0,
            # Each part left its first token out, the block as a whole would have left out one.
            nll_without=None if without is None else without * ((len(measured) - 1) / counted),
            chapter=block.chapter,
            token_nll=nll.float().cpu().numpy(),
            hidden=hidden.float().cpu().numpy() if self.keep_hidden and hidden is not None else None,
            block=block,
        )
        events += [Note(text, "warning") for text in dispatch.news()]
        return [*events, report]

    @property
    def between_blocks(self) -> bool:
        """Whether no block is half read: only then does ``state`` hold all that was done."""
        return self._work is None or not self._work.read

    def narrow(self, window: int) -> None:
        """Go on with a smaller window (tokens)."""
        self.policy.narrow(window)
        self.shape = replace(self.shape, window=window)
        if not self.policy.stateful:
            self.part = min(self.part or self.shape.block, max(1, window // 4))

    @property
    def first(self) -> Tensor:
        """Ids [sinks] of the stream's sinks; empty before the first block."""
        return self._first

    @property
    def last(self) -> Tensor | None:
        """The hidden state [1, width] after the last token read; None before the first block."""
        return self._last

    def state(self) -> dict[str, Tensor]:
        """All that the next block depends on, as tensors by name; empty before the first block."""
        if self.policy is None:
            return {}
        found = {"first": self._first, "previous": self._previous, **randomness(self.backbone.device)}
        if self._last is not None:
            found["last"] = self._last
        parts = {"kv": self.policy, "recipe": self.recipe}
        if self.lora is not None:
            parts |= {"lora": self.lora, "watch": self.watch}
        for name, part in parts.items():
            if part is not None:
                found |= {f"{name}.{key}": value for key, value in part.state().items()}
        if self.part or self.shape.window < self.widest:
            found["shrunk"] = torch.tensor([self.part or 0, self.shape.window])
        return found

    def load(self, state: dict[str, Tensor]) -> None:
        """Take up a ``state`` of a session of the same model, shape and memory: the next block goes on
        exactly as there (bit for bit on a CPU with as many threads)."""
        device = self.backbone.device

        def part(prefix: str) -> dict[str, Tensor]:
            head = prefix + "."
            found = {k.removeprefix(head): v for k, v in state.items() if k.startswith(head)}
            return {k: v.to(device) if v.ndim else v for k, v in found.items()}  # numbers are the CPU's

        self._first, self._previous = state["first"].to(device), state["previous"].to(device)
        self._last = state["last"].to(device) if "last" in state else None
        bring_back(state, device)
        if "shrunk" in state:
            self.part, window = (value or None for value in state["shrunk"].tolist())
            self.shape = replace(self.shape, window=window)
        self.policy = self._new_policy()
        self.policy.load(part("kv"))
        if self.lora is not None:
            self.lora.load(part("lora"))
            self.watch.load(part("watch"))
            self.recipe = self._recipe_class(self.lora, self.policy)
            self.recipe.load(part("recipe"))

    def _new_policy(self) -> KVPolicy:
        sinks = len(self._first)
        return make_policy(self._policy_name, self.backbone, window=self.shape.window, sinks=sinks)

    def _open(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Begin the stream: sinks without the adapter, then the rest of the prefix.

        The sinks are the prefix and, if it is too short, the text's first tokens, which
        are scored and never learned. Returns those tokens' hidden states [k, width] and
        NLL [k], which is NaN for a token that nothing precedes.
        """
        wanted = self.shape.sinks
        borrowed = ids[: max(0, wanted - len(self._prefix))]
        head = torch.cat((self._prefix, borrowed))
        sinks = min(wanted, len(head))
        self._first = head[:sinks]
        self.policy = self._new_policy()
        if self.lora is not None:
            self.recipe = self._recipe_class(self.lora, self.policy)
        hidden = []
        with torch.no_grad(), ExitStack() as stack:
            if self.lora is not None:
                stack.enter_context(self.lora.off())
            for part in (head[:sinks], head[sinks:]):
                if len(part):
                    hidden.append(self.policy.forward(part))
                    self.policy.commit()
                    if self.recipe is not None:
                        self.recipe.kept(part)
            if not hidden:
                nothing = torch.zeros(0, device=head.device)
                return nothing, nothing
            states = torch.cat(hidden)
            self._last = states[-1:]
            mine = states[len(self._prefix) :]
            if not len(borrowed):
                return mine, torch.zeros(0, device=head.device)
            before = states[max(0, len(self._prefix) - 1) : -1]
            nll = self.backbone.nll(before, borrowed[-len(before) :]) if len(before) else states.new_zeros(0)
            unknown = nll.new_full((len(borrowed) - len(nll),), float("nan"))
            return mine, torch.cat((unknown, nll))

    def _nll(self, hidden: Tensor, ids: Tensor) -> Tensor:
        """NLL [n] of the block, each token from the state before it; NaN for a stream's very first token."""
        if self._last is None:
            first = hidden.new_full((1,), float("nan"), dtype=torch.float32)
            return torch.cat((first, self.backbone.nll(hidden[:-1], ids[1:])))
        return self.backbone.nll(torch.cat((self._last, hidden[:-1])), ids)

    def _score_without(self, ids: Tensor) -> float:
        """Sum of NLL over the block but its first token, read by the model alone.

        On keys of its own, of the sinks and as much before the block as the window holds with it: the
        kept keys were made with the adapter, and a model reading a ruined adapter's keys is no yardstick.
        """
        whole = framed(self._first, self._previous, ids, self.shape.window)
        with torch.no_grad(), self.lora.off():
            hidden = self.backbone.hidden(whole)[-len(ids) :]
            return float(self.backbone.nll(hidden[:-1], ids[1:]).cpu().double().sum())

    def _keep(self, ids: Tensor) -> None:
        without = self.lora is not None and not self.memory.reading_adapter
        with torch.no_grad(), self.lora.off() if without else nullcontext():
            if without:
                self.policy.forward(ids)
            self.policy.commit()
            if self.recipe is not None:
                self.recipe.kept(ids)


def without_learning(memory: Memory) -> Memory:
    """The same options with the adapter left out."""
    return replace(memory, learn=False)
