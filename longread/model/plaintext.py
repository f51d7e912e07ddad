"""A model's ``tokenizer.json`` as a tokenizer of plain text.

Knows the layout of ``tokenizer.json`` and ``tokenizer_config.json``, and which of their tokens no
text may yield. Knows nothing of streams, of cutting, nor of tiktoken.

Text decides nothing: a book that contains the string ``<|end|>`` contains seven characters, not the
end of a turn. So the added tokens are taken out of the tokenizer, and where the model's own
vocabulary spells one of them, that entry gets a name that no text can have.
"""

from __future__ import annotations

import copy
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from longread.errors import ModelError

_NAMED = ("bos_token", "eos_token", "pad_token", "cls_token", "sep_token", "mask_token")
_LISTED = ("additional_special_tokens", "extra_special_tokens")
_HINT = "Download the model again, tokenizer.json included, or name another one with --model."


@dataclass(frozen=True)
class Plain:
    """A tokenizer that takes every string as plain text.

    ``layout`` is the JSON it was built from. ``special`` are the ids that no text yields. ``added``
    maps the id of an added token to its string, or to "" where decoding drops it.
    """

    tokenizer: Tokenizer
    layout: dict[str, Any]
    special: frozenset[int]
    added: dict[int, str]
    vocab_size: int


def load_plain(folder: str | Path) -> Plain:
    """The plain-text tokenizer of the model in ``folder``.

    Raises ModelError where ``tokenizer.json`` is missing or damaged, and where a string of text would
    yield a special token after all.
    """
    path = Path(folder) / "tokenizer.json"
    if not path.is_file():
        raise ModelError(f"no tokenizer.json in {folder}", _HINT)
    layout = _read_object(path)
    try:
        return _build(layout, _config_names(path.with_name("tokenizer_config.json")))
    except ModelError as error:
        raise ModelError(f"{path}: {error.message}", error.hint) from None
    except Exception as error:  # tokenizers raises bare Exception; the JSON's shape can be wrong anywhere
        raise ModelError(f"{path} is not a usable tokenizer: {error}", _HINT) from error


def components(part: dict[str, Any] | None) -> list[dict[str, Any]]:
    """A normalizer, pre-tokenizer or decoder of the JSON as a flat list; Sequences are unrolled."""
    if part is None:
        return []
    if part["type"] != "Sequence":
        return [part]
    inner = next(value for key, value in part.items() if key != "type")
    return [leaf for child in inner for leaf in components(child)]


def without_prefix(plain: Plain) -> Tokenizer:
    """The same tokenizer without what it does only at the beginning of a text (a dummy space).

    Shares the vocabulary with ``plain.tokenizer``; is that very object where there is no difference.
    """
    normalizer = copy.deepcopy(plain.layout.get("normalizer"))
    pre_tokenizer = copy.deepcopy(plain.layout.get("pre_tokenizer"))
    changed = False
    for part in components(pre_tokenizer):
        if part["type"] == "Metaspace" and part.get("prepend_scheme") != "never":
            part.update(prepend_scheme="never", add_prefix_space=False)
            changed = True
        elif part["type"] == "ByteLevel" and part.get("add_prefix_space"):
            part["add_prefix_space"] = False
            changed = True
    if any(part["type"] == "Prepend" for part in components(normalizer)):
        kept = [part for part in components(normalizer) if part["type"] != "Prepend"]
        normalizer = {"type": "Sequence", "normalizers": kept} if kept else None
        changed = True
    if not changed:
        return plain.tokenizer
    parts = {"normalizer": normalizer, "pre_tokenizer": pre_tokenizer}
    empty = {"version": "1.0", "model": {"type": "BPE", "vocab": {}, "merges": []}}
    donor = Tokenizer.from_str(json.dumps(empty | parts))
    twin = Tokenizer(plain.tokenizer.model)
    if normalizer is not None:
        twin.normalizer = donor.normalizer
    if pre_tokenizer is not None:
        twin.pre_tokenizer = donor.pre_tokenizer
    return twin


