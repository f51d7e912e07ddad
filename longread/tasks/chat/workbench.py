"""The model while a chat lasts: loaded when first needed, with or without its adapter.

Knows how to put the adapter aside and take it up again, and how far a book has been
read with it. Knows nothing of what is said. torch is loaded with the model.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

from longread.config import Options
from longread.events import Event, Loaded, Note
from longread.tasks import reading
from longread.tasks.gather import gatherer_for
from longread.tasks.keep import Keeper

if TYPE_CHECKING:
    from torch import Tensor

    from longread.engine.session import Session
    from longread.model.load import LoadedModel

_TAIL = 40_000  # characters that hold a window of any size


class Workbench:
    """Holds a model, its session and its adapter. Close it, and the model is what it was.

    ``learning`` says whether the adapter is in place; ``read_to`` is the character up to
    which the book was read with it.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self.loaded: LoadedModel | None = None
        self.learning = False
        self.read_to: int | None = None
        self._session: Session | None = None
        self._adapter: dict[str, Tensor] | None = None

    def load(self) -> Iterator[Event]:
        """The model, if it is not there yet; ``Loaded`` when it is. ``ModelError`` where it cannot be."""
        if self.loaded is not None:
            return
        from longread.memory.policy import make_policy
        from longread.model.load import load_model

        began, options = time.perf_counter(), self.options
        self.loaded = loaded = load_model(
            options.model, make_policy, device=options.device, dtype=options.dtype, memory=options.memory
        )
        yield Loaded(
            model=loaded.name,
            parameters=loaded.parameters,
            device=str(loaded.backbone.device),
            dtype=loaded.dtype,
            policy="sink" if loaded.backbone.stateful else "recompute",
            trust=loaded.trust.says,
            seconds=time.perf_counter() - began,
        )
        if loaded.fit_says:
            yield Note(loaded.fit_says, "warning")

    def session(self) -> Session:
        """The model attached, the adapter in place if it is learning. It must have been loaded."""
        if self._session is None:
            from longread.engine.session import Session
            from longread.engine.shape import shape_for
            from longread.memory.watch import Watch

            assert self.loaded is not None
            memory = dataclasses.replace(self.options.memory, learn=self.learning)
            shape = shape_for(
                self.loaded.backbone,
                memory,
                len(self.loaded.prefix),
                learned_sink=self.loaded.learned_sink,
            )
            session = Session(self.loaded.backbone, self.loaded.prefix, shape, memory, seed=self.options.seed)
            session.__enter__()
            if session.lora is not None and self._adapter is not None:
                session.lora.load(self._adapter)
                session.watch = Watch(session.lora)
            self._session = session
        return self._session

    def close(self) -> None:
        """Take the adapter out, keeping what it has learned, and give the model back."""
        session, self._session = self._session, None
        if session is not None:
            if session.lora is not None:
                self._adapter = session.lora.state()
            session.__exit__(None, None, None)

    def learn(self, wanted: bool) -> None:
        """Whether the adapter is in place from now on."""
        if wanted != self.learning:
            self.close()
            self.learning = wanted

    def forget(self) -> None:
        """Another book, or another model: nothing has been learned."""
        self.close()
        self._adapter, self.read_to, self.learning = None, None, False

    def share(self, job: reading.Job) -> float:
        """How much of the book was read with the adapter, 0 to 1."""
        if self.read_to is None:
            return 0.0
        return (self.read_to - job.start) / max(job.characters, 1)

    @property
    def untaught(self) -> bool:
        """Whether the adapter is still what a book's reading begins with: nothing has taught it yet."""
        if self.read_to is not None:
            return False
        session = self._session
        if session is not None and session.lora is not None:
            return session.lora.steps == 0 and session.policy is None
        return self._adapter is None or int(self._adapter["steps"]) == 0

    def rest(self, job: reading.Job) -> reading.Job:
        """What has not been read of ``job``, to be learned."""
        start = job.start if self.read_to is None else self.read_to
        memory = dataclasses.replace(self.options.memory, learn=True)
        options = dataclasses.replace(self.options, memory=memory)
        return reading.Job(job.document, options, start, job.end, job.source)

    def read(self, job: reading.Job) -> Iterator[Event]:
        """Read the book on from where the last reading stopped, as ``longread read`` does, and keep learning.

        While the adapter is ``untaught`` the book's saved reading is taken up, and what is read is
        saved in it. Later not: the adapter may have learned from the conversation too. However it
        ends, what was read stays learned.
        """
        assert self.loaded is not None
        with ExitStack() as stack:
            keeper, rest = None, self.rest(job)
            if self.options.save and self.untaught:
                shape = reading.shape_of(self.loaded, rest.options)
                gatherer = gatherer_for(rest, self.loaded, hold=False)
                keeper = stack.enter_context(Keeper(rest, self.loaded, shape, gatherer))
            self.learn(True)  # not before: another process may be writing that reading
            session = self.session()
            if keeper is not None:
                session.keep_hidden = True
                stack.callback(setattr, session, "keep_hidden", False)
            try:
                yield from reading.read_blocks(rest, self.loaded, session, keeper=keeper)
                self.read_to = rest.end
            except BaseException:
                if rest.tally.share:
                    self.read_to = rest.start + round(rest.tally.share * job.document.characters)
                raise

    def tail(self, job: reading.Job) -> str:
        """The text that the model goes on from: what was read last, else the end of the book."""
        end = job.end if self.read_to is None else self.read_to
        text = "".join(job.document.text(max(job.start, end - _TAIL), end))
        return text if end < job.end else text.rstrip() + "\n\n"
