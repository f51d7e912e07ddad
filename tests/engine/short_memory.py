"""Reads a text under a real limit of memory that is set once the model is there.

    python -m tests.engine.short_memory FOLDER TEXT MEGABYTES     a line of JSON: warnings, blocks, partial

Knows how Linux limits a process's address space. The limit is what the process has, and so many megabytes.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

import longread
from longread.events import BlockRead, Done


def limit(megabytes: int) -> None:
    """From now on the process may take so many megabytes more than it has."""
    text = Path("/proc/self/status").read_text(encoding="ascii")
    held = next(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmSize:")) << 10
    resource.setrlimit(resource.RLIMIT_AS, (held + (megabytes << 20), resource.RLIM_INFINITY))


if __name__ == "__main__":
    folder, path, megabytes = sys.argv[1:]
    read = 0
    for event in longread.stream("read", path, model=folder, device="cpu", save=False):
        if isinstance(event, BlockRead):
            read += 1
            if read == 1:  # the window is still to be filled
                limit(int(megabytes))
        if isinstance(event, Done):
            row = {"warnings": event.warnings, "blocks": event.result.blocks, "partial": event.partial}
            print(json.dumps(row), flush=True)
