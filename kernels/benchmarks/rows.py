"""A row of the table: its figures, or why there are none.

Knows ``dispatch``, which puts a reference in the place of a kernel that fails: such a row says so, and
does not show the reference's time under the kernel's name.
"""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

from longread_kernels import dispatch

Row = dict[str, Any]


def measured(row: Row, **figures: Callable[[], float]) -> Row:
    """``row`` and each of ``figures``, taken in their order until one of them cannot be."""
    row = dict(row)
    for name, take in figures.items():
        dispatch.failed.clear()  # what failed at one shape is tried anew at another
        before = dispatch.taken.copy()
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            value, why = None, None
            try:
                value = take()
            except Exception as error:
                # Why it refuses a pinned backend, SDPA says in warnings alone.
                why = "; ".join([reason(error), *(str(warning.message) for warning in said)])
        for warning in said:
            print(warning.message, file=sys.stderr)
        why = replaced(before) or why
        if why:
            return {**row, "why": f"{name}: did not run: {why}"[:400]}
        row[name] = value
    return row


def replaced(before: Counter[str]) -> str | None:
    """Why a kernel's work was done by something else since ``before``; None if it was not."""
    if dispatch.failed:
        return "; ".join(f"{op}: {why}" for op, why in dispatch.failed.items())
    instead = [
        name
        for name, count in dispatch.taken.items()
        if name.endswith((".reference", ".one_node")) and count > before[name]
    ]
    return f"{', '.join(instead)} was chosen in place of a kernel" if instead else None


def reason(error: BaseException) -> str:
    """An error in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]
