"""``longread translate`` at a terminal: a line typed is a paragraph translated.

Knows the order of a turn and what Ctrl-C means in it. Knows nothing of how a paragraph is
translated (``longread.tasks.translate.typed``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .. import config
from ..errors import Interrupted, LongreadError, UsageError
from ..events import Event, Text
from ..jobs import JOBS
from ..tasks.translate.typed import Typed
from .chat.plain import Plain
from .crash import foreseen
from .interrupt import Stop, follow
from .job import INTERRUPTED
from .render import screen, streams
from .translated import show_text


def converse(given: Mapping[str, Any]) -> int:
    """Translate until there is nothing more; the exit code. Ctrl-C ends a turn, and all of it only while
    the model is loaded."""
    job = JOBS["translate"]
    own, values = job.parse(given), config.resolve(given, defaults=job.defaults)
    if own.pop("layout", "target") != "target":
        raise UsageError(
            "--layout is for a text that is read; what is typed has its translation below it anyway",
            "leave it out, or name a FILE",
        )
    of = {key: value.value for key, value in values.items()}
    view = screen.choose(of["progress"], of["quiet"], of["verbose"])
    lines = Plain()
    with view, Typed(config.options(values), **own) as typed:
        code = _turn(typed.begin(), view, of["verbose"])
        while not code:
            try:
                line = lines.read(None)
            except EOFError:
                break
            except KeyboardInterrupt:
                continue
            if line.strip():
                _turn(typed.say(line), view, of["verbose"])
    return code


def _turn(events: Iterator[Event], view: screen.Screen, verbose: bool) -> int:
    """Show what happens; 0, or the exit code of what went wrong or stopped it."""
    with Stop(lambda: view.say("stopping (Ctrl-C again stops at once)")) as stop:
        try:
            for event in follow(events, stop):
                if isinstance(event, Text):
                    view.close()
                    show_text(event.text)
                else:
                    view.show(event)
            if stop.asked:  # where nothing but remarks came after it
                raise Interrupted("interrupted")
        except BrokenPipeError:
            raise
        except (Interrupted, KeyboardInterrupt):
            view.say("stopped")
            return INTERRUPTED
        except Exception as error:
            if verbose and not isinstance(error, LongreadError):
                screen.traceback(streams.Errors(), error)
            known = foreseen(error, verbose)
            view.error(known)
            return known.exit_code
        finally:
            view.close()
    return 0
