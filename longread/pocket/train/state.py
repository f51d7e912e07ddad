"""A run on disk: saves that survive a kill, states kept for good, and the log.

Knows folders and names. Knows nothing of what the tensors mean.

    OUT/saves/<number>/   state.json, state.safetensors: the last two
        kept/<number>/    the same, one each so many tokens: a decay may begin at any of them
        log.jsonl         one object every few steps
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from longread.errors import InputError
from longread.pocket.train.command import log
from longread.store import saves

Tensors = dict[str, Any]


class State:
    """The folder of a run, made where there is none."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._newest: Path | None = None

    @property
    def milestone(self) -> int:
        """The highest number kept; 0 for none."""
        return max((int(path.name) for path in (self.folder / "kept").glob("[0-9]*")), default=0)

    def save(self, record: Mapping[str, Any], tensors: Mapping[str, Any]) -> None:
        """A new current save: whole or not at all, whenever the process is killed."""
        # A save counts what was done in blocks; a step is a run's block.
        whole = {**record, "blocks": record["step"]}
        self._newest = saves.write(self.folder / "saves", whole, tensors).folder

    def keep(self, number: int) -> None:
        """Keep the save just written for good, as ``kept/NUMBER``."""
        assert self._newest is not None
        place = self.folder / "kept" / f"{number:04d}"
        spare = place.with_name(f".{place.name}.{os.getpid()}")
        shutil.copytree(self._newest, spare)
        os.rename(spare, place)

    def newest(self) -> tuple[dict[str, Any], Tensors] | None:
        """Record and tensors of the last sound save; None where nothing was saved."""
        found, faults = saves.sound(self.folder / "saves")
        for fault in faults:
            log.warning("a save is damaged and left out: %s", fault)
        if not found:
            return None
        self._newest = found[0].folder
        return found[0].record, found[0].tensors()

    @staticmethod
    def read(folder: Path) -> tuple[dict[str, Any], Tensors]:
        """Record and tensors of a kept state. ``InputError`` where it is none."""
        save, why = saves.read(folder)
        if why := why or save.damage():
            raise InputError(f"{folder} holds no state: {why}", "give a folder below saves/ or kept/")
        return save.record, save.tensors()

    def note(self, trainer: Any, losses: Mapping[str, float], more: Mapping[str, Any]) -> None:
        """One line in log.jsonl and on stderr."""
        line = {"step": trainer.step, "tokens": trainer.tokens, **more}
        line |= {name: round(value, 4) for name, value in losses.items()}
        with open(self.folder / "log.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        log.info("%s", "  ".join(f"{key} {value}" for key, value in line.items()))
