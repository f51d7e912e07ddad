"""The adapter learns from translations that passed, after each block, loss on the answers only.

Knows an adapter, a watch over it, and how both are kept on disk. Knows nothing of what
was said: a ``Lesson`` is ids and spans.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from longread.events import Note
from longread.store import files, saves
from longread.tasks.translate.conversation import Lesson

if TYPE_CHECKING:
    from longread.engine.session import Session

EVERY = 8  # lessons between two saves; those since the last are learned again on resuming


class Pupil:
    """Takes one optimizer step a lesson, in an open ``session`` with an adapter.

    ``folder`` is where the adapter is saved, None for nowhere. What a lesson teaches
    follows from the lessons before alone, so that one may be taken again after a kill.
    """

    def __init__(self, session: Session, folder: Path | None) -> None:
        self._session = session
        self._folder = folder
        self._count = 0  # lessons that were given
        self._taken = 0  # lessons that are in the adapter
        self.tokens = 0

    def resume(self) -> None:
        """Take up the newest sound save; the lessons that it holds are then passed over."""
        found, _ = saves.sound(self._folder) if self._folder is not None else ([], [])
        if found:
            tensors, part = found[0].tensors(), {}
            for name, tensor in tensors.items():
                kind, _, key = name.partition(".")
                part.setdefault(kind, {})[key] = tensor
            self._session.lora.load(part["lora"])
            self._session.watch.load(part["watch"])
            self._taken = found[0].blocks

    def restart(self) -> None:
        """Begin without what was saved, for good: no later run takes it up either."""
        if self._folder is None or not self._folder.exists():
            return
        try:
            shutil.rmtree(self._folder)
        except OSError as error:
            raise files.unwritable(self._folder, error) from error

    def learn(self, lesson: Lesson) -> Iterator[Note]:
        """One step, unless a save holds it already; what the user should know of it."""
        self._count += 1
        if self._count <= self._taken or not lesson.answers:
            return
        import torch

        from longread.model.shortage import is_shortage, release

        session = self._session
        device = session.backbone.device
        ids = torch.tensor(lesson.ids, dtype=torch.int64, device=device)
        spans = [torch.arange(start, end, device=device) for start, end in lesson.answers]
        targets = torch.cat(spans)
        without = finite = None
        try:
            if session.watch.due(self._count - 1):
                with torch.no_grad(), session.lora.off():
                    without = float(self._nll(ids, targets).sum())
            with torch.enable_grad():
                nll = self._nll(ids, targets)
                finite = session.lora.step(nll.mean())
        except Exception as error:
            if not is_shortage(error):
                raise
        self._taken = self._count
        if finite is None:
            release()  # not in the handler: there the error's traceback holds the pass that failed
            yield Note(f"lesson {self._count}: there was no memory to learn it; it was left out", "warning")
            return
        self.tokens += len(targets)
        if not finite:
            yield Note(f"lesson {self._count}: a gradient was not finite; its step was skipped")
        if without is not None:
            warning = session.watch.judge(float(nll.detach().sum()), without, len(targets))
            if warning:
                yield Note(warning, "warning")
        if self._count % EVERY == 0:
            self._save()

    def _nll(self, ids, targets):
        """NLL [n] of the tokens at ``targets`` [n], each from the state before it."""
        backbone = self._session.backbone
        hidden = backbone.hidden(ids)
        return backbone.nll(hidden[targets - 1], ids[targets])

    def _save(self) -> None:
        if self._folder is None:
            return
        session = self._session
        tensors = {f"lora.{name}": value for name, value in session.lora.state().items()}
        tensors |= {f"watch.{name}": value for name, value in session.watch.state().items()}
        try:
            saves.write(self._folder, {"blocks": self._count}, tensors)
        except OSError as error:
            raise files.unwritable(self._folder, error) from error
