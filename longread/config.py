"""Options as frozen dataclasses, and where their values come from.

Knows which options all commands share, how each is spelled, what it allows, and the
order of precedence: flag, environment, config file, default. Knows nothing of Typer,
torch or any task.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import OutputError, UsageError
from .places import config_file, private_dir


@dataclass(frozen=True)
class Memory:
    """How a text is kept while it is read. ``None`` means "take it from the model".

    ``block``, ``window`` and ``sinks`` are tokens: ``window`` counts everything a query
    can see, sinks and itself included. ``rate`` is AdamW's, ``rank`` LoRA's, whose alpha is
    the same. ``reading_adapter`` says whether the kept KV is made with the adapter,
    ``answering_adapter`` whether it is on while the model writes.
    """

    block: int | None = None
    window: int | None = None
    sinks: int | None = None
    learn: bool = True
    recipe: str = "fused"
    rank: int = 16
    rate: float | None = None
    reading_adapter: bool = True
    answering_adapter: bool = True


@dataclass(frozen=True)
class Options:
    """What every command takes, apart from where its output goes.

    ``named`` are the settings that a flag or a keyword gave: what a saved reading may not overrule.
    """

    model: str = "pocket"
    device: str = "auto"
    dtype: str = "auto"
    encoding: str | None = None
    part: str | None = None
    seed: int = 0
    save: bool = True
    fresh: bool = False
    memory: Memory = Memory()
    named: frozenset[str] = frozenset()


_SWITCH = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}


@dataclass(frozen=True)
class Setting:
    """One option: its name is the flag, the key in config.toml and the Python keyword.

    ``kind`` is str, int, float, bool, tuple (of words, split at commas, each once) or
    list (of texts as they stand; a str is one). ``auto`` allows the word "auto", which
    stands for None. ``choices`` may be a function where the list is costly to come by.
    A number is ``least`` to ``most``. ``panel`` is where ``--help`` shows it.
    """

    name: str
    kind: type = str
    default: Any = None
    help: str = ""
    short: str = ""
    metavar: str = ""
    choices: tuple[str, ...] | Callable[[], Iterable[str]] = ()
    pattern: str = ""
    least: float | None = None
    most: float | None = None
    auto: bool = False
    panel: str = "Shared options"

    @property
    def flag(self) -> str:
        return f"--{self.name}"

    @property
    def keyword(self) -> str:
        """Its name as a Python keyword."""
        return self.name.replace("-", "_")

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return "LONGREAD_" + self.name.upper().replace("-", "_")

    def parse(self, value: Any, where: str) -> Any:
        """``value``, text or typed, as ``kind``; UsageError names ``where``, the value and the allowed."""
        if value is None or (self.auto and value == "auto"):
            return None
        choices = tuple(self.choices() if callable(self.choices) else self.choices)
        parsed = self._convert(value)
        words = parsed if self.kind in (tuple, list) and parsed else (parsed,)
        for word in words:
            if word is None or (choices and word not in choices):
                wrong = value if word is None else word
                hint = suggestion(str(wrong), choices) or f"give {self._allowed(choices)}"
                raise UsageError(f"{where}: {str(wrong)!r} is not allowed", hint)
        return parsed

    def _convert(self, value: Any) -> Any:
        """``value`` as ``kind``; None where it is not of that kind or out of range."""
        if self.kind is bool:
            return value if isinstance(value, bool) else _SWITCH.get(str(value).strip().lower())
        if self.kind is tuple:
            words = value.split(",") if isinstance(value, str) else value
            return tuple(dict.fromkeys(str(word).strip() for word in words)) or None
        if self.kind is list:
            texts = (
                (value,) if isinstance(value, str) else tuple(value) if isinstance(value, Iterable) else ()
            )
            return texts if texts and all(isinstance(text, str) for text in texts) else None
        if self.kind is str:
            text = os.fspath(value) if isinstance(value, os.PathLike) else value
            fits = (
                isinstance(text, str) and text.strip() and re.fullmatch(self.pattern or ".*", text, re.DOTALL)
            )
            return text if fits else None
        if isinstance(value, bool) or (self.kind is int and isinstance(value, float)):
            return None
        try:
            number = self.kind(value)
            finite = math.isfinite(number)
        except (TypeError, ValueError, OverflowError):
            return None
        low = -math.inf if self.least is None else self.least
        high = math.inf if self.most is None else self.most
        return number if finite and low <= number <= high else None

    def _allowed(self, choices: tuple[str, ...]) -> str:
        """In words, what may be given; the end of "give …"."""
        if choices:
            *others, last = choices
            return f"{', '.join(others)} or {last}" if others else last
        if self.kind in (int, float):
            number = "a whole number" if self.kind is int else "a number"
            limit = "" if self.least is None else f" of at least {self.least:g}"
            if self.most is not None and self.most < 2**53:
                limit = f" from {self.least or 0:g} to {self.most:g}"
            return ("auto or " if self.auto else "") + number + limit
        return {bool: "true or false", tuple: "words separated by commas", list: "texts"}.get(
            self.kind, self.metavar or "some text"
        )


def _memory(name: str, kind: type, default: Any = None, **rest: Any) -> Setting:
    return Setting(name, kind, default, panel="Advanced", **rest)


SHARED: tuple[Setting, ...] = (
    Setting("model", str, "pocket", "name from longread models list, local folder, or Hugging Face id on "
            "this disk", "m", "NAME|PATH"),
    Setting("device", str, "auto", "where to compute", metavar="auto|cpu|cuda|cuda:N|mps",
            pattern=r"auto|cpu|cuda(:\d+)?|mps"),
    Setting("dtype", str, "auto", "number format of the model",
            choices=("auto", "float32", "bfloat16", "float16")),
    Setting("encoding", str, None, "encoding of the text; detected where not given", metavar="NAME"),
    Setting("part", str, None, "only these chapters or this share of the book", metavar="3-7|0%-10%"),
    Setting("seed", int, 0, "seed of everything random", metavar="N", least=0, most=2**63 - 1),
    Setting("save", bool, True, "keep the reading on disk, to resume it and to use it again"),
    Setting("progress", str, "auto", "how to show progress", choices=("auto", "plain", "none")),
    Setting("quiet", bool, False, "print the answer and errors only", "q"),
    Setting("verbose", bool, False, "say more, and show the traceback of an unexpected error", "v"),
    _memory("block", int, help="tokens read at once; auto: a quarter of the window, less where memory is "
            "short", metavar="N|auto", least=1, auto=True),
    _memory("window", int, help="tokens that a token can see, sinks included; auto: the trained length, "
            "4,096 at most, less where memory is short", metavar="N|auto", least=2, auto=True),
    _memory("sinks", int, help="first tokens that stay in sight; auto: a learned sink, else 4 or more",
            metavar="N|auto", least=0, auto=True),
    _memory("learn", bool, True, help="train a temporary adapter while reading (translate: off)"),
    _memory("recipe", str, "fused", help="how the adapter is trained", choices=("fused", "paper")),
    _memory("rank", int, 16, help="rank of the adapter", metavar="N", least=1),
    _memory("lr", float, help="learning rate of the adapter; auto: 0.002, paper 0.001", metavar="X|auto",
            least=1e-9, auto=True),
)  # fmt: skip
BY_NAME = {setting.name: setting for setting in SHARED}


@dataclass(frozen=True)
class Value:
    """A setting's value and its origin: "flag", the variable, "config.toml" or "default"."""

    value: Any
    origin: str


