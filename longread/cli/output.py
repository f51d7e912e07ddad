"""Output files: written beside their place, renamed when complete, never over someone else's.

Knows which files longread wrote (``outputs.json`` among the user's data) and what stood
in them. Knows nothing of what is written.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from ..errors import OutputError
from ..places import data_dir, private_dir
from ..store import files

_PATIENCE = 20.0  # seconds; who holds the list longer than that has stopped working


class OutputFile:
    """One output. Call ``write`` as often as needed, then ``commit`` or ``discard``. ``direct`` says that
    it is a device or pipe, which takes what is written only once.

    Raises OutputError at once where the result could not be put in its place in the
    end, so that nobody waits for a summary that has nowhere to go.
    """

    def __init__(self, path: str | os.PathLike[str], force: bool = False, binary: bool = False) -> None:
        self.path = Path(os.path.expanduser(path)).absolute()
        self.force = force
        self.binary = binary
        self._file: IO[Any] | None = None
        try:
            kind = _kind(self.path)
            # A device or pipe is written to as it stands: there is nothing to replace. Its links are
            # left alone, since /dev/stdout and /dev/fd/63 lead to pipes that have no path of their own.
            self.direct = kind not in (0, stat.S_IFREG, stat.S_IFDIR)
            if not self.direct:
                self.path = self.path.resolve()
            if kind == stat.S_IFDIR:
                raise OutputError(f"{self.path} is a folder", "name a file in it with --output")
            self._spare = self.path.with_name(f".{self.path.name}.{os.getpid()}.tmp")
            if _kind(self.path.parent) != stat.S_IFDIR:
                raise OutputError(f"{self.path.parent} does not exist", "make that folder first")
            if self.path.exists():
                with _alone():
                    self._check(self.path)
            self._prove()
        except OSError as error:
            raise self._failed(error) from None

    def write(self, text: str | bytes) -> None:
        """Append ``text`` (UTF-8, line feeds as they are), or bytes to a binary file."""
        try:
            if self._file is None:
                target = self.path if self.direct else self._spare
                how = {} if self.binary else {"encoding": "utf-8", "errors": "replace", "newline": "\n"}
                self._file = open(target, "wb" if self.binary else "w", **how)  # noqa: SIM115
            self._file.write(text)
        except OSError as error:
            self.discard()
            raise self._failed(error) from None

    def commit(self, partial: bool = False) -> str:
        """Put what was written in its place, ``FILE.partial`` where ``partial``; returns that path."""
        place = self.path.with_name(self.path.name + ".partial") if partial and not self.direct else self.path
        self.write(b"" if self.binary else "")
        assert self._file is not None
        try:
            self._file.flush()
            if self.direct:
                self._file.close()
                return str(place)
            os.fsync(self._file.fileno())
            self._file.close()
            with _alone():
                self._check(place)
                if place.exists():
                    self._spare.chmod(place.stat().st_mode & 0o777)
                # Noted before it is there and again after: whoever is killed between leaves a file that
                # the list knows, the old one or the new.
                mark = _fingerprint(self._spare)
                _remember(place, [*_marks(place), mark])
                files.move(self._spare, place)
                _remember(place, mark)
            files.sync_folder(place.parent)
        except OSError as error:
            self.discard()
            raise self._failed(error) from None
        except OutputError:
            self.discard()
            raise
        if not partial:
            self._drop_partial()
        return str(place)

    def discard(self) -> None:
        """Leave nothing behind."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None
        if not self.direct:
            with contextlib.suppress(OSError):
                self._spare.unlink(missing_ok=True)

    def _prove(self) -> None:
        """OSError where nothing could be written. The spare file is not kept until the answer comes: a
        process that is killed could not take it away."""
        if not self.direct:
            self._spare.open("wb").close()
            self._spare.unlink()
        elif not os.access(self.path, os.W_OK):  # opening a pipe and closing it would end it for its reader
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    def _check(self, place: Path) -> None:
        if not self.direct and not self.force and place.exists() and _fingerprint(place) not in _marks(place):
            raise OutputError(
                f"{place} exists, and longread did not write it or it has changed since",
                "choose another --output, or replace it with --force",
            )

    def _drop_partial(self) -> None:
        partial = self.path.with_name(self.path.name + ".partial")
        if partial.is_file() and _fingerprint(partial) in _marks(partial):
            partial.unlink(missing_ok=True)

    def _failed(self, error: OSError) -> OutputError:
        return OutputError(
            f"{self.path} cannot be written: {error.strerror}", "choose another place with --output"
        )


def _kind(path: Path) -> int:
    """What stands there, its links followed, in the words of ``stat``; 0 for nothing."""
    try:
        return stat.S_IFMT(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return 0


def _fingerprint(path: Path) -> dict[str, object] | None:
    """Size and SHA-256 of what stands in the file; None where it cannot be read."""
    try:
        with path.open("rb") as file:
            return {"size": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
    except OSError:
        return None


def _ledger_file() -> Path:
    return data_dir() / "outputs.json"


def _ledger() -> dict[str, object]:
    """What longread wrote, by path. A damaged list counts as empty: then nothing is replaced."""
    try:
        table = json.loads(_ledger_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return table if isinstance(table, dict) else {}


def _marks(place: Path) -> list[object]:
    """The fingerprints by which the file at ``place`` is longread's: one, or two while it is replaced."""
    known = _ledger().get(str(place))
    return known if isinstance(known, list) else [known] if known else []


def _remember(place: Path, marks: object) -> None:
    """Note what stands at ``place``; what is gone is forgotten. For a caller that is ``_alone``."""
    table = {path: mark for path, mark in _ledger().items() if os.path.exists(path)}
    table[str(place)] = marks
    # Without the list a later run asks for --force; that is no reason to fail this one.
    with contextlib.suppress(OSError):
        private_dir(_ledger_file().parent)
        files.write(_ledger_file(), json.dumps(table, indent=0, sort_keys=True).encode())


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """No other process looks at the list or changes it meanwhile, unless no lock can be had."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            private_dir(_ledger_file().parent)
            stack.enter_context(files.locked(_ledger_file().with_name("outputs.lock"), _PATIENCE))
        yield
