"""A zip archive that may mean harm.

Knows how to read members by name within bounds of size, and that nothing in it is a path on
this machine: names are looked up in the archive and never leave it. Knows nothing of what
the members mean.
"""

from __future__ import annotations

import posixpath
import unicodedata
import zipfile
import zlib
from contextlib import suppress
from urllib.parse import unquote, urlsplit

from longread.errors import InputError, UnsupportedError
from longread.reader.files import Bytes
from longread.reader.formats import stream

PART = 1 << 25  # bytes of one member; a chapter has some 50,000
WHOLE = 1 << 28  # bytes of all members read; War and Peace has 4 million
_MEMBERS = 50_000
# What zipfile raises for a damaged archive: a wrong record (BadZipFile), a wrong stream (zlib.error), an end
# too soon (EOFError), a place before the file's beginning (OSError, ValueError), a name that is listed and
# not there (KeyError), a method or a version that it does not know (NotImplementedError).
DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, KeyError, NotImplementedError)


class Absurd(InputError):
    """An archive that claims to hold more than a book can."""


class Archive:
    """A zip archive, read member by member. Use as a context manager.

    Raises ``InputError`` for damage and absurd sizes, ``UnsupportedError`` for encryption.
    """

    def __init__(self, data: Bytes, kind: str) -> None:
        self.name, self.kind = data.name, kind
        self._read = 0
        try:
            self._zip = zipfile.ZipFile(stream.reader(data))
        except DAMAGE as error:
            raise self.damaged("its list of contents cannot be read") from error
        if len(self._zip.filelist) > _MEMBERS:
            self._zip.close()
            raise self.absurd(f"{len(self._zip.filelist):,} files")
        self._members = dict(self._zip.NameToInfo)
        for info in self._zip.filelist:
            name = name_of(info)
            for alias in (name, _composed(name), _composed(unquote(name))):
                self._members.setdefault(alias, info)

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def __contains__(self, member: str) -> bool:
        return self._found(member) is not None

    def _found(self, member: str) -> zipfile.ZipInfo | None:
        return self._members.get(member) or self._members.get(_composed(member))

    def own(self, member: str) -> str:
        """The name under which the archive has ``member``, or ``member`` where it has none.

        Accents may be spelled otherwise, or spaces as in addresses, than where it is named.
        """
        info = self._found(member)
        return name_of(info) if info else member

    def names(self) -> list[str]:
        """The members' names, in the archive's order."""
        return self._zip.namelist()

    def read(self, member: str) -> bytes:
        """The bytes of ``member``, at most ``PART`` of them."""
        info = self._found(member)
        if info is None:
            raise self.damaged(f"there is no {member[:200]!r} in it")
        if info.flag_bits & 1:
            raise UnsupportedError(
                f"{self.name} is encrypted with a password", "save a copy without the password"
            )
        if info.compress_type not in (
            zipfile.ZIP_STORED,
            zipfile.ZIP_DEFLATED,
        ):  # others unpack without a bound
            raise self.damaged(f"{member[:200]!r} is packed in a way that no {self.kind} is")
        if info.file_size > PART:
            raise self.absurd(f"{info.file_size:,} bytes in {member[:200]!r}")
        try:
            content = self._zip.read(info)
        except (*DAMAGE, RuntimeError) as error:
            raise self.damaged(f"{member[:200]!r} cannot be unpacked") from error
        self._read += len(content)
        if self._read > WHOLE:
            raise self.absurd(f"over {WHOLE:,} bytes of text")
        return content

    def sizes(self) -> int:
        """The bytes that all members claim to unpack to."""
        return sum(info.file_size for info in self._zip.filelist)

    def damaged(self, why: str) -> InputError:
        """The error for an archive of which something is missing or broken."""
        return InputError(f"{self.name} is a damaged {self.kind}: {why}", "fetch or export the file again")

    def absurd(self, what: str) -> Absurd:
        """The error for an archive too large to be a book."""
        return Absurd(f"{self.name} claims {what}: no book does that", "name a book")


def name_of(info: zipfile.ZipInfo) -> str:
    """What a member is called: many programs write UTF-8 and do not say so."""
    name = info.filename
    if not info.flag_bits & 0x800 and not name.isascii():
        with suppress(UnicodeError):
            return name.encode("cp437").decode("utf-8")
    return name


def _composed(name: str) -> str:
    """``name`` with each accent and its letter as one character: some systems keep names taken apart."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def resolve(base: str, href: str) -> tuple[str, str] | None:
    """The member and the fragment that ``href`` means in the member ``base``; None for what is outside."""
    try:
        parts = urlsplit(href.strip())
    except ValueError:
        return None
    if parts.scheme or parts.netloc:
        return None
    path = unquote(parts.path)
    member = posixpath.normpath(posixpath.join(posixpath.dirname(base), path)) if path else base
    if member.startswith(("/", "../")) or member == "..":
        return None
    return member, unquote(parts.fragment)
