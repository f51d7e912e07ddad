"""``longread models show``: one model at length."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from ... import config
from ..app import Command
from ..render import answers, models, streams
from . import AS_JSON, as_record, group


@group.command(cls=Command)
def show(
    name: Annotated[str | None, typer.Argument(metavar="NAME", show_default=False)] = None,
    probe: Annotated[bool, typer.Option("--probe", help="load it and prove its attention now")] = False,
    as_json: AS_JSON = False,
) -> partial[int]:
    """Show a model of this machine: shape, attention, chat template, LoRA targets, the probe's verdict.

    Without NAME, the default model.
    """
    return partial(_show, name, probe, as_json)


def _show(name: str | None, probe: bool, as_json: bool) -> int:
    from ...tasks.models import account

    values = config.resolve({})
    device, dtype = values["device"].value, values["dtype"].value
    about = account(name or values["model"].value, probe=probe, device=device, dtype=dtype)
    if as_json:
        return as_record("show", "model", about)
    answers.deliver(streams.Stdout(), lambda width: models.described(about))
    return 0
