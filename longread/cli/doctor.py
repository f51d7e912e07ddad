"""``longread doctor``: whether everything that a reading needs is there and works."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from .app import Command, app
from .render import checks, machine, streams


@app.command(cls=Command)
def doctor(
    online: Annotated[bool, typer.Option("--online", help="try the Hugging Face hub, too")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="the answer as one JSON object")] = False,
) -> partial[int]:
    """Look at everything that a reading needs, and time the bundled model for ten seconds.

    Exit code 1 where something would fail.
    """
    return partial(_doctor, online, as_json)


def _doctor(online: bool, as_json: bool) -> int:
    from ..tasks import doctor as task

    found = []
    for check in task.doctor(online):
        found.append(check)
        if not as_json:
            streams.show(checks.line(check))
    failing = sum(check.state == "fails" for check in found)
    if as_json:
        record = {
            "schema": machine.SCHEMA,
            "command": "doctor",
            "ok": not failing,
            "checks": machine.plain(found),
        }
        streams.show(machine.dumps(record))
    else:
        streams.show(checks.verdict(failing))
    return 1 if failing else 0
