"""A summary made of the book's own sentences: describe them, collect them, choose among them."""

from __future__ import annotations

from longread.tasks.extract.choice import choose
from longread.tasks.extract.collect import Collector
from longread.tasks.extract.traits import Mark, Traits, describe, length_of

__all__ = ["Collector", "Mark", "Traits", "choose", "describe", "length_of"]
