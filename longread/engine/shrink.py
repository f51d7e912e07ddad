"""What a session does when memory runs out in the middle of a text.

Knows what can be made smaller and in which order: layers run twice, then a block is read in parts, then the
window is halved. Knows nothing of what a block is read for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from longread.engine.randomness import bring_back, randomness
from longread.errors import ModelError
from longread.model.room import SMALLEST_BLOCK, SMALLEST_WINDOW
from longread.model.shortage import is_shortage, release

if TYPE_CHECKING:
    from longread.engine.session import Session

_HINT = "use a smaller model, a smaller --window, or --no-learn"


class OutOfMemory(ModelError):
    """There was no memory for a block; the session stands as it did before, and ``shrink`` helps it on."""


@contextmanager
def undone(session: Session, tokens: int) -> Iterator[None]:
    """Within the context a part of a block is scored and learned from, or nothing happens at all.

    ``OutOfMemory`` when memory runs out: what was random is undone, and so is a step. ``ModelError``
    where it ran out while the window was being moved, which cannot be undone.
    """
    device, lora, recipe = session.backbone.device, session.lora, session.recipe
    random = randomness(device)
    steps, before = lora.steps if lora else 0, None
    # Of several steps the first may stand when the second fails; the very first one makes AdamW's moments.
    if recipe is not None and (recipe.steps > 1 or not steps):
        before = lora.state()
    short = False
    try:
        yield
    except Exception as error:
        if not is_shortage(error):
            raise
        short = True
    if not short:
        return
    # Not in the handler: there the error's traceback holds every tensor of the pass that failed.
    bring_back(random, device)
    if lora is not None:
        lora.steps = steps
        if before is not None:
            lora.load(before)
    release()
    words = f"memory ran out while {tokens:,} tokens were read in a window of {session.shape.window:,}"
    if session.policy is None or not session.policy.whole:
        raise ModelError(words, _HINT)
    raise OutOfMemory(words, _HINT)


def shrink(session: Session) -> str:
    """Make ``session`` take less memory from now on; returns what was done, in words for the user.

    ``ModelError`` where nothing is left to be made smaller.
    """
    shape, backbone, recipe = session.shape, session.backbone, session.recipe
    if recipe is not None and not backbone.checkpointed:
        backbone.checkpointed = True
        return "memory ran out: from here on each layer runs twice for the gradient, which takes less"
    # What is encoded behind a window for its gradient is as large as the window, however small the block.
    by_window = not session.policy.stateful or (recipe is not None and not recipe.grad)
    part = session.part or shape.block
    if not by_window and part // 2 >= max(1, min(SMALLEST_BLOCK, shape.block // 2)):
        session.part = part // 2
        return f"memory ran out: from here on a block is read in parts of {session.part:,} tokens"
    window = shape.window // 2
    if window < min(SMALLEST_WINDOW, session.widest // 2) or window < 2 * session.policy.sinks + 2:
        raise ModelError(
            f"memory ran out, although a block was read in parts of {part:,} tokens in a window of "
            f"{shape.window:,}",
            _HINT,
        )
    session.narrow(window)
    return f"memory ran out: from here on the window has {window:,} tokens"
