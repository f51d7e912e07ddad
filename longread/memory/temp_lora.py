"""A LoRA that lives as long as the reading does (Temp-LoRA, arXiv 2401.11504).

Knows how to put an adapter into a model, take optimizer steps on it, keep and bring
back its state, and leave the model bit for bit as it was found. Knows nothing of
blocks, windows or when to learn: a recipe does (``memory/recipes``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from longread.model import compat


@dataclass(frozen=True)
class LoraOptions:
    """Shape and optimizer of the adapter.

    ``alpha / rank`` scales the update; ``rate`` is AdamW's, constant after ``warm_up``
    steps that rise linearly from rate / warm_up (never from 0, or the first block would
    teach nothing); ``clip`` bounds the gradient's norm. ``spread`` multiplies PEFT's first A:
    the larger it is, the faster B moves the model in proportion to A (LoRA+, arXiv 2402.12354).
    """

    rank: int = 16
    alpha: float = 16.0
    dropout: float = 0.0
    rate: float = 2e-3
    warm_up: int = 4
    clip: float = 1.0
    spread: float = 1.0
    betas: tuple[float, float] = (0.9, 0.999)
    seed: int = 0


class TempLora:
    """A temporary adapter on every linear layer of a model but its head, kept in float32.

    Use as a context manager: on the way out, whatever happened inside, the model has
    its own modules, flags, modes and attributes back.
    """

    def __init__(self, model: nn.Module, options: LoraOptions) -> None:
        self.model = model
        self.options = options
        self.steps = 0
        self.rate = options.rate

    def __enter__(self) -> TempLora:
        self._before = _Snapshot(self.model)
        options = self.options
        try:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(options.seed)
                self._peft = compat.inject_adapter(
                    self.model,
                    rank=options.rank,
                    alpha=options.alpha,
                    dropout=options.dropout,
                    targets=compat.linear_names(self.model),
                )
            self._peft.eval()
            named = [(n, p) for n, p in self._peft.named_parameters() if p.requires_grad]
            self.parameters = dict(sorted(named))
            with torch.no_grad():
                for name, parameter in self.parameters.items():
                    if ".lora_A." in name and options.spread != 1.0:
                        parameter.mul_(options.spread)
            self._flats = _Flats(list(self.parameters.values()))
            self._optimizer = torch.optim.AdamW(
                self._flats.parts, lr=self.rate, betas=options.betas, weight_decay=0.0, fused=True
            )
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    def _leave(self) -> None:
        compat.remove_adapter(self.model)
        self._before.restore()

    @contextmanager
    def off(self) -> Iterator[None]:
        """Within the context the model computes without the adapter."""
        with compat.adapter_switched_off(self._peft):
            yield

    @contextmanager
    def dropping_out(self) -> Iterator[None]:
        """Within the context the adapter's dropout, and nothing else's, is at work."""
        layers = [m for name, m in self._peft.named_modules() if ".lora_dropout." in name]
        for layer in layers:
            layer.train()
        try:
            yield
        finally:
            for layer in layers:
                layer.eval()

    def step(self, loss: Tensor) -> bool:
        """One AdamW step down ``loss`` (a scalar, nats); False if its gradient was not finite and dropped."""
        for flat in self._flats.parts:
            flat.grad.zero_()  # not set to None: the parameters' gradients are views of it
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self._flats.parts, self.options.clip)
        finite = bool(torch.isfinite(norm))
        if finite:
            self.steps += 1
            for group in self._optimizer.param_groups:
                group["lr"] = self.current_rate
            self._optimizer.step()
        return finite

    @property
    def current_rate(self) -> float:
        """The rate of the latest step, warm-up counted in."""
        return self.rate * min(1.0, max(self.steps, 1) / max(self.options.warm_up, 1))

    def state(self) -> dict[str, Tensor]:
        """Adapter and optimizer as tensors by name, each flat and in the order of ``parameters``; a copy."""
        found = {"steps": torch.tensor(self.steps), "rate": torch.tensor(self.rate, dtype=torch.float64)}
        found["weight"] = self._flats.joined([flat.detach() for flat in self._flats.parts])
        moments = [self._optimizer.state.get(flat, {}) for flat in self._flats.parts]
        return found | {f"adam.{key}": self._flats.joined([m[key] for m in moments]) for key in moments[0]}

    def load(self, state: dict[str, Tensor]) -> None:
        """Take up a ``state`` of an adapter of the same shape on the same model."""
        self.steps, self.rate = int(state["steps"]), float(state["rate"])
        with torch.no_grad():
            for flat, part in zip(self._flats.parts, self._flats.parted(state["weight"]), strict=True):
                flat.copy_(part)
        moments = {k.removeprefix("adam."): v for k, v in state.items() if k.startswith("adam.")}
        self._optimizer.state.clear()
        for name, value in moments.items():
            for flat, part in zip(self._flats.parts, self._flats.parted(value), strict=True):
                self._optimizer.state[flat][name] = part

    def sha256(self) -> str:
        """Of the adapter's tensors, float32 little-endian, in sorted order of name."""
        import hashlib

        return hashlib.sha256(self.state()["weight"].cpu().numpy().astype("<f4").tobytes()).hexdigest()


