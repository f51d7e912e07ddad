"""In which encoding a file is written.

Knows byte order marks, how valid UTF-8 and UTF-16 look, the names people give encodings,
and how to weigh the rest. Looks at samples from several places of the file; only where all
of them are ASCII does it look through the file for the first byte that is not. Knows
nothing of decoding a whole text (``decode``).

A reported name is one that ``--encoding`` takes: the usual (IANA) name in lower case,
``utf-8-sig`` for UTF-8 with a byte order mark.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from longread.errors import InputError, UsageError
from longread.reader.files import Bytes
from longread.reader.language import Tally
from longread.reader.magic import looks_binary

HEAD, SAMPLE, PLACES = 1 << 16, 1 << 14, 8

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

# As in the WHATWG standard, an encoding is read with its widest variant: files named Shift_JIS or Big5
# come from machines that wrote the vendors' characters too. By the codecs' own names.
_WIDE = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
}
# What a page says of itself is no more exact. Who names one of these by hand may mean it.
_WIDE_IN_PAGES = _WIDE | {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
}
_DECLARED = re.compile(
    rb"<(?:\?xml|meta)\b[^>]{0,300}?(?:encoding|charset)\s*=\s*[\"']?\s*([\w:.-]{2,40})", re.I
)
# Not what a page whose declaration can be read byte by byte is written in, or no encoding of texts at all.
_NO_PAGE = (
    "utf-16",
    "utf-32",
    "utf-7",
    "idna",
    "punycode",
    "unicode-escape",
    "raw-unicode-escape",
    "undefined",
)
_USUAL = {
    "utf_8": "utf-8",
    "ascii": "ascii",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "hz": "gb18030",
    "cp950": "big5",
    "big5hkscs": "big5",
    "shift_jis_2004": "shift_jis",
    "shift_jisx0213": "shift_jis",
    "cp932": "shift_jis",
    "cp949": "euc-kr",
    "johab": "euc-kr",
    "euc_jis_2004": "euc-jp",
    "euc_jisx0213": "euc-jp",
    "latin_1": "iso-8859-1",
    "tis_620": "tis-620",
}
_CYRILLIC = ("windows-1251", "koi8-r", "cp866", "iso-8859-5", "mac-cyrillic", "cp855")
_LIKE_CYRILLIC = frozenset((*_CYRILLIC, "koi8-u", "koi8-t", "cp1125", "kz1048", "ptcp154"))
_MULTIBYTE = frozenset(("gb18030", "big5", "shift_jis", "euc-jp", "euc-kr"))
_BEYOND = re.compile(rb"[\x80-\xff]")
_WESTERN = frozenset("en fr de es it pt nl la".split())
_LINE = 8192  # bytes of a text without line ends that are looked at
# Signs where a Western text has them; a capital begins a word, stands among others, or is a word.
_ORDINARY = re.compile(
    r"[“”‘’„‚«»–—…£§©½¼¾¡¿ß-öø-ÿœ]|(?<=\d)°"
    r"|(?<![^\s(«“„‘’'—-])(?:[À-ÖØ-ÞŒ](?=[a-zß-öø-ÿœ’'])|[ÀÈÉÓÔ](?= ))"
    r"|(?<=[A-ZÀ-ÖØ-Þ])[À-ÖØ-ÞŒ]|[À-ÖØ-ÞŒ](?=[A-ZÀ-ÖØ-Þ]{2})"
)


@dataclass(frozen=True)
class Charset:
    """An encoding: the ``name`` that is reported, the Python ``codec`` and the bytes of the mark."""

    name: str
    codec: str
    mark: int = 0


def detect(data: Bytes) -> Charset:
    """The encoding of ``data``. Raises ``InputError`` where it is no text in any encoding."""
    head = data.read_at(0, HEAD)
    for mark, name in _MARKS:
        if head.startswith(mark):
            return Charset(name, "utf-8" if name == "utf-8-sig" else name, len(mark))
    samples = _samples(data, head)
    joined = b"\n".join(samples)
    if 0 in joined and (wide := _utf16(samples)):
        return wide
    if joined.isascii() and any(map(_is_iso2022, samples)):
        return Charset("iso2022_jp", "iso2022_jp")
    if looks_binary(joined):
        raise InputError(
            f"{data.name} holds binary data, not text", "name a text: txt, md, html, epub, docx or pdf"
        )
    if joined.isascii():
        found = _first_beyond_ascii(data)
        if not found:
            return Charset("utf-8", "utf-8")
        samples = [*samples[:1], *found]
        joined = b"\n".join(samples)
    if _is_utf8(samples):
        return Charset("utf-8", "utf-8")
    return _legacy(data.name, samples)


def guessed(name: str, content: bytes) -> Charset:
    """The likeliest encoding of bytes that say none and are not UTF-8. ``InputError`` where there is none."""
    return _legacy(name, [content[:HEAD]])


def named(name: str) -> Charset:
    """The encoding that a user calls ``name``. Raises ``UsageError`` naming the nearest ones."""
    try:
        info = codecs.lookup(name.strip())
        if not info._is_text_encoding:
            raise LookupError
    except (LookupError, ValueError):
        import difflib
        from encodings.aliases import aliases

        known = sorted({spelling.replace("_", "-") for pair in aliases.items() for spelling in pair})
        near = difflib.get_close_matches(name.casefold().replace("_", "-"), known, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "usual ones: utf-8, gb18030, windows-1252"
        raise UsageError(f"unknown encoding {name!r}", hint) from None
    return _of(_WIDE.get(info.name, info.name))


def declared(head: bytes) -> Charset | None:
    """The encoding that an HTML or XML page which begins with ``head`` states about itself, read with its
    widest variant; None where it states none that exists, or one that its bytes belie."""
    found = _DECLARED.search(head, 0, 4096)
    if not found or 0 in head[:64]:
        return None
    try:
        info = codecs.lookup(found[1].decode("ascii"))
    except (LookupError, ValueError):  # a name that no codec has: the page is read like one that says nothing
        return None
    if not info._is_text_encoding or info.name.startswith(_NO_PAGE):
        return None
    return _of(_WIDE_IN_PAGES.get(info.name, info.name))


def _of(codec: str) -> Charset:
    """The charset read with ``codec``, under its usual name where that name leads back to the codec."""
    name = usual(codec)
    same = codecs.lookup(name).name
    name = name if _WIDE.get(same, same) == codec else codec
    return Charset(name, "utf-8" if codec == "utf-8-sig" else codec)


def usual(codec: str) -> str:
    """The usual name of a Python codec: ``windows-1251`` for ``cp1251``, ``gb18030`` for ``gbk``."""
    name = codec.lower().replace("-", "_")
    if name in _USUAL:
        return _USUAL[name]
    if name.startswith("cp125"):
        return "windows-" + name[2:]
    if name.startswith("iso8859_"):
        return "iso-8859-" + name[8:]
    return name.replace("_", "-") if not name.startswith(("shift_jis", "iso2022")) else name


def _samples(data: Bytes, head: bytes) -> list[bytes]:
    """The head and parts from evenly spread places, cut at line ends where there are any."""
    if data.size <= HEAD + PLACES * SAMPLE:
        return [data.read_at(0, HEAD + PLACES * SAMPLE)]
    step = (data.size - HEAD - SAMPLE) // (PLACES - 1)
    parts = [head] + [data.read_at(HEAD + index * step, SAMPLE) for index in range(PLACES)]
    return [parts[0][: parts[0].rfind(b"\n") + 1] or parts[0]] + [_whole_lines(part) for part in parts[1:]]


def _whole_lines(part: bytes) -> bytes:
    """``part`` from its first line end to its last: no character of any multi-byte text is cut there."""
    first, last = part.find(b"\n"), part.rfind(b"\n")
    return part[first + 1 : last + 1] if last > first + len(part) // 4 else part


def _first_beyond_ascii(data: Bytes) -> list[bytes]:
    """Up to eight stretches around bytes that are not ASCII; a plain English book may have few."""
    found: list[bytes] = []
    for chunk in data.chunks():
        if not chunk.isascii():
            at = _BEYOND.search(chunk).start()  # type: ignore[union-attr]
            low = chunk.rfind(b"\n", 0, at) + 1
            found.append(_whole_lines(chunk[max(low - 1, at - SAMPLE, 0) : at + SAMPLE]))
            if len(found) == PLACES:
                break
    return found


def _is_utf8(samples: list[bytes]) -> bool:
    """Whether the samples are UTF-8, forgiving a rare damaged byte among many good ones."""
    good = bad = 0
    for sample in samples:
        start = 0
        while start < 4 and start < len(sample) and sample[start] & 0xC0 == 0x80:
            start += 1  # the sample began inside a character
        text = codecs.getincrementaldecoder("utf-8")("replace").decode(sample[start:])
        wrong = text.count("\ufffd") - sample.count("\ufffd".encode())
        bad += wrong
        good += sum(map(len, text.split("\ufffd"))) - sum(byte < 128 for byte in sample) if wrong else 1
    return bad == 0 or good > 20 * bad


def _utf16(samples: list[bytes]) -> Charset | None:
    """UTF-16 without a mark: strictly valid in one byte order, and hardly a control character.

    In the wrong order figures are wide spaces; where both orders pass, spaces and line ends say which it is.
    """
    passed: dict[str, int] = {}
    for name in ("utf-16-le", "utf-16-be"):
        try:
            text = "".join(codecs.getincrementaldecoder(name)().decode(part) for part in samples[:1])
        except UnicodeDecodeError:
            continue
        controls = sum(character < " " and character not in "\t\n\r\f" for character in text)
        spaces = text.count(" ") + text.count("\n")
        if text and controls <= len(text) / 1000 < spaces + text.count("\u3000"):
            passed[name] = spaces
    found = max(passed, key=passed.__getitem__, default=None)
    return Charset(found, found) if found else None


def _is_iso2022(sample: bytes) -> bool:
    """Whether ``sample``, which is ASCII, is Japanese as mail has it: pairs of signs from ESC $ to ESC (."""
    if b"\x1b$B" not in sample and b"\x1b$@" not in sample:
        return False
    try:
        return not codecs.getincrementaldecoder("iso2022_jp")().decode(sample).isascii()
    except UnicodeDecodeError:
        return False


def _legacy(name: str, samples: list[bytes]) -> Charset:
    """The likeliest of the old encodings, by charset-normalizer and by what the text then says."""
    data = b"".join(sample[: sample.rfind(b"\n", 0, 3000) + 1] for sample in samples)
    if data.isascii():  # what is not stands further down, or in a line too long to be looked at whole
        data = _beyond_ascii(samples)
    guess = _statistics(data) if data.endswith(b"\n") else _statistics_of_one_line(data)
    if guess in _LIKE_CYRILLIC:
        guess = max(_CYRILLIC, key=lambda codec: _russian(data, codec))
    elif guess not in _MULTIBYTE:
        # Latin alphabets with accents look alike to statistics; a western language settles it.
        if _language(data, "cp1252") in _WESTERN:
            guess = _western(data)
        elif not guess and not _mostly_letters(data):
            raise InputError(
                f"{name} is text in no encoding that longread knows",
                "name the encoding with --encoding, or convert the file to UTF-8",
            )
    guess = guess or "windows-1252"
    codec = codecs.lookup(guess).name
    return Charset(guess, _WIDE.get(codec, codec))


def _beyond_ascii(samples: list[bytes]) -> bytes:
    """What follows the first byte that is not ASCII, and stands before it on its line; in whole lines if so
    many bytes hold any."""
    for sample in samples:
        if found := _BEYOND.search(sample):
            begin = max(sample.rfind(b"\n", 0, found.start()) + 1, found.start() - _LINE // 2)
            part = sample[begin : begin + _LINE]
            lines = part[: part.rfind(b"\n") + 1]
            return part if lines.isascii() else lines
    return samples[0][:_LINE]


def _western(data: bytes) -> str:
    """Windows' or the old Mac's encoding of Western languages: the one in which more of the signs that are
    not ASCII stand where such signs do. A tie goes to Windows'."""
    return max(
        ("windows-1252", "mac-roman"),
        key=lambda codec: len(_ORDINARY.findall(data.decode(codec, "replace"))),
    )


def _statistics(data: bytes) -> str:
    """What charset-normalizer takes ``data`` for, by its usual name; empty when it does not know."""
    import charset_normalizer

    best = charset_normalizer.from_bytes(data, steps=10, chunk_size=1024).best()
    return usual(best.encoding) if best else ""


def _statistics_of_one_line(data: bytes) -> str:
    """The same for text without line ends, whose last character may be cut."""
    guesses = [_statistics(data[: len(data) - cut]) for cut in range(4)]
    return next((guess for guess in guesses if guess in _MULTIBYTE), guesses[0])


def _language(data: bytes, codec: str) -> str:
    tally = Tally()
    tally.add(data.decode(codec, errors="replace"))
    return tally.language()


def _russian(data: bytes, codec: str) -> float:
    """How much the data read in ``codec`` is Russian or Ukrainian: common words, and mostly small letters."""
    text = data.decode(codec, errors="replace")
    tally = Tally()
    tally.add(text)
    common = max(tally.common("ru"), tally.common("uk"))
    return (10 * common + sum(map(str.islower, text))) / max(len(text), 1)


def _mostly_letters(data: bytes) -> bool:
    text = data.decode("cp1252", errors="replace")
    plain = sum(character.isalnum() or character.isspace() for character in text)
    return plain > 0.7 * len(text) and text.count("\ufffd") < len(text) / 1000
