"""Options as Typer knows them: built from the settings, declared nowhere twice.

Knows how a ``Setting`` becomes a parameter and which options say where output goes.
Checks no value: ``Setting.parse`` does that for flags, environment, file and Python alike.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from ..config import SHARED, Setting

OUTPUT: tuple[Setting, ...] = (
    Setting("output", str, None, "write the answer to this file; a folder where there are several FILEs", "o",
            "FILE", panel="Output"),
    Setting("json", bool, help="the answer as one JSON object", panel="Output"),
    Setting("jsonl", bool, help="every event as a line of JSON, as it happens", panel="Output"),
    Setting("force", bool, help="replace a file that longread did not write", panel="Output"),
    Setting("dry-run", bool, help="say what would be done and how long it takes", panel="Output"),
    Setting("fresh", bool, help="read the text anew, whatever is saved", panel="Shared options"),
)  # fmt: skip

FILES = Annotated[list[str] | None, typer.Argument(metavar="FILE…", show_default=False)]


def parameter(setting: Setting) -> inspect.Parameter:
    """``setting`` as a keyword of a Typer command; None means that it was not given."""
    names = [f"-{setting.short}"] if setting.short else []
    switch = setting.kind is bool
    # A switch that is on by default needs a way to turn it off.
    names.append(f"{setting.flag}/--no-{setting.name}" if switch and setting.default else setting.flag)
    choices = () if callable(setting.choices) else setting.choices
    shown = "auto" if setting.auto and setting.default is None else setting.default
    shown = ",".join(shown) if isinstance(shown, tuple) else shown

    def complete(incomplete: str) -> list[str]:
        return [choice for choice in choices if choice.startswith(incomplete)]

    option = typer.Option(
        *names,
        help=setting.help,
        metavar=setting.metavar or "|".join(choices),
        show_default=False if shown is None or switch else str(shown),
        rich_help_panel=setting.panel,
        autocompletion=complete if choices else None,
    )
    kind = bool | None if switch else str | None
    keyword = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(setting.keyword, keyword, default=None, annotation=Annotated[kind, option])


Command = Callable[..., Any]


def takes(*own: Setting, output: Sequence[Setting] = OUTPUT) -> Callable[[Command], Command]:
    """Replace a command's ``**given`` by its own settings, then the output and the shared ones.

    The command is called with those that were given, by their flags' names.
    """
    settings = (*own, *output, *SHARED)

    def wrap(command: Command) -> Command:
        @functools.wraps(command)
        def called(**values: Any) -> Any:
            given = {s.name: values.pop(s.keyword) for s in settings}
            return command(**values, **{name: value for name, value in given.items() if value is not None})

        signature = inspect.signature(command, eval_str=True)
        fixed = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
        named = signature.replace(parameters=[*fixed, *map(parameter, settings)])
        called.__signature__ = named  # type: ignore[attr-defined]
        called.__annotations__ = {}
        called.settings = settings  # type: ignore[attr-defined]  # docs/generate.py lists them
        return called

    return wrap
