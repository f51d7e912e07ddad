"""Which listed model suits a machine.

Knows the catalogue and what fits. Loads nothing and shows nothing.
"""

from __future__ import annotations

from typing import Any

from longread.model import room
from longread.model.catalog import Entry, catalogue
from longread.model.machine import Machine


def recommended(machine: Machine) -> str:
    """The listed model for the machine: the one named for its kind, else the largest writer that fits."""
    entries = [e for e in catalogue().values() if e.shape and e.trust.writes]
    named = [e for e in entries if e.best == machine.kind]
    for entry in (*named, *sorted(entries, key=lambda e: -e.parameters)):
        if room.fit(config_of(entry), machine).fits:
            return entry.name
    return "pocket"


def config_of(entry: Entry) -> dict[str, Any]:
    """The figures of a listed model's config.json, as far as the catalogue has them."""
    return {**entry.shape, "max_position_embeddings": entry.window}
