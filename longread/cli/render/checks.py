"""What ``longread doctor`` found, a line at a time.

Knows how a check looks. Knows nothing of what was checked.
"""

from __future__ import annotations

from typing import Any

from . import words
from .cells import padded
from .clean import unbroken


def line(check: Any) -> str:
    """ "ok     Python          3.11.7 on Linux", and what to do about it below."""
    said = f"{padded(check.state, 6)} {padded(unbroken(check.name), 15)} {unbroken(check.said)}\n"
    return said + (f"{' ' * 23}hint: {unbroken(check.hint)}\n" if check.hint else "")


def verdict(failing: int) -> str:
    """The last line."""
    return f"{words.amount(failing, 'check')} failed\n" if failing else "everything works\n"
