"""``longread readings list``."""

from __future__ import annotations

from functools import partial

from ..app import Command
from ..render import answers, shelf, streams
from . import AS_JSON, as_record, group, library


@group.command("list", cls=Command)
def list_(as_json: AS_JSON = False) -> partial[int]:
    """List the readings, the one used last first; then conversations, translations and indexes.

    "perplexity" is with the adapter, "without" without it, both on the blocks that were scored both ways
    (every 16th); a reading that has none shows that of all it has read. Without the adapter a little
    less was in sight: longread score compares the two on equal terms.
    """
    return partial(_list, as_json)


def _list(as_json: bool) -> int:
    from ...tasks import kept
    from ...tasks.shelf import entry

    entries, things = [entry(one) for one in library().all()], kept.everything()
    if as_json:
        kinds = {"chats": kept.CHAT, "translations": kept.TRANSLATION, "indexes": kept.INDEX}
        others = {key: [one for one in things if one.kind == kind] for key, kind in kinds.items()}
        return as_record("list", readings=entries, **others)
    answers.deliver(streams.Stdout(), partial(shelf.listed, entries, things, shelf.now()))
    return 0
