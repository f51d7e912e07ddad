"""Where the program keeps things: settings, readings, cache.

Knows ``LONGREAD_HOME`` and each system's own folders. Knows nothing of what is kept.
"""

from __future__ import annotations

import os
from pathlib import Path


def _home() -> Path | None:
    home = os.environ.get("LONGREAD_HOME")
    return Path(os.path.expanduser(home)) if home else None  # unlike Path's, it raises nothing


def config_file() -> Path:
    """The user's ``config.toml``; it need not exist."""
    import platformdirs

    home = _home()
    return (home or Path(platformdirs.user_config_dir("longread", appauthor=False))) / "config.toml"


def data_dir() -> Path:
    """What the user would miss: readings, chats, what was written where."""
    import platformdirs

    return _home() or Path(platformdirs.user_data_dir("longread", appauthor=False))


def cache_dir() -> Path:
    """What can be made again: verdicts on models, measured speeds, crash reports."""
    import platformdirs

    home = _home()
    return home / "cache" if home else Path(platformdirs.user_cache_dir("longread", appauthor=False))


def private_dir(path: Path) -> Path:
    """``path``, made if need be, with what is missing above it; what is made is its owner's alone."""
    if not path.parent.exists():
        private_dir(path.parent)
    path.mkdir(exist_ok=True, mode=0o700)
    return path