class _Flats:
    """One parameter for each device, of which the given ones, and their gradients, become views.

    A step then costs a handful of operations whatever the number of layers, where clipping
    and AdamW over a hundred small matrices are a few per cent of a small model's block.
    """

    def __init__(self, parameters: list[nn.Parameter]) -> None:
        groups: dict[object, list[nn.Parameter]] = {}
        self._places: list[tuple[int, slice]] = []  # of each parameter: which part, and where in it
        ends: list[int] = []
        for parameter in parameters:
            group = groups.setdefault(_device_of(parameter), [])
            number = list(groups).index(_device_of(parameter))
            if not group:
                ends.append(0)
            self._places.append((number, slice(ends[number], ends[number] + parameter.numel())))
            ends[number] += parameter.numel()
            group.append(parameter)
        self.parts = [
            nn.Parameter(torch.cat([p.detach().reshape(-1) for p in group])) for group in groups.values()
        ]
        for flat in self.parts:
            flat.grad = torch.zeros_like(flat)
        for parameter, (number, place) in zip(parameters, self._places, strict=True):
            flat = self.parts[number]
            parameter.data = flat.detach()[place].view(parameter.shape)
            parameter.grad = flat.grad[place].view(parameter.shape)

    def joined(self, parts: list[Tensor]) -> Tensor:
        """One tensor in the order of the parameters, from one for each device; a copy."""
        if len(parts) == 1 or parts[0].ndim == 0:  # a count of steps is the same everywhere
            return parts[0].clone()
        return torch.cat([parts[number][place].to(parts[0].device) for number, place in self._places])

    def parted(self, joined: Tensor) -> list[Tensor]:
        """The reverse of ``joined``."""
        if len(self.parts) == 1 or joined.ndim == 0:
            return [joined.to(flat.device, copy=True) for flat in self.parts]
        parts = [torch.empty_like(flat, requires_grad=False) for flat in self.parts]
        at = 0
        for number, place in self._places:
            size = place.stop - place.start
            parts[number][place] = joined[at : at + size].to(parts[number].device)
            at += size
        return parts


def _device_of(parameter: nn.Parameter) -> object:
    return parameter.device


class _Snapshot:
    """Modes, flags and attributes of a model that PEFT may touch; the weights it never does."""

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._modes = [(m, m.training) for m in model.modules()]
        self._flags = [(p, p.requires_grad, p.grad) for p in model.parameters()]
        self._attributes = [(m, set(vars(m))) for m in model.modules()]

    def restore(self) -> None:
        for module, names in self._attributes:
            for name in set(vars(module)) - names:
                delattr(module, name)
        for module, training in self._modes:
            module.training = training
        for parameter, wanted, gradient in self._flags:
            parameter.requires_grad_(wanted)
            parameter.grad = gradient
