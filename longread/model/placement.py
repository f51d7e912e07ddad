"""Which part of a model lies where, when one device does not hold it.

Knows a model's modules without its weights, and bytes. The embeddings, the last norm and the head lie on the
first card, where a session's own tensors are; the layers fill it and the next ones in order; what is left
waits in the machine's memory and is brought to the first card for its turn. accelerate does the moving.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import nn

from longread.model import compat
from longread.model.fit import Needs


def device_map(model: nn.Module, rooms: Sequence[int], needs: Needs) -> dict[str, int | str]:
    """Module names to card numbers, or to "cpu" for layers that wait; for ``from_pretrained``.

    Parameters
    ----------
    model
        Without weights (``load.outline``).
    rooms
        Free bytes of each card.
    needs
        What a reading takes; ``weights`` says how many bytes a parameter has.
    """
    layers = compat.layers(compat.decoder(model))
    count = {module: sum(p.numel() for p in module.parameters()) for module in (model, *layers)}
    value = needs.weights / max(count[model], 1)
    beside = (needs.cache + needs.adapter) / max(len(layers), 1)
    left = [room - needs.activations for room in rooms]
    left[0] -= int((count[model] - sum(count[layer] for layer in layers)) * value)
    sizes = [(name, count.get(module)) for name, module in _parts(model, "", set(layers))]
    # What waits is at work on the first card, and so are its keys and its adapter: the more waits, the less
    # of the card is left for layers that stay.
    for waiting in range(len(layers) + 1):
        free = [left[0] - int(waiting * beside), *left[1:]]
        found = _filled(free, [(name, n if n is None else n * value + beside) for name, n in sizes])
        if sum(place == "cpu" for place in found.values()) <= waiting:
            break
    return found


def _filled(left: list[int], sizes: Sequence[tuple[str, float | None]]) -> dict[str, int | str]:
    """Layers of so many bytes put where so many are ``left``, in order; what is no layer has no size."""
    found: dict[str, int | str] = {}
    at = 0
    for name, size in sizes:
        if size is None:
            found[name] = 0
            continue
        while at < len(left) and left[at] < size:
            at += 1
        found[name] = at if at < len(left) else "cpu"
        if at < len(left):
            left[at] -= int(size)
    return found


def _parts(module: nn.Module, name: str, layers: set[nn.Module]) -> Iterator[tuple[str, nn.Module]]:
    """The layers, and the largest modules that hold none, by name and in order."""
    for key, child in module.named_children():
        path = f"{name}.{key}" if name else key
        if child in layers or not layers & set(child.modules()):
            yield path, child
        else:
            yield from _parts(child, path, layers)
