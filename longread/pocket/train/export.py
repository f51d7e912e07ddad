"""``python -m longread.pocket.train.export --run DIR --tokenizer DIR --out DIR``: the model's folder.

Knows the files of a transformers model. Knows no training and measures nothing: ``evaluate`` does, and fills
in the card. The weights are the running average of the run's last save, or ``--last`` the weights themselves.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from longread.errors import InputError, ModelError
from longread.pocket.train import card, talk
from longread.pocket.train.command import command, log
from longread.pocket.train.model import Shape
from longread.pocket.train.state import State

FIELDS = ("step", "tokens", "cpu_seconds", "rates", "taken")  # of a run's record, that the card tells


def write(
    out: Path,
    record: Mapping[str, Any],
    tensors: Mapping[str, Any],
    tokenizer: Path,
    *,
    kind: str,
    sink: bool,
) -> None:
    """The model's folder from a save. ``kind`` is "average" or "weights"; without a ``sink`` no token begins
    its texts. ``ModelError`` where the tokenizer is not the one that the rows were made with."""
    import torch
    from safetensors.torch import save_file

    try:
        layout = (tokenizer / "tokenizer.json").read_bytes()
    except OSError as error:
        raise InputError(f"{tokenizer} holds no tokenizer.json: {error}", "learn the vocabulary") from None
    known = record.get("tokenizer_sha256")
    if known and known != hashlib.sha256(layout).hexdigest():
        raise ModelError(
            f"the run was not made with the tokenizer in {tokenizer}", "give the one that `data` had"
        )
    # Longer rows than it was trained on, no model reads well; the decay brings the longest.
    window = min(record["shape"]["window"], record.get("longest") or record["shape"]["window"])
    shape = Shape(**{**record["shape"], "window": window})
    names = [name for name in tensors if name.startswith(f"{kind}.")]
    weights = {name.removeprefix(f"{kind}."): tensors[name].to(torch.bfloat16).contiguous() for name in names}
    config, begins = shape.config(), {"bos_token_id": 0}
    if not sink:
        config["bos_token_id"], begins = None, {}
    out.mkdir(parents=True, exist_ok=True)
    save_file(weights, out / "model.safetensors", metadata={"format": "pt"})
    (out / "model.safetensors").chmod(0o644)  # it comes out for its owner alone, and others may install it
    _json(out / "tokenizer.json", json.loads(layout) | ({"post_processor": _opening()} if sink else {}))
    (out / "chat_template.jinja").write_text(talk.TEMPLATE, encoding="utf-8")
    _json(out / "config.json", config)
    _json(out / "generation_config.json", {**begins, "eos_token_id": 1, "pad_token_id": 1})
    _json(out / "tokenizer_config.json", settings(window, sink=sink))
    facts = {field: record[field] for field in FIELDS if field in record}
    parameters = sum(tensor.numel() for tensor in weights.values())
    _json(
        out / "training.json", {**facts, "shape": shape.as_dict(), "parameters": parameters, "weights": kind}
    )
    card.write(out)


def _opening() -> dict[str, Any]:
    """The part of ``tokenizer.json`` by which every tool begins a text with the sink, as every row began."""
    first = talk.SPECIAL[0]
    sink = {"SpecialToken": {"id": first, "type_id": 0}}
    one, two = ({"Sequence": {"id": name, "type_id": at}} for at, name in enumerate("AB"))
    return {
        "type": "TemplateProcessing",
        "single": [sink, one],
        "pair": [sink, one, two],
        "special_tokens": {first: {"id": first, "ids": [0], "tokens": [first]}},
    }


def settings(window: int, *, sink: bool = True) -> dict[str, Any]:
    """``tokenizer_config.json``."""
    first, end, *others = talk.SPECIAL
    return {
        "backend": "tokenizers",
        **({"bos_token": first} if sink else {}),
        "clean_up_tokenization_spaces": False,
        "eos_token": end,
        "extra_special_tokens": others if sink else [first, *others],
        "model_max_length": window,
        "pad_token": end,
        "tokenizer_class": "TokenizersBackend",
    }


@command
def main(arguments: list[str] | None = None) -> None:
    """Write the folder."""
    parser = argparse.ArgumentParser(prog="export", description="Write a run as a transformers model.")
    parser.add_argument("--run", type=Path, required=True, help="folder of a run, or of one state it kept")
    parser.add_argument("--tokenizer", type=Path, required=True, help="folder with tokenizer.json")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--last", action="store_true", help="the last weights rather than their average")
    options = parser.parse_args(arguments)
    single = (options.run / "state.json").is_file()
    found = State.read(options.run) if single else State(options.run).newest()
    if found is None:
        raise InputError(f"{options.run} holds no save", "train first: python -m longread.pocket.train.run")
    kind = "weights" if options.last else "average"
    write(options.out, *found, options.tokenizer, kind=kind, sink=True)
    size = (options.out / "model.safetensors").stat().st_size
    log.info("%s: %.1f MB, %s after %.2f M tokens", options.out, size / 1e6, kind, found[0]["tokens"] / 1e6)


def _json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
