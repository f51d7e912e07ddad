"""Makes text from books, models and file names safe to print.

Knows which characters could steer a terminal or hide what stands there. Knows nothing
of styles; markup is no danger, since nothing here or beside it interprets any.
"""

from __future__ import annotations

import re

# C0 but tab and line feed, DEL, C1; bidi embeddings, overrides and isolates; the old
# bidi switches; interlinear notes; tags; lone surrogates. Line breaks of all kinds apart.
_BREAKS = "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
_STEERING = (
    "\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\u206a-\u206f\ufff9-\ufffb"
    "\U000e0000-\U000e007f\ud800-\udfff"
)
_REMOVED = re.compile(f"[{_STEERING}\r\ufeff]")
_BREAK = re.compile(f"[{_BREAKS}]")
_STEERS = re.compile(f"[{_STEERING}]")
_HIDDEN = re.compile(f"[{_STEERING}{_BREAKS}]")


def printable(text: str) -> str:
    """``text`` without characters that steer; every kind of line break is a line feed, tabs are spaces."""
    return _REMOVED.sub("", _BREAK.sub("\n", text.replace("\r\n", "\n"))).replace("\t", "    ")


def unbroken(text: object) -> str:
    """``printable`` without line breaks, its spaces as they were: messages, and paths in them."""
    return printable(str(text)).replace("\n", " ")


def one_line(text: object) -> str:
    """``printable`` on one line, with single spaces: titles, chapter names."""
    return " ".join(printable(str(text)).split())


def flowing(text: object) -> str:
    """Hard-wrapped prose as ``printable`` text on one line: next to a Chinese or Japanese character a line
    end is nothing, elsewhere a space."""
    from ...reader.sentences import unwrapped  # as quotations are joined, so that they are found in it

    return unwrapped(printable(str(text)))


def same_length(text: str) -> str:
    """``text`` with a stand-in for each character that steers, so that every offset stays true."""
    return _STEERS.sub("\ufffd", _BREAK.sub("\n", text).replace("\r", "\n"))


def json_safe(line: str) -> str:
    """JSON text in which such characters stand as \\uXXXX: nothing is lost, nothing steers."""

    def escape(match: re.Match[str]) -> str:
        units = match[0].encode("utf-16-be", "surrogatepass")
        return "".join(f"\\u{units[at] << 8 | units[at + 1]:04x}" for at in range(0, len(units), 2))

    return _HIDDEN.sub(escape, line)
