"""The map of a book: a web page that shows how its reading went, chapter by chapter.

Knows HTML and SVG; the page holds all it needs, and its policy forbids it to fetch or
run anything. Every line drawn is also said in figures. What stands in the book, its
title or the questions is text here and nothing else. Knows nothing of files or models.
"""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Iterable, Iterator, Sized
from importlib import resources

from longread.reader.language import RIGHT_TO_LEFT, base_language
from longread.shares import percent
from longread.tasks.shelf import Account, Stretch

FINE = 240  # pieces of the curve: more than a screen can tell apart in a book of any length
HIGH = 100  # the chart's own units: 0 to FINE across, 0 to HIGH down
_BIDI = set("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def page(account: Account) -> str:
    """The whole page, UTF-8 HTML."""
    title = text(account.title) or "untitled"
    style = resources.files("longread.tasks").joinpath("book_map.css").read_text(encoding="utf-8")
    parts = [_head(account, title), _curve(account), _lanes(account), _chapters(account), _asked(account)]
    body = "\n".join(part for part in parts if part)
    return f"""<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}: map of the book</title>
<style>
{style}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


def text(value: str) -> str:
    """``value`` as text of an HTML page or of an attribute: no markup, no control characters."""
    kept = (" " if c.isspace() else c for c in value if c not in _BIDI)
    plain = "".join(c for c in kept if unicodedata.category(c) not in ("Cc", "Cs", "Cn"))
    return html.escape(" ".join(plain.split()))


def _quoted(account: Account, value: str, tag: str = "span") -> str:
    """Words of the book, in the book's language and direction."""
    code = text(account.language)
    lang = f' lang="{code}"' if code else ""
    way = "rtl" if base_language(code) in RIGHT_TO_LEFT else "auto"
    return f'<{tag}{lang} dir="{way}">{text(value) or "untitled"}</{tag}>'


def _head(account: Account, title: str) -> str:
    author = f"\n<p>by {_quoted(account, account.author, 'bdi')}</p>" if account.author else ""
    whole = "" if account.complete else ", not finished"
    facts = [
        ("read", f"{percent(account.share)} of the book{whole}: {account.tokens:,} tokens"),
        ("learned from", f"{account.learned:,} tokens"),
        ("model", text(account.model)),
    ]
    if account.perplexity is not None:
        facts.append(("perplexity", f"{account.perplexity:.2f}"))
    if account.sampled is not None:
        both = f"{account.sampled.with_:.2f} with the adapter, {account.sampled.without:.2f} without"
        facts.append(
            (
                "adapter",
                f"{both}, on the {account.sampled.blocks:,} blocks scored both ways "
                "(without it a little less is in sight)",
            )
        )
    facts += [("saved", text(account.updated or "")), ("reading", text(account.id))]
    rows = "\n".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts if value)
    return f'{_quoted(account, account.title, "h1")}{author}\n<dl class="facts">\n{rows}\n</dl>'


