"""The command ``longread``: its commands, its bare screen, what it makes of a mistyped one.

Knows which commands exist. Runs none: parsing ends in a function that ``main`` calls,
so that Typer stands between no error and the user.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from ..config import suggestion
from ..errors import UsageError
from .render import help as page
from .render import streams, words

Ready = Callable[[], int]
ALIASES = {"summarise": "summarize"}

WELCOME = """\
longread reads a book-length text with a model on this machine

  longread summarize sample:en                the gist of the bundled novella
  longread summarize novel.txt --by chapter   a paragraph for each chapter
  longread ask novel.txt "Who is Jane?"       an answer, and where the book says so

longread --help lists the commands, longread COMMAND --help their options.
"""


class Command(TyperCommand):
    """A command with this program's own help page."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        formatter.write(page.command_page(self, ctx))


class Commands(TyperGroup):
    """A group that knows other spellings, near misses, and a file where a command should stand."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return super().get_command(ctx, ALIASES.get(cmd_name, cmd_name))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        word = args[0]
        if self.get_command(ctx, word) is None and (word == "-" or not word.startswith("-")):
            raise UsageError(f"there is no command {word!r}", self._hint(ctx, word))
        return super().resolve_command(ctx, args)

    def _hint(self, ctx: Any, word: str) -> str:
        group = ctx.command_path
        looks_like_a_file = os.path.exists(word) or word == "-" or word.startswith("sample:") or "." in word
        if ctx.parent is None and looks_like_a_file:
            name = words.shell(word)
            return f"try: longread summarize {name}, longread score {name}, or longread read {name}"
        names = [*self.commands, *(ALIASES if ctx.parent is None else ())]
        near = suggestion(word, names)
        return near or f"the commands are {', '.join(self.commands)}; {group} --help says more"

    def format_help(self, ctx: Any, formatter: Any) -> None:
        formatter.write(page.group_page(self, ctx))


def _version(wanted: bool) -> None:
    if wanted:
        from longread import __version__

        raise typer.Exit(streams.show(f"longread {__version__}\n"))


app = typer.Typer(
    name="longread",
    cls=Commands,
    invoke_without_command=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def longread(
    ctx: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version and exit")
    ] = False,
) -> Ready | None:
    """Read a book-length text with a model on this machine: summarize it, ask it, score it.

    Text comes from FILEs, a pipe, or sample:en and sample:zh (bundled). The answer goes to stdout, everything
    else to stderr.
    """
    return (lambda: streams.show(WELCOME)) if ctx.invoked_subcommand is None else None


def program() -> Any:
    """The whole program as Typer built it, with every command."""
    # Each adds itself to ``app``, in this order.
    from . import summarize, ask, translate, continue_, chat, score, read  # noqa: F401, I001
    from . import readings, models, doctor, config  # noqa: F401

    return typer.main.get_command(app)


def commands() -> dict[str, Any]:
    """Every command by name, in the order of ``--help``."""
    return dict(program().commands)


def parse(argv: Sequence[str]) -> Ready:
    """What the command line asks for, ready to be called. UsageError where it makes no sense."""
    command = program()
    if "_LONGREAD_COMPLETE" in os.environ:
        command(args=list(argv), prog_name="longread")
    try:
        with command.make_context("longread", list(argv)) as ctx:
            return command.invoke(ctx) or (lambda: 0)
    except typer.Exit as stop:
        code = stop.exit_code
        return lambda: code
    except typer.TyperException as error:
        raise _usage(error) from None


def _usage(error: Any) -> UsageError:
    """Typer's complaint in this program's words."""
    ctx = getattr(error, "ctx", None)
    path = ctx.command_path if ctx else "longread"
    option = getattr(error, "option_name", "")
    if option and hasattr(error, "possibilities"):
        params = ctx.command.get_params(ctx)
        near = suggestion(option, [name for param in params for name in (*param.opts, *param.secondary_opts)])
        return UsageError(f"{path} has no option {option}", near or f"{path} --help lists the options")
    message = error.format_message().rstrip(".")
    return UsageError(message[:1].lower() + message[1:], f"{path} --help says more")
