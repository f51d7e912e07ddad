"""Models for people: the list of them on this machine's terms, and one of them at length.

Knows how they are laid out. Knows nothing of streams or of the disk; a model is known by
its fields alone, so no task is imported.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from . import words
from .answers import Line, table
from .clean import one_line, unbroken

NOTHING = "-"
CHECKED = {
    "run": "read with here",
    "shape": "its shape read with here, under random weights",
    "config": "its config and card read, the model itself not tried",
    "card": "its maker's figures read, the model itself not tried",
    "": "not checked",
}
_MARKS = {"run": "run", "shape": "shape", "config": "config", "card": "card", "": "no"}


def listed(listing: Any, width: int) -> Iterator[Line]:
    """The models as a table, or as a list where that is too wide; then what the columns mean."""
    yield Line(f"{one_line(listing.machine)}, {words.size(listing.memory)} of memory", "heading")
    yield Line()
    head = "model size memory read learn window chats speaks here checked".split()
    yield from table([head, *map(_row, listing.rows)], width)
    yield Line()
    yield Line(f"licence: {_licences(listing.rows)}", "body")
    translating = [one_line(row.name) for row in listing.rows if row.translates]
    if translating:
        yield Line(f"trusted to translate: {', '.join(translating)}", "body")
    wide = [row for row in listing.rows if row.fits and _shrunk(row)]
    if wide:
        names = ", ".join(f"{one_line(row.name)} --window {row.reads_with}" for row in wide)
        yield Line(f"with a smaller window, so that it fits: {names}", "body")
    too_large = [one_line(row.name) for row in listing.rows if row.fits is False]
    if too_large:
        yield Line(f"too large for this machine: {', '.join(too_large)}", "body")
    yield from _legend(listing)


def _row(row: Any) -> list[str]:
    mark = " *" if row.default else ""
    return [
        one_line(row.name) + mark,
        _billions(row.parameters),
        words.size(row.memory) if row.memory else NOTHING,
        _hours(row.hours_read),
        _hours(row.hours_learn),
        _thousands(row.window),
        "yes" if row.chats else "no",
        _languages(row.languages),
        "yes" if row.here == "bundled" else one_line(row.here),
        _MARKS.get(row.checked, "no"),
    ]


def _licences(rows: Any) -> str:
    """The licence of most, then the models that have another: it is nearly always the same."""
    counts = Counter(one_line(row.licence) for row in rows)
    most = counts.most_common(1)[0][0]
    others = [
        f"{one_line(row.name)} {one_line(row.licence)}" for row in rows if one_line(row.licence) != most
    ]
    return "; ".join([most, *others]) + ("" if others else ", all of them")


def _legend(listing: Any) -> Iterator[Line]:
    yield Line("memory: to learn with the largest block and window that fit here", "body")
    yield Line(
        "read, learn: time for a novel of 100,000 words, without and with learning"
        + (
            "" if any(row.hours_read for row in listing.rows) else "; run longread doctor to have it measured"
        ),
        "body",
    )
    seen = sorted({row.checked for row in listing.rows}, key=list(CHECKED).index)
    yield Line("checked: " + "; ".join(f"{_MARKS[key]}, {CHECKED[key]}" for key in seen), "body")
    yield Line("* the default", "body")
    best = next((row for row in listing.rows if row.name == listing.recommended), None)
    if best is not None and best.name != "pocket":
        step = "use" if best.here == "yes" else "pull"
        yield Line()
        yield Line(f"for this machine: longread models {step} {one_line(best.name)}", "heading")


def _shrunk(row: Any) -> bool:
    return bool(row.window) and row.reads_with < min(row.window, 4096)


def _billions(count: int) -> str:
    if count >= 1e9:
        return f"{count / 1e9:.1f} B"
    return f"{count / 1e6:.1f} M" if count < 1e7 else f"{count / 1e6:.0f} M"


def _languages(codes: Any) -> str:
    """ "en zh", or the first two and how many more: "en de +10", "en zh +many"."""
    known = [one_line(code) for code in codes if " " not in code]
    more = "+many" if len(known) < len(codes) else f"+{len(known) - 2}" if len(known) > 2 else ""
    return " ".join(filter(None, (*known[:2], more))) or NOTHING


def _thousands(tokens: int) -> str:
    return f"{round(tokens / 1024)}k" if tokens >= 1024 else str(tokens or NOTHING)


def _hours(hours: float | None) -> str:
    if hours is None:
        return NOTHING
    return (
        f"{max(1, round(hours * 60))} min"
        if hours < 1
        else f"{hours:.1f} h"
        if hours < 10
        else f"{hours:.0f} h"
    )


def described(about: Any) -> Iterator[Line]:
    """One model at length."""
    yield Line(one_line(about.name), "heading")
    heads = (
        f"{about.heads} heads, {about.key_heads} of keys"
        if about.key_heads != about.heads
        else f"{about.heads} heads"
    )
    attention = ", ".join(
        f"{one_line(kind)} ({words.amount(count, 'layer')})" for kind, count in about.attention
    )
    targets = ", ".join(f"{one_line(name)} ({count})" for name, count in about.targets)
    shape = f"{one_line(about.kind)}, {words.parameters(about.parameters)}"
    rows = [
        ("repository", one_line(about.repo)),
        ("folder", f"{unbroken(about.folder)} ({words.size(about.bytes)})"),
        ("licence", one_line(about.licence)),
        ("trusted to", one_line(about.trust)),
        ("shape", f"{shape}, {about.layers} layers of width {words.number(about.width)}, {heads}"),
        ("trained window", words.amount(about.window, "token") if about.window else "not stated"),
        ("attention", attention or "not found"),
        ("positions", one_line(about.rotation)),
        ("chat template", "yes" if about.template else "none"),
        ("sinks", "a sink that it was trained with" if about.learned_sink else "its first tokens"),
        ("LoRA targets", f"{targets}; {words.number(about.adapter_parameters)} parameters at rank 16"),
        ("probe", one_line(about.verdict)),
    ]  # fmt: skip
    for label, value in rows:
        if value:
            yield Line(f"{label}: {value}", "body")
