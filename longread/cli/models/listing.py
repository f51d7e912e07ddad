"""``longread models list``."""

from __future__ import annotations

from functools import partial

from ... import config
from ..app import Command
from ..render import answers, models, streams
from . import AS_JSON, as_record, group


@group.command("list", cls=Command)
def list_(as_json: AS_JSON = False) -> partial[int]:
    """List the models that are known, and what each would need on this machine.

    Hours are for a novel of 100,000 words, read and read with learning. A file models.toml beside config.toml
    adds models of your own.
    """
    return partial(_list, as_json)


def _list(as_json: bool) -> int:
    from ...tasks.models import listing

    found = listing(config.resolve({})["model"].value)
    if as_json:
        return as_record("list", "models", found)
    answers.deliver(streams.Stdout(), partial(models.listed, found))
    return 0