def _build(layout: dict[str, Any], named: set[str]) -> Plain:
    added = layout.get("added_tokens") or []
    model = layout["model"]
    model["type"] = model.get("type") or ("Unigram" if isinstance(model["vocab"], list) else "BPE")
    vocab = _vocab(model)
    # One character is part of the alphabet (some models pad with "!"); without it text would be lost.
    control = {item["content"] for item in added if item["special"] and len(item["content"]) > 1}
    control |= {name for name in named if name in vocab and _bracketed(name)}
    unk = model.get("unk_token") if model["type"] != "Unigram" else None
    unk_id = vocab.get(unk) if model["type"] != "Unigram" else model.get("unk_id")

    layout.update(added_tokens=[], post_processor=None, truncation=None, padding=None)
    if "dropout" in model:
        model["dropout"] = None
    _rename(model, control & vocab.keys())
    tokenizer = Tokenizer.from_str(json.dumps(layout))

    shown = {item["id"]: "" if item["special"] else item["content"] for item in added}
    shown.update({vocab[name]: "" for name in control & vocab.keys()})
    special = {vocab[name] for name in control & vocab.keys()}
    special |= {item["id"] for item in added if item["content"] in control or item["content"] not in vocab}
    # Added tokens that the model's own merges spell are ordinary words to it (Gemma's "\n\n").
    for item in added:
        if item["content"] not in control and item["content"] in vocab:
            if item["id"] in tokenizer.encode(item["content"], add_special_tokens=False).ids:
                shown.pop(item["id"], None)
            else:
                special.add(item["id"])
    if unk_id is not None and not _spells_everything(layout, vocab):
        special.discard(unk_id)  # characters it does not know yield it, so text does
    _check(tokenizer, special, {item["content"] for item in added} | control)
    size = 1 + max([*vocab.values(), *(item["id"] for item in added)], default=-1)
    return Plain(tokenizer, layout, frozenset(special), shown, size)


def _vocab(model: dict[str, Any]) -> dict[str, int]:
    if model["type"] == "Unigram":
        return {entry[0]: index for index, entry in enumerate(model["vocab"])}
    return dict(model["vocab"])


def _rename(model: dict[str, Any], names: set[str]) -> None:
    """Give the entries ``names`` a name that no text has, and drop the merges that spell them."""
    if not names:
        return
    nonce = secrets.token_hex(16)  # unguessable, so that no book can be written to contain it
    alias = {name: f"\ufffe{nonce}{index}\ufffe" for index, name in enumerate(sorted(names))}
    if model["type"] == "Unigram":
        model["vocab"] = [[alias.get(entry[0], entry[0]), entry[1]] for entry in model["vocab"]]
    else:
        model["vocab"] = {alias.get(name, name): index for name, index in model["vocab"].items()}
        if model.get("unk_token") in alias:
            model["unk_token"] = alias[model["unk_token"]]
    if "merges" in model:
        model["merges"] = [
            pair
            for pair, (left, right) in ((pair, split_merge(pair)) for pair in model["merges"])
            if left not in names and right not in names and left + right not in names
        ]


def split_merge(pair: str | list[str]) -> tuple[str, str]:
    """The two halves of a merge, which older files write as one string."""
    left, right = pair.split(" ", 1) if isinstance(pair, str) else pair
    return left, right


def _spells_everything(layout: dict[str, Any], vocab: dict[str, int]) -> bool:
    """Whether every character has tokens, so that the unknown token cannot arise."""
    if any(part["type"] == "ByteLevel" for part in components(layout.get("pre_tokenizer"))):
        return True
    fallback = bool(layout["model"].get("byte_fallback"))
    return fallback and all(f"<0x{byte:02X}>" in vocab for byte in range(256))


def _check(tokenizer: Tokenizer, special: set[int], names: Iterable[str]) -> None:
    """The promise of this module, tried on every added token."""
    for name in names:
        for text in (name, f"a{name}b", f" {name} ", name + name):
            if not special.isdisjoint(tokenizer.encode(text, add_special_tokens=False).ids):
                raise ModelError(f"the text {name!r} would be read as a special token", "use another model")


def _config_names(path: Path) -> set[str]:
    """Special strings that tokenizer_config.json names; an absent file names none."""
    if not path.is_file():
        return set()
    config = _read_object(path)
    values = [config.get(key) for key in _NAMED]
    for key in _LISTED:
        listed = config.get(key) or []
        values.extend(listed.values() if isinstance(listed, dict) else listed)
    texts = (value.get("content") if isinstance(value, dict) else value for value in values)
    return {text for text in texts if isinstance(text, str)}


def _bracketed(name: str) -> bool:
    """Whether a token that only the configuration names looks like a control: "!" as padding does not."""
    return len(name) > 2 and name[0] in "<[" and name[-1] in ">]"


def _read_object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} cannot be read: {error}", _HINT) from error
    if not isinstance(value, dict):
        raise ModelError(f"{path} is damaged: it holds no JSON object", _HINT)
    return value