def _curve(account: Account) -> str:
    """Surprisal along the book as a stepped curve, chapters as upright lines."""
    size = account.characters
    if account.columns is None or not size:
        return "<p>No figures along the book are kept.</p>"
    edges = [(at * size // FINE, (at + 1) * size // FINE) for at in range(FINE)]
    bits = account.columns.bits(edges)
    known = [value for value in bits if value is not None]
    if not known:
        return "<p>No figures along the book are kept.</p>"
    low, high = min(known), max(known)
    margin = max(0.05 * (high - low), 0.01)
    bottom, top = low - margin, high + margin

    def y(value: float) -> float:
        return round(HIGH * (top - value) / (top - bottom), 2)

    lines, areas = [], []
    for first, run in _runs(bits):
        steps = " ".join(f"L{first + at} {y(v)} L{first + at + 1} {y(v)}" for at, v in enumerate(run))
        lines.append("M" + steps[1:])
        areas.append(f"M{first} {HIGH} {steps} L{first + len(run)} {HIGH} Z")
    levels = (high, (low + high) / 2, low)
    grid = "".join(f'<line class="grid" x1="0" x2="{FINE}" y1="{y(v)}" y2="{y(v)}"/>' for v in levels)
    borders = "".join(
        f'<line class="border" x1="{x}" x2="{x}" y1="0" y2="{HIGH}"/>'
        for x in sorted({round(FINE * chapter.start / size, 2) for chapter in account.chapters})
    )
    said = f"between {low:.2f} and {high:.2f} bits a token"
    labels = "".join(
        f'<span class="level" style="top:{12 * y(v) / HIGH:.2f}rem">{v:.2f}</span>' for v in levels
    )
    upright = f" Upright lines: {_count(account.chapters, 'chapter')}." if account.chapters else ""
    return f"""<h2>Surprisal along the book</h2>
<figure>
<div class="chart">
<svg viewBox="0 0 {FINE} {HIGH}" preserveAspectRatio="none" role="img" aria-label="Surprisal {said}">
<path class="under" d="{" ".join(areas)}"/>{grid}{borders}<path class="curve" d="{" ".join(lines)}"/>
</svg>
{labels}
</div>
{_axis()}
<figcaption>Along the book {said}; the scale does not begin at 0. Higher means that the model expected
less of what stands there. Measured before the model had learned from it.{upright}</figcaption>
</figure>"""


def _lanes(account: Account) -> str:
    """What was read, and where evidence was found, on the same scale as the curve."""
    size = account.characters
    if not size:
        return ""
    low, high = account.columns.reach if account.columns else (0, 0)
    said = f"read: {percent(low / size)} to {percent(high / size)}" if high > low else "nothing is read yet"
    out = [
        "<h2>Share read and evidence</h2>",
        _lane(f'<path class="read" d="{_box(low / size, high / size)}"/>', said),
    ]
    places = sorted({start for asked in account.asked for start, _ in asked.evidence})
    if places:
        marks = "".join(
            f'<line class="evidence" x1="{x}" x2="{x}" y1="0" y2="{HIGH}"/>'
            for x in sorted({min(FINE, round(FINE * start / size, 2)) for start in places})
        )
        out.append(
            _lane(marks, f"evidence: {_count(places, 'place')}, for {_count(account.asked, 'question')}")
        )
    return "\n".join([*out, _axis()])


def _count(items: Sized, noun: str) -> str:
    return f"{len(items):,} {noun}{'' if len(items) == 1 else 's'}"


def _lane(drawn: str, said: str) -> str:
    picture = f'<svg viewBox="0 0 {FINE} {HIGH}" preserveAspectRatio="none" role="img" aria-label="{said}">'
    return f'<div class="lane"><span>{said}</span>{picture}{drawn}</svg></div>'


def _box(low: float, high: float) -> str:
    left, right = round(FINE * max(0.0, low), 2), round(FINE * min(1.0, high), 2)
    return f"M{left} 0 L{right} 0 L{right} {HIGH} L{left} {HIGH} Z"


def _axis() -> str:
    marks = "".join(f"<span>{share}%</span>" for share in (0, 25, 50, 75, 100))
    return f'<div class="axis" aria-hidden="true">{marks}</div>'


def _runs(values: Iterable[float | None]) -> Iterator[tuple[int, list[float]]]:
    """The stretches of figures between gaps, each with the place of its first."""
    first, run = 0, []
    for at, value in enumerate([*values, None]):
        if value is None:
            if run:
                yield first, run
            first, run = at + 1, []
        else:
            run.append(value)


def _chapters(account: Account) -> str:
    """The figures again, by chapter; by twentieths of a book without chapters."""
    stretches = account.chapters or account.along
    if not stretches:
        return ""
    rows = "\n".join(_row(account, at, stretch) for at, stretch in enumerate(stretches, start=1))
    name = "Chapters" if account.chapters else "By twentieths of the book"
    heads = "".join(
        f'<th scope="col"{kind}>{head}</th>'
        for head, kind in (
            ("no.", ' class="n"'), ("chapter" if account.chapters else "part", ""), ("from", ' class="n"'),
            ("read", ' class="n"'), ("bits a token", ' class="n"'), ("evidence", ' class="n"'),
        )
    )  # fmt: skip
    return f"<h2>{name}</h2>\n<table>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>"


def _row(account: Account, number: int, stretch: Stretch) -> str:
    begins = stretch.start / max(1, account.characters)
    ends = stretch.end / max(1, account.characters)
    title = _quoted(account, stretch.title) if stretch.title else f"to {percent(ends)}"
    bits = "not read" if stretch.bits is None else f"{stretch.bits:.2f}"
    figures = [percent(begins), percent(stretch.read), bits, str(stretch.evidence or "")]
    cells = "".join(f'<td class="n">{figure}</td>' for figure in figures)
    return f'<tr><td class="n">{number}</td><td>{title}</td>{cells}</tr>'


def _asked(account: Account) -> str:
    """Every question and where in the book its evidence stands."""
    if not account.asked:
        return ""
    rows = []
    for asked in account.asked:
        places = [percent(start / max(1, account.characters)) for start, _ in asked.evidence]
        found = f"evidence at {', '.join(places)}" if places else "no evidence found"
        rows.append(f'<li><bdi>{text(asked.question)}</bdi> <span class="faint">{found}</span></li>')
    return "<h2>Asked so far</h2>\n<ol>\n" + "\n".join(rows) + "\n</ol>"
