"""The moving line: phase, bar, share, speed, time left, chapter, in whatever width there is.

Knows how to leave out the least needed part first. Knows nothing of the job.
"""

from __future__ import annotations

from rich.console import Console, ConsoleOptions, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ...events import Progress
from . import words
from .clean import one_line


class Bar:
    """One line on the terminal; set ``event`` to move it."""

    event: Progress | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        event = self.event
        if event is None:
            return
        share = words.fraction(event.done, event.total)
        stand = words.standing(event.done, event.total, event.unit)
        stand = stand.rjust(4) if stand else ""
        speed = words.speed(event.tokens_per_second, getattr(event, "bytes_per_second", 0.0))
        left = f"{words.clock(event.seconds_left)} left" if event.seconds_left is not None else ""
        chapter = Text(one_line(event.chapter), no_wrap=True)
        # The last column stays free: writing there makes some terminals wrap.
        room = options.max_width - 1
        parts: list[tuple[Text | ProgressBar, int]] = []

        def fit(part: Text | ProgressBar, width: int, at: int | None = None) -> None:
            nonlocal room
            if width and width + (1 if parts else 0) <= room:
                room -= width + (1 if parts else 0)
                parts.insert(len(parts) if at is None else at, (part, width))

        # In order of need; ``at`` is where each then stands.
        fit(Text(stand), len(stand))
        fit(Text(left), len(left))
        phase = Text(one_line(event.phase))
        fit(phase, phase.cell_len, at=0)
        has_phase = parts[0][0] is phase if parts else False
        fit(Text(speed), len(speed), at=len(parts) - 1 if left and len(parts) > 1 else None)
        width = min(30, room // 2)  # whatever the chapter is called: a bar that changes its length confuses
        if width >= 6 and event.total > 0:
            fit(ProgressBar(total=1.0, completed=share, width=width), width, at=1 if has_phase else 0)
        if chapter.cell_len and room >= 9:
            chapter.truncate(room - 1, overflow="ellipsis")
            fit(chapter, chapter.cell_len)
        row = Table.grid(padding=(0, 1, 0, 0), pad_edge=False)
        for _, width in parts:
            row.add_column(width=width, no_wrap=True)
        row.add_row(*(part for part, _ in parts))
        yield row
