"""``longread readings list``."""

from __future__ import annotations

from functools import partial

from ..app import Command
from ..render import answers, shelf, streams
from . import AS_JSON, as_record, group, library


@group.command("list", cls=Command)
def list_(as_json: AS_JSON = False) -> partial[int]:
    """List the readings, the one used last first.

    "perplexity" is with the adapter, "without" without it, both on the blocks that were scored both ways
    (every 16th); a reading that has none shows that of all it has read. Without the adapter a little
    less was in sight: longread score compares the two on equal terms.
    """
    return partial(_list, as_json)


def _list(as_json: bool) -> int:
    from ...tasks.readings import entry

    entries = [entry(one) for one in library().all()]
    if as_json:
        return as_record("list", "readings", entries)
    answers.deliver(streams.Stdout(), partial(shelf.listed, entries, shelf.now()))
    return 0
