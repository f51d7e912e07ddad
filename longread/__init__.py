"""Read a book-length text with a local model: summarize it, ask it, write it on, score it.

    import longread
    result = longread.summarize("novel.txt", length="short")

Knows the public names and loads each when it is first used; ``import longread`` itself
loads neither torch nor the terminal program.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .errors import LongreadError as LongreadError
    from .jobs import ask as ask
    from .jobs import continue_ as continue_
    from .jobs import read as read
    from .jobs import score as score
    from .jobs import stream as stream
    from .jobs import summarize as summarize
    from .jobs import translate as translate

    __version__: str

_HOME = {"LongreadError": "errors"} | dict.fromkeys(
    ("ask", "continue_", "read", "score", "stream", "summarize", "translate"), "jobs"
)

__all__ = [
    "LongreadError",
    "__version__",
    "ask",
    "continue_",
    "read",
    "score",
    "stream",
    "summarize",
    "translate",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value: Any = _version()
    elif name in _HOME:
        value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    """The installed version; that of the source where it runs from a checkout that is not installed."""
    from importlib import metadata

    try:
        return metadata.version("longread")
    except metadata.PackageNotFoundError:
        return "0.1.0"
