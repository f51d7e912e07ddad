"""How a translation is wanted, and by what it is known again.

Knows languages, the user's terms and corrections, and what a saved translation depends on.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from longread.store.reading import ENGINE, EXTRACTOR
from longread.tasks import reading
from longread.tasks.translate.checks import Pair
from longread.tasks.translate.corrections import Corrections
from longread.tasks.translate.glossary import Term

if TYPE_CHECKING:
    from longread.model.load import LoadedModel

RULES = 1  # raised when cuts, prompts or tries change what a run writes


@dataclass(frozen=True)
class Wish:
    """What the user wants. ``given`` terms and ``corrections`` are kept word for word."""

    pair: Pair
    given: tuple[Term, ...] = ()
    corrections: Corrections = field(default_factory=Corrections)
    retry_failed: bool = False
    anyway: bool = False

    def key(self, job: reading.Job, loaded: LoadedModel) -> dict[str, Any]:
        """What makes a translation this one and no other. The part, the seed, terms and corrections do
        not: they may change from run to run, and what is done stays done."""
        memory = job.options.memory
        return {
            "text": job.document.sha256,
            "extractor": EXTRACTOR,
            "rules": RULES,
            "weights": loaded.weights,
            "dtype": loaded.dtype,
            "pair": [self.pair.src, self.pair.tgt],
            "window": reading.shape_of(loaded, job.options).window,
            "memory": asdict(memory) if memory.learn else None,
            "engine": ENGINE,
        }

    def lessons(self, job: reading.Job) -> str:
        """The name of the folder for what an adapter learned: one for each order of lessons."""
        return f"saves-{_digest(self._order(job))}"

    def again(self, job: reading.Job) -> str:
        """The name of a round that tries again what is there already, "" for a run that does not.

        All that its tries follow from: who asks for the same again wants it to go on, and who asks for
        anything else, such as another seed, wants another round.
        """
        if not (job.options.fresh or self.retry_failed):
            return ""
        return _digest([*self._order(job), job.options.fresh, job.options.seed])

    def _order(self, job: reading.Job) -> list[Any]:
        order: list[Any] = [job.start, job.end, self.retry_failed, self.corrections.pairs()]
        return order + [[term.source, term.target] for term in self.given]


def _digest(said: list[Any]) -> str:
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:8]
