"""Runs a command's jobs: one for each FILE, from its first event to its output.

Knows the order in which things happen and which exit code they end in. Knows nothing of
what a task does (``longread.jobs``), how anything looks (``render``) or how files are
replaced (``output``).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from .. import config
from ..errors import LongreadError, OutputError, UnsupportedError, UsageError
from ..events import Done, Event, Planned
from ..jobs import JOBS, JobSpec
from .crash import foreseen
from .interrupt import Stop, follow
from .output import OutputFile
from .render import answers, machine, screen, streams, words
from .render.prose import Prose

INTERRUPTED, PARTIAL = 130, 3
# Endings of files that were packed, and what packs a pipe so; zip wants a name for what is in it.
_PACKED = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz", ".zst": "zstd", ".zip": ""}
# Endings that promise more than lines of text.
_FORMATS = {".docx", ".doc", ".odt", ".rtf", ".epub", ".pdf", ".html", ".htm", ".xhtml", ".json", ".jsonl"}


class Place(Protocol):
    """Where an answer goes: stdout or a file."""

    def write(self, text: str) -> None: ...
    def commit(self, partial: bool = False) -> str: ...
    def discard(self) -> None: ...


class Run:
    """One command line: its job, its options, its files."""

    def __init__(self, job: JobSpec, files: list[str] | None, given: Mapping[str, Any]) -> None:
        self.job = job
        self.as_json, self.as_lines = bool(given.get("json")), bool(given.get("jsonl"))
        self.dry_run, self.force = bool(given.get("dry-run")), bool(given.get("force"))
        self.output: str | None = given.get("output")
        if self.as_json and self.as_lines:
            raise UsageError("--json and --jsonl contradict each other", "give one of them")
        self.files = sources(job.name, files)
        self.several = len(self.files) > 1
        self.own = job.parse(given)
        self.values = config.resolve(given, defaults=job.defaults)
        self.options = replace(config.options(self.values), fresh=bool(given.get("fresh")))
        of = {name: value.value for name, value in self.values.items()}
        self.verbose: bool = of["verbose"]
        self.screen = screen.choose(of["progress"], of["quiet"], of["verbose"])
        self._records: list[dict[str, Any]] = []
        self._names: set[str] = set()

    def each(self, work: Callable[[str, Place, Stop], int]) -> int:
        """``work`` on every file; the exit code of all of them together."""
        codes: list[int] = []
        with self.screen, Stop(self._told) as stop:
            self._make_folder()
            for at, file in enumerate(self.files, start=1):
                codes.append(self._one(file, work, stop))
                if stop.asked and at < len(self.files):
                    codes.append(INTERRUPTED)
                if codes[-1] == INTERRUPTED:
                    break
            if self._records:
                place = streams.Stdout()
                place.write(machine.dumps(self._records))
                place.commit()
        if len(codes) == 1 or codes[-1] == INTERRUPTED:
            return codes[-1]
        # Several files: 3 where some of the work is done, 1 where none is.
        return 0 if not any(codes) else PARTIAL if any(code in (0, PARTIAL) for code in codes) else 1

    def _one(self, file: str, work: Callable[[str, Place, Stop], int], stop: Stop) -> int:
        place: Place | None = None
        try:
            place = self._place(file)
            return work(file, place, stop)
        except (BrokenPipeError, KeyboardInterrupt):
            raise
        except Exception as error:
            if stop.ended:  # what it breaks off, an import for one, may end in an error of its own
                raise KeyboardInterrupt from None
            # With ``--verbose`` the traceback comes first and the sentence stays last in sight.
            if self.verbose and not isinstance(error, LongreadError):
                self.screen.close()
                screen.traceback(self.screen.stream, error)
            known = foreseen(error, self.verbose)
            if known.exit_code == INTERRUPTED:
                known = type(known)(f"{known.message}; no output was written", known.hint)
            elif self.several and file not in known.message:
                known = type(known)(f"{file}: {known.message}", known.hint)
            self.screen.error(known)
            return known.exit_code
        finally:
            self.screen.close()
            if place is not None:
                place.discard()

    def perform(self, file: str, place: Place, stop: Stop) -> int:
        """The job itself: show its events, write its answer."""
        start = self.job.plan if self.dry_run else self.job.start
        prose = None
        if self.job.streams and not (self.as_json or self.as_lines or self.dry_run):
            prose = Prose(self.screen, place)
        show = prose.show if prose else self.screen.show
        done, planned = None, None
        for event in follow(start(file, self.options, self.own), stop):
            if not (self.dry_run and isinstance(event, Planned)):  # there the plan is the answer
                show(event)
            self._meanwhile(event, place)
            if self.as_lines:
                place.write(machine.event_line(event))
                if not self.output:
                    streams.flush()
            if isinstance(event, Planned):
                planned = event
            elif isinstance(event, Done):
                done = event
        self.screen.close()
        if done is None:
            raise LongreadError(f"{self.job.name} ended without a result")
        if prose is not None:
            prose.end()
        elif not self.as_lines:
            self._answer(done, planned, place)
        written = place.commit(done.partial)
        self._finish(file, done, written)
        return 0 if not done.partial else INTERRUPTED if stop.asked else PARTIAL

    def _meanwhile(self, event: Event, place: Place) -> None:
        """What a command does with an event beside showing it."""

    def _answer(self, done: Done, planned: Planned | None, place: Place) -> None:
        if self.as_json:
            record = machine.record(done)
            if self.dry_run and done.result is None and planned is not None:
                record["result"] = machine.plain(planned)
            if self.several and isinstance(place, streams.Stdout):
                self._records.append(record)
            else:
                place.write(machine.dumps(record))
            return
        title = done.document.get("title") or "untitled"
        heading = title if self.several and isinstance(place, streams.Stdout) else ""
        answers.deliver(place, partial(answers.lines, done, planned if self.dry_run else None), heading)

    def _finish(self, file: str, done: Done, written: str) -> None:
        if self.dry_run:
            return
        self.screen.finish(done)
        if done.partial and not written:
            answers = not self.job.streams and self.job.name != "read"
            short = "the answer covers only what was read" if answers else "stopped here"
            self.screen.say(short)
        self.tell_place(written, done.partial)
        if not done.partial and not self.several:
            same = {name: self.values[name] for name in ("model", "part", "encoding")}
            same = {name: value.value for name, value in same.items() if value.origin == "flag"}
            self.screen.next_step(screen.next_command(self.job.name, file, self.own, same))
            self._name_a_better_model()

    def tell_place(self, written: str, partial: bool) -> None:
        """Where the answer is; nothing for stdout."""
        if written:
            self.screen.say(f"{'a part is' if partial else 'written'} in {screen.unbroken(written)}")

    def _name_a_better_model(self) -> None:
        """For a person who has not chosen a model yet, where one that writes would have done better."""
        if self.values["model"].origin == "default" and self.job.name not in ("read", "score", "continue"):
            self.screen.advise(better_model)

    def _place(self, file: str) -> Place:
        """Where this file's answer goes; checked before the work begins."""
        if self.output is None or self.output == "-" or self.dry_run:
            return streams.Stdout()
        path = Path(os.path.expanduser(self.output))
        if not self.output.strip():
            raise OutputError("--output names no file", "name a file, a folder, or - for standard output")
        if self.output.endswith(("/", os.sep)) and not self.several and not os.path.isdir(path):
            raise OutputError(f"{path} is no folder", "make that folder first, or leave the last sign away")
        if not self.several and not os.path.isdir(path):  # unlike Path's, it raises nothing
            return self._file(path)
        stem = file.replace(":", "-") if file.startswith("sample:") else Path(file).stem
        stem = "stdin" if file == "-" else stem
        kind = "json" if self.as_json else "jsonl" if self.as_lines else self._kind(file)
        name, count = f"{stem}.{self.job.noun}.{kind}", 2
        while name in self._names:
            name, count = f"{stem}-{count}.{self.job.noun}.{kind}", count + 1
        self._names.add(name)
        return self._file(path / name)

    def _kind(self, file: str) -> str:
        """The ending of an output in a folder."""
        return "txt"

    def _file(self, path: Path) -> OutputFile:
        refuse_packed(path)
        ending = path.suffix.lower()
        if ending in _FORMATS and not (self.as_json or self.as_lines):
            what = f"{self.job.name} writes plain text, which is no {ending} file: {path}"
            hint = f"name one that ends in .txt{f', or add --{ending[1:]}' if 'json' in ending else ''}"
            raise UnsupportedError(what, hint)
        return OutputFile(path, self.force)

    def _make_folder(self) -> None:
        if self.several and self.output not in (None, "-") and not self.dry_run:
            folder = Path(os.path.expanduser(str(self.output)))
            try:
                folder.mkdir(exist_ok=True)
            except OSError as error:
                hint = "for several FILEs, --output names a folder"
                raise OutputError(f"{folder} cannot be a folder: {error.strerror}", hint) from None

    def _told(self) -> None:
        self.screen.say("finishing this block (Ctrl-C again stops at once)")


