"""Results and events for programs: JSON and JSON lines.

Knows the schema of every command's JSON. Knows nothing of any one task: dataclasses become objects, a
trailing underscore (``from_``) is dropped from a key, NaN and infinities become null.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any

from ...events import Done, Event
from .clean import json_safe

SCHEMA = 1


def plain(value: Any) -> Any:
    """``value`` as JSON knows it; what has no equivalent is a TypeError, not a silent string."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [f for f in dataclasses.fields(value) if not f.metadata.get("private")]
        return {field.name.rstrip("_"): plain(getattr(value, field.name)) for field in fields}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if hasattr(value, "item"):  # a scalar of numpy or torch
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    raise TypeError(f"{type(value).__name__} has no place in JSON")


def record(done: Done) -> dict[str, Any]:
    """The one object of ``--json``."""
    return {
        "schema": SCHEMA,
        "command": done.command,
        "model": done.model,
        "document": plain(done.document),
        "partial": done.partial,
        "warnings": plain(done.warnings),
        "result": plain(done.result),
        "stats": plain(done.stats),
    }


def dumps(value: Any, indent: int | None = 2) -> str:
    """JSON text that is safe on a terminal and ends with a line feed."""
    return json_safe(json.dumps(value, ensure_ascii=False, indent=indent)) + "\n"


def event_line(event: Event) -> str:
    """One line of ``--jsonl``."""
    return dumps({"event": event.name, **plain(event)}, indent=None)
