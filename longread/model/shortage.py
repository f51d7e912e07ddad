"""What running out of memory looks like, on every device that torch knows.

Knows the errors and how to give memory back. Knows no block and no model.
"""

from __future__ import annotations

import gc

import torch
from longread_kernels import dispatch

# The CPU's allocator, Apple's, and the libraries that a card's products run in have no error of their own.
_WORDS = ("can't allocate memory", "not enough memory", *dispatch.SHORT)


def is_shortage(error: BaseException) -> bool:
    """Whether ``error`` says that there was no memory left."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _WORDS)


def release() -> None:
    """Give back what nobody holds any more."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
