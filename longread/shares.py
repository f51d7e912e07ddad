"""How a share of a text is said. Knows no text."""

from __future__ import annotations


def percent(share: float) -> str:
    """0.124 as "12%"; 100% is said of the whole alone."""
    return "100%" if share >= 1 else f"{min(99, round(100 * share))}%"
