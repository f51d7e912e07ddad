"""What is left of an error that nobody foresaw: a report that can be shown to others.

Knows where the code stood. Leaves out every message and value, since either may hold
a piece of the book.
"""

from __future__ import annotations

import os
import platform
import sys
import time
import traceback
from pathlib import Path

from ..errors import LongreadError
from ..places import cache_dir, private_dir


def foreseen(error: BaseException, verbose: bool, how: str = "--verbose") -> LongreadError:
    """``error`` as one that the user can be told: itself, or the path of a report on it, and ``how`` to see
    the traceback."""
    if isinstance(error, LongreadError):
        return error
    if _is_shortage(error):
        return LongreadError(
            "there is not enough memory", "try a smaller --window or --block, or a smaller --model"
        )
    try:
        hint = f"{_write(error)} holds a report without any text of the book"
    except Exception:  # whatever went wrong may be in its way too
        hint = "no report could be written"
    if not verbose:
        hint += f"; {how} shows the traceback"
    return LongreadError(f"longread itself went wrong: {type(error).__name__}", hint)


def _is_shortage(error: BaseException) -> bool:
    """Whether there was no memory left; what torch says of it is known where torch is there anyway."""
    if hasattr(sys.modules.get("torch"), "OutOfMemoryError"):  # it may have been loaded by half
        from ..model.shortage import is_shortage

        return is_shortage(error)
    return isinstance(error, MemoryError)


def _write(error: BaseException) -> Path:
    folder = private_dir(cache_dir() / "reports")
    path = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(report(error))
    return path


def report(error: BaseException) -> str:
    """Versions, then for each error in the chain its type and the lines of code it passed through."""
    from longread import __version__

    system = f"{platform.system()} {platform.machine()}"
    out = [f"longread {__version__}, Python {platform.python_version()}, {system}"]
    for name in ("torch", "transformers", "peft"):
        if name in sys.modules:
            out.append(f"{name} {getattr(sys.modules[name], '__version__', '?')}")
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        out.append(f"\n{type(link).__module__}.{type(link).__qualname__}")
        for frame in traceback.extract_tb(link.__traceback__):
            out.append(f"  {frame.filename}:{frame.lineno} in {frame.name}\n    {frame.line or ''}")
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return "\n".join(out) + "\n"
