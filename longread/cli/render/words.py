"""Numbers, times and sizes in words that a person reads at a glance.

Knows English and ASCII, so that any terminal can show it. Knows nothing of events.
"""

from __future__ import annotations

import math
import shlex

from ...shares import percent

LANGUAGES = {
    "de": "German", "en": "English", "es": "Spanish", "fr": "French", "it": "Italian", "ja": "Japanese",
    "ko": "Korean", "la": "Latin", "nl": "Dutch", "pl": "Polish", "pt": "Portuguese", "ru": "Russian",
    "uk": "Ukrainian", "zh": "Chinese", "zh-Hans": "Chinese (simplified)", "zh-Hant": "Chinese (traditional)",
}  # fmt: skip


# What is added to a time where no text was written here yet by which to tell.
UNKNOWN = ", and the time of writing"


def language(code: str) -> str:
    """A BCP 47 code as the name of its language, or as it stands; "und" is a language that is not known."""
    if code == "und":
        return "language unknown"
    return LANGUAGES.get(code) or LANGUAGES.get(code.split("-")[0]) or code


def extent(code: str, count: int, characters: int) -> str:
    """The length of a text in that language: "4,624 words", in Chinese and Japanese "5,907 characters"."""
    if code.split("-")[0] in ("zh", "ja"):
        return amount(characters, "character")
    return amount(count, "word")


def number(value: float) -> str:
    """190412 as "190,412"."""
    return f"{round(value):,}"


def amount(value: float, noun: str) -> str:
    """ "1 chapter", "12 chapters"."""
    return f"{number(value)} {noun}{'' if round(value) == 1 else 's'}"


def duration(seconds: float) -> str:
    """0.4 as "0.4 s", 98 as "98 s", 150 as "2 min 30 s", 7500 as "2 h 5 min"."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    minutes = round(whole / 60)
    return f"{minutes // 60} h" + (f" {minutes % 60} min" if minutes % 60 else "")


def age(seconds: float) -> str:
    """ "now" for the last minute, then "5 min", "3 h", "12 days", "2 years"."""
    for least, unit, length in ((730, "year", 365 * 86400), (2, "day", 86400)):
        if seconds >= least * 86400:
            return amount(seconds // length, unit)
    minutes = int(seconds // 60)  # below 0 where a clock was set back
    hours = minutes // 60
    return f"{hours} h" if hours > 0 else f"{minutes} min" if minutes > 0 else "now"


def clock(seconds: float) -> str:
    """98 as "1:38", 7500 as "2:05:00"; for a bar, where width counts."""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


def fraction(done: float, total: float) -> float:
    """How much is done, 0 to 1; totals may be estimates that prove too low, or 0 where there are none."""
    return min(1.0, max(0.0, done / total)) if total > 0 else 0.0


def standing(done: float, total: float, unit: str) -> str:
    """How far a phase is: "35%", or "64 tokens" where no one knows of how many, "" where none are counted."""
    if total > 0:
        return percent(fraction(done, total))
    return amount(int(done), unit.removesuffix("s")) if unit else ""


def size(count: float) -> str:
    """Bytes as "512 MB", in powers of 1000 as disks and systems do."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:.1f} {unit}" if unit == "GB" else f"{round(count)} {unit}"
        count /= 1000
    raise AssertionError


def speed(tokens_per_second: float, bytes_per_second: float = 0.0) -> str:
    """ "1,234 tokens/s" or "12 MB/s"; nothing where neither is known."""
    if bytes_per_second > 0:
        return f"{size(bytes_per_second)}/s"
    return f"{number(tokens_per_second)} tokens/s" if tokens_per_second > 0 else ""


def parameters(count: int) -> str:
    """7300000 as "7.3 M parameters"."""
    if count >= 1_000_000_000:
        return f"{count / 1e9:.1f} B parameters"
    return f"{count / 1e6:.1f} M parameters" if count >= 100_000 else f"{number(count)} parameters"


def sparkline(values: list[float]) -> str:
    """One mark a value, lowest to highest; stands beside the figures, never instead of them."""
    marks = "▁▂▃▄▅▆▇█"
    known = [value for value in values if math.isfinite(value)]
    low, high = min(known, default=0.0), max(known, default=0.0)
    span = (high - low) or 1.0
    # What is beyond all measure stands highest; what is no number leaves a gap.
    steps = [int(8 * (value - low) / span) if math.isfinite(value) else 8 for value in values]
    return "".join(
        " " if math.isnan(value) else marks[min(7, at)] for value, at in zip(values, steps, strict=True)
    )


def taken_up(read: int, tokens: int) -> str:
    """What of the ``tokens`` a saved reading has ``read``, and what is left."""
    left = max(0, tokens - read)
    rest = f"about {number(left)} are left" if left else "none are left"
    return f"about {number(read)} tokens ({percent(fraction(read, tokens))}) are read already, {rest}"


def shell(name: str) -> str:
    """A file's name as it is typed: quoted, and never taken for an option."""
    return shlex.quote(f"./{name}" if name.startswith("-") and name != "-" else name)