def refuse_packed(path: Path) -> None:
    """``UnsupportedError`` for a name that promises a packed file: nothing here writes one."""
    ending = path.suffix.lower()
    if ending in _PACKED:
        plain = path.with_suffix("")
        book = plain.suffix.lower() in _FORMATS - {".json", ".jsonl"}  # stdout has its words alone
        packer = "" if book else _PACKED[ending]
        pipe = f", or pack it on its way: -o - | {packer} > {words.shell(str(path))}" if packer else ""
        raise UnsupportedError(
            f"an answer is not written packed, as {ending}: {path}",
            f"leave the ending away, {words.shell(str(plain))}{pipe}",
        )


def better_model() -> str:
    """Which model would write, where the bundled one quotes; any ``models use`` ends this."""
    from ..model.choice import recommended
    from ..model.find import find_model
    from ..model.machine import this_machine

    name = recommended(this_machine())
    if name == "pocket":
        return ""
    try:
        find_model(name)
        step = "use"
    except LongreadError:
        step = "pull"
    return f"note: pocket quotes and does not write; for one that writes: longread models {step} {name}"


def sources(command: str, files: list[str] | None) -> list[str]:
    """The FILEs, or the pipe where there are none."""
    if not files:
        if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty():
            start = f"longread {command}"
            raise UsageError(
                f"{start} needs a FILE or a pipe",
                f"try: {start} novel.txt, or: cat novel.txt | {start}, or: {start} sample:en",
            )
        return ["-"]
    if os.name == "nt":  # its shells leave patterns to the program
        import glob

        files = [path for file in files for path in (sorted(glob.glob(file)) or [file])]
    if files.count("-") > 1:
        raise UsageError("the pipe (-) can be read only once")
    return files


def run(name: str, files: list[str] | None, given: Mapping[str, Any]) -> int:
    """A command whose answer is its task's result."""
    work = Run(JOBS[name], files, given)
    return work.each(work.perform)
