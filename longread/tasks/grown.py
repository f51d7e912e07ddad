"""A text that begins with one that was read before: a manuscript that has grown.

Knows how to prove it, by the tokens of the two. Knows nothing of saving.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from longread.reader.blocks import blocks
from longread.store import saves
from longread.store.library import Library
from longread.store.reading import Reading

if TYPE_CHECKING:
    from longread.engine.shape import Shape
    from longread.model.load import LoadedModel
    from longread.tasks.reading import Job


def grown_from(
    job: Job, loaded: LoadedModel, shape: Shape, key: dict[str, Any], library: Library
) -> tuple[Reading, saves.Save] | None:
    """The reading, and its save, that has read the most of this text's beginning; None if there is none.

    Every block that the save has read must be a block of this text: their tokens' digests
    are compared. The tail of the older text is not, which is why the save before it is kept.
    """
    if key["part"] is not None:
        return None
    wanted: dict[int, list[tuple[object, Reading, saves.Save]]] = {}
    for other in library.all():
        same = all(other.key.get(name) == key[name] for name in key if name != "text")
        if other.damage or not same or other.key.get("text") == key["text"]:
            continue
        for save in saves.readable(other.saves):
            wanted.setdefault(save.blocks, []).append((save.record.get("ids"), other, save))
    if not wanted:
        return None
    same_start, digest = [], hashlib.sha256()
    for block in blocks(job.document, loaded.encoder, shape.block, start=job.start, end=job.end):
        digest.update(block.ids.tobytes())
        for ids, other, save in wanted.get(block.index + 1, ()):
            if ids == digest.hexdigest():
                same_start.append((other, save))
        if block.index + 1 >= max(wanted):
            break
    # Proved last, and only these: there may be many books' saves, each as large as an adapter and a window.
    return next(((other, save) for other, save in reversed(same_start) if not save.damage()), None)
