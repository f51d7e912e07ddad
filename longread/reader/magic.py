"""What a file is by its first bytes, where that is not text.

Knows signatures of well-known formats and how binary data looks. Knows nothing of
encodings: a text in UTF-16 is told apart elsewhere, before this is asked.
"""

from __future__ import annotations

from dataclasses import dataclass

from longread.errors import InputError, UnsupportedError


@dataclass(frozen=True)
class Kind:
    """A kind of file. ``convert`` says how to make text of it; empty where there is none in it."""

    name: str
    convert: str = ""


_PANDOC = "convert it to text first, for example: pandoc -t plain -o book.txt {}"
EPUB = Kind("EPUB", _PANDOC)
DOCX = Kind("DOCX", _PANDOC)
PDF = Kind("PDF", "convert it to text first, for example: pdftotext -layout {} book.txt")
UNKNOWN = Kind("binary data")
GZIP = Kind("gzip", "unpack it first: gzip -dc {} | longread … -")

_STARTS: tuple[tuple[bytes, Kind], ...] = (
    (b"%PDF-", PDF),
    (b"\x1f\x8b", GZIP),
    (b"{\\rtf", Kind("RTF", _PANDOC)),
    (b"PK\x03\x04", Kind("a zip archive")),
    (b"PK\x05\x06", Kind("a zip archive")),
    (b"BZh", Kind("a bzip2 archive")),
    (b"\xfd7zXZ\x00", Kind("an xz archive")),
    (b"7z\xbc\xaf\x27\x1c", Kind("a 7z archive")),
    (b"Rar!\x1a\x07", Kind("a RAR archive")),
    (b"\x28\xb5\x2f\xfd", Kind("a zstd archive")),
    (b"\x7fELF", Kind("a program")),
    (b"\xcf\xfa\xed\xfe", Kind("a program")),
    (b"\xca\xfe\xba\xbe", Kind("a program")),
    (b"\x89PNG\r\n", Kind("a PNG image")),
    (b"\xff\xd8\xff", Kind("a JPEG image")),
    (b"GIF87a", Kind("a GIF image")),
    (b"GIF89a", Kind("a GIF image")),
    (b"II*\x00", Kind("a TIFF image")),
    (b"MM\x00*", Kind("a TIFF image")),
    (b"AT&TFORM", Kind("a DjVu book")),
    (b"ID3", Kind("an MP3 recording")),
    (b"OggS", Kind("an Ogg recording")),
    (b"fLaC", Kind("a FLAC recording")),
    (b"SQLite format 3\x00", Kind("an SQLite database")),
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        Kind("an old or encrypted Office document", "save it as .docx without a password first: {}"),
    ),
    (b"\x80\x02", Kind("a pickle")),
    (b"wOFF", Kind("a font")),
)

# Of the control characters a text may well hold tab, line feed, form feed, return, escape and backspace.
_TEXT_CONTROLS = frozenset(b"\t\n\f\r\x1b\b")
_CONTROLS = bytes(byte for byte in range(32) if byte not in _TEXT_CONTROLS)


def known(head: bytes) -> Kind | None:
    """The kind of file that begins with ``head`` (the first 300 bytes say it), None where it may be text."""
    if head.startswith(b"PK\x03\x04"):
        if b"application/epub+zip" in head[:200]:
            return EPUB
        if b"[Content_Types].xml" in head or b"word/" in head:
            return DOCX
    if head[:4] == b"RIFF" and head[8:12] in (b"WAVE", b"AVI ", b"WEBP"):
        return Kind("a recording or image")
    if head[4:8] == b"ftyp":
        return Kind("a film or recording")
    if head[:2] == b"\xff\xfb" or head[:2] == b"\xff\xf3":
        return Kind("an MP3 recording")
    if head[:2] == b"MZ" and b"\x00" in head[:64]:
        return Kind("a program")
    if head[257:262] == b"ustar":
        return Kind("a tar archive")
    if head[60:68] in (b"BOOKMOBI", b"TEXtREAd"):
        return Kind("Kindle (MOBI)", "convert it first, for example: ebook-convert {} book.txt")
    for start, kind in _STARTS:
        if head.startswith(start) and (len(start) > 3 or _controls(head) > 0.02 or kind is GZIP):
            return kind
    return None


def refusal(kind: Kind, name: str) -> InputError | UnsupportedError:
    """The error for a file of ``kind``: exit 4 where it holds a text, 1 where it holds none."""
    if kind.convert:
        return UnsupportedError(f"longread does not read {kind.name} yet: {name}", kind.convert.format(name))
    return InputError(f"{name} is {kind.name}, not a text", "name a text: txt, md, html, epub, docx or pdf")


def looks_binary(sample: bytes) -> bool:
    """Whether more than 1 byte in 100 of ``sample`` is a control character, or 1 in 500 a NUL."""
    return _controls(sample) > 0.01 or sample.count(0) > len(sample) / 500


def _controls(sample: bytes) -> float:
    return (len(sample) - len(sample.translate(None, _CONTROLS))) / max(len(sample), 1)
