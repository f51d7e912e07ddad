"""The adapter of a saved reading, for answers in a model's own words.

Knows which tensors of a save are the adapter's, and with which model they may be used. Knows nothing of
questions. With the adapter on, true answers were likelier than with it off, beside passages and without
them (docs/log.md); so a reading that there is is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from longread.store import saves
from longread.store.reading import Reading

if TYPE_CHECKING:
    from torch import Tensor

    from longread.model.load import LoadedModel

_OWN = "session.lora."


def adapter_of(one: Reading | None, loaded: LoadedModel) -> dict[str, Tensor] | None:
    """What ``TempLora.load`` takes: the adapter after the last block that was saved.

    None without a reading, for one that did not learn or has no sound save, and for one of other weights.
    """
    if one is None or one.key.get("weights") != loaded.weights:
        return None
    sound, _ = saves.sound(one.saves)
    tensors = sound[0].tensors() if sound else {}
    own = {name.removeprefix(_OWN): value for name, value in tensors.items() if name.startswith(_OWN)}
    return own or None
