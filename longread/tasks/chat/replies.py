"""What a chat reports beside the events of other jobs: frozen dataclasses, nothing else.

Knows what they carry. Knows nothing of how they are shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from longread.events import Event


@dataclass(frozen=True)
class Evidence(Event):
    """The passages behind the last answer, as in the JSON of ``ask``."""

    passages: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Facts(Event):
    """Rows of a label and what it stands for."""

    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Export(Event):
    """``text`` is to be written to ``path``, as the user gave it."""

    path: str
    text: str


@dataclass(frozen=True)
class Status:
    """What a status line shows. ``read`` and ``window`` are shares from 0 to 1, ``speed`` tokens a second;
    None where there is nothing to say."""

    title: str
    read: float
    window: float | None
    adapter: bool
    speed: float | None