def suggestion(word: str, known: Iterable[str]) -> str:
    """ "did you mean …?" for the nearest of ``known``, or nothing."""
    import difflib

    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else ""


def read_file(path: Path | None = None) -> dict[str, Any]:
    """The user's config.toml, each value checked; empty where there is none."""
    path = path or config_file()
    table = read_table(path, 'lines such as: model = "pocket"')
    return {key: known(key, str(path)).parse(value, f"{path}, {key}") for key, value in table.items()}


def read_table(path: Path, example: str) -> dict[str, Any]:
    """A TOML file of the user's; empty where there is none. ``UsageError`` shows the ``example``."""
    import tomllib

    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}", f"write {example}") from None


def known(key: str, where: str) -> Setting:
    """The setting called ``key``; UsageError with the nearest name where there is none."""
    if key not in BY_NAME:
        near = suggestion(key, BY_NAME)
        raise UsageError(
            f"{where}: there is no setting {key!r}", near or f"the settings are {', '.join(BY_NAME)}"
        )
    return BY_NAME[key]


def resolve(
    given: Mapping[str, Any],
    where: str = "--{}",
    environ: Mapping[str, str] | None = None,
    defaults: Mapping[str, Any] | None = None,
) -> dict[str, Value]:
    """Every shared setting with its value and origin. ``where`` words an error in ``given``;
    ``defaults`` are a job's own."""
    environ = os.environ if environ is None else environ
    kept = read_file()
    found: dict[str, Value] = {}
    for setting in SHARED:
        name = setting.name
        if given.get(name) is not None:
            found[name] = Value(setting.parse(given[name], where.format(name)), "flag")
        elif environ.get(setting.variable):
            found[name] = Value(setting.parse(environ[setting.variable], setting.variable), setting.variable)
        elif name in kept:
            found[name] = Value(kept[name], "config.toml")
        else:
            found[name] = Value((defaults or {}).get(name, setting.default), "default")
    return found


def options(values: Mapping[str, Value]) -> Options:
    """The part of ``resolve``'s answer that tasks are told."""
    of = {name: value.value for name, value in values.items()}
    memory = {name: of[name] for name in ("block", "window", "sinks", "learn", "recipe", "rank")}
    shared = {name: of[name] for name in ("model", "device", "dtype", "encoding", "part", "seed", "save")}
    named = frozenset(name for name, value in values.items() if value.origin == "flag")
    return Options(**shared, memory=Memory(**memory, rate=of["lr"]), named=named)


def write(key: str, value: str | None) -> Path:
    """Set ``key`` in config.toml, or remove it where ``value`` is None; comments in the file stay."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    path = config_file()
    setting = known(key, "config set")
    try:
        text = path.read_text(encoding="utf-8-sig") if path.exists() else ""
        table = tomlkit.parse(text)
    except (TOMLKitError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}", "mend or delete that file first") from None
    except OSError as error:
        hint = "see who may read it, or name another place with LONGREAD_HOME"
        raise UsageError(f"{path} cannot be read: {error.strerror}", hint) from None
    if value is None:
        table.pop(key, None)
    else:
        parsed = setting.parse(value, f"config set {key}")
        table[key] = "auto" if parsed is None else parsed
    spare = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        private_dir(path.parent)
        # Made with its final rights: a name or path in it is nobody else's business.
        with open(
            os.open(spare, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8", newline="\n"
        ) as file:
            file.write(tomlkit.dumps(table))
            file.flush()
            os.fsync(file.fileno())
        os.replace(spare, path)
    except OSError as error:
        spare.unlink(missing_ok=True)
        raise OutputError(f"{path} cannot be written: {error.strerror}") from None
    return path
