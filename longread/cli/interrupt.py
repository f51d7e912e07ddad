"""Ctrl-C: the first asks the job to stop well, the second stops it.

Knows signals and generators. Knows nothing of what a job does when it is asked.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from ..errors import Interrupted
from ..events import Done, Event, Note

# A terminal that was closed, or a connection that broke, asks too; Windows has no such signal.
_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Stop:
    """Handles SIGINT, SIGTERM and SIGHUP while used as a context manager; ``asked`` after the first, ``last``
    which it was, ``ended`` after the second."""

    def __init__(self, tell: Callable[[], None]) -> None:
        self.asked = self.ended = False
        self.last: int | None = None
        self._tell = tell
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Stop:
        # Only the main thread may set handlers; elsewhere the caller keeps its own.
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                ignored = signal.getsignal(number) == signal.SIG_IGN
                # What is ignored in the background is still asked for by name, but for nohup's signal.
                if not (ignored and number == getattr(signal, "SIGHUP", None)):
                    self._before[number] = signal.signal(number, self._on)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def _on(self, number: int, frame: FrameType | None) -> None:
        self.last = number
        if self.asked:
            self.ended = True
            raise KeyboardInterrupt
        self.asked = True
        # Another thread speaks: this one may be in the middle of writing to the same stream.
        threading.Thread(target=self._tell, daemon=True).start()


def follow(events: Iterator[Event], stop: Stop) -> Iterator[Event]:
    """The job's events. Once the user has asked to stop, the job is told where it stands; at a remark it is
    not: those stand between two pieces of work, or at the end, where there is a result to lose.

    The job may answer with more events, ``Done(partial=True)`` the last of them, or
    let Interrupted pass. However this ends, the generator is closed.
    """
    try:
        asking = True
        event = next(events, None)
        while event is not None:
            yield event
            if asking and stop.asked and not isinstance(event, Note | Done):
                asking = False
                try:
                    event = events.throw(Interrupted("interrupted"))  # type: ignore[attr-defined]
                except StopIteration:
                    return
            else:
                event = next(events, None)
    finally:
        events.close()  # type: ignore[attr-defined]
