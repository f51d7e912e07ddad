"""A model's folder as it is kept: by its whole path.

Knows which names mean a folder. Knows nothing of what is in it (``model.find``).
"""

from __future__ import annotations

from pathlib import Path


def from_anywhere(model: str) -> str:
    """What finds ``model`` wherever one stands: of a folder the whole path, any other name as it is."""
    from ..model.catalog import listed

    entry = listed(model)
    if entry is not None and entry.name == model:
        return model
    try:
        folder = Path(model).expanduser()
        return str(folder.resolve()) if folder.is_dir() else model
    except (OSError, RuntimeError, ValueError):  # too long a name; the home of a user who is not there
        return model
