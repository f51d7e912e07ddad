"""The model's card: ``README.md`` from the figures that lie beside the weights.

Knows ``training.json``, which ``export`` writes, and ``evaluation.json``, which ``evaluate`` writes. Measures
nothing: a figure that is in neither file is not in the card.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

_TEMPLATE = "card.md"
# What evaluation measures: the key, what the card calls it, how it is written.
_ROWS = (
    ("bits_per_byte.en", "unseen English novels, bits a byte, window 512, blocks of 128", ".3f"),
    ("bits_per_byte.en_whole", "the same with the whole window", ".3f"),
    ("bits_per_byte.zh", "unseen Chinese novels, bits a byte, window 512, blocks of 128", ".3f"),
    ("sink_against_recompute", "perplexity of the sink cache over that of recomputing, 1 MB of text", ".4f"),
    ("questions.f1", "FairytaleQA, test split, the right section given: F1", ".3f"),
    ("questions.exact", "the same: answers that are exact", ".3f"),
    ("judgements", "whether a passage answers a question: share that is right (half are yes)", ".3f"),
    ("translation.zh-en.bleu", "Tatoeba held out, Chinese to English: BLEU", ".2f"),
    ("translation.zh-en.chrf", "the same: chrF", ".2f"),
    ("translation.en-zh.bleu", "Tatoeba held out, English to Chinese: BLEU in characters", ".2f"),
    ("translation.en-zh.chrf", "the same: chrF", ".2f"),
    ("tokens_per_second", "tokens a second while it was measured, float32 on a CPU", ",.0f"),
)

_NAMES = {
    "en": "English novels",
    "zh": "Chinese classics",
    "pairs": "sentence pairs",
    "lessons": "questions on passages and titles of chapters",
}


def write(folder: Path) -> None:
    """Write ``README.md`` in a model's folder anew; a model that ``export`` did not write keeps its own."""
    training, measured = _read(folder / "training.json"), _read(folder / "evaluation.json")
    if not training:
        return
    text = resources.files("longread.pocket.train").joinpath(_TEMPLATE).read_text(encoding="utf-8")
    shape, rates, taken = training["shape"], training["rates"], training["taken"]
    whole = sum(taken.values())
    learned = "; ".join(f"{count / whole:.0%} {_NAMES[name]}" for name, count in taken.items() if count)
    filled = {
        **shape,
        "parameters": f"{training['parameters']:,}",
        "megabytes": f"{(folder / 'model.safetensors').stat().st_size / 1e6:.1f}",
        "vocabulary": f"{shape['vocabulary']:,}",
        "rope_base": f"{shape['rope_base']:,.0f}",
        "steps": f"{training['step']:,}",
        "millions": f"{training['tokens'] / 1e6:.1f}",
        "hours": f"{training.get('cpu_seconds', 0) / 3600:.1f}",
        "learned": learned,
        "muon": rates["muon"],
        "adam": rates["adam"],
        "figures": figures(measured) or "Not measured yet: `python -m longread.pocket.train.evaluate`.",
    }
    (folder / "README.md").write_text(text.format_map(filled), encoding="utf-8")


def figures(measured: Mapping[str, Any]) -> str:
    """A table of what was measured; "" for nothing."""
    lines = []
    for key, words, form in _ROWS:
        value: Any = measured
        for part in key.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if isinstance(value, int | float):
            lines.append(f"| {words} | {value:{form}} |")
    return "\n".join(["| what | figure |", "|---|---|", *lines]) if lines else ""


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
