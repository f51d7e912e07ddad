"""What ``longread models`` tells: the list of models on this machine's terms, and one of them at length.

Knows the catalogue, the cache, the machine and the measured speeds, and brings them
together. Loads torch for ``account`` alone. Shows nothing.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from longread.config import Memory, Options
from longread.errors import LongreadError
from longread.model import cached, fit, room
from longread.model.catalog import Entry, catalogue, trust_in
from longread.model.choice import config_of, recommended
from longread.model.families import why_in_chunks
from longread.model.find import Found, find_model, has_template
from longread.model.machine import Machine, described, this_machine
from longread.tasks import estimate


@dataclass(frozen=True)
class Row:
    """One model of the list.

    ``here`` is "bundled", "yes", "partly" (a cut download) or "no". ``hours_read`` and
    ``hours_learn`` are for a novel of 100,000 words, ``measured`` where they follow from an
    earlier reading here. ``memory`` are bytes at the peak with a window of ``reads_with``
    tokens, the largest that fits; ``fits`` is False where none does.
    """

    name: str
    repo: str
    licence: str
    parameters: int
    languages: tuple[str, ...]
    window: int
    translates: bool
    chats: bool
    says: str
    checked: str
    here: str
    default: bool
    hours_read: float | None = None
    hours_learn: float | None = None
    measured: bool = False
    memory: int = 0
    reads_with: int = 0
    fits: bool | None = None


@dataclass(frozen=True)
class Listing:
    """The list: the machine in words, its rows, and the name of the one recommended for it."""

    machine: str
    memory: int
    rows: tuple[Row, ...]
    recommended: str


def listing(default: str, machine: Machine | None = None) -> Listing:
    """Every model of the catalogue, then those of the cache that are not in it."""
    machine = machine or this_machine()
    entries = catalogue()
    rows = [_row(entry, default, machine) for entry in entries.values()]
    known = {entry.repo for entry in entries.values()}
    for repo in cached.repos():
        if repo not in known and (cached.snapshot(repo) is not None or _begun(repo)):
            found = _found(repo)
            entry = _unlisted(repo, found)
            if found is not None or _begun(repo):
                rows.append(_row(entry, default, machine))
    return Listing(described(machine), machine.memory, tuple(rows), recommended(machine))


def _row(entry: Entry, default: str, machine: Machine) -> Row:
    repo = entry.repo or ""
    found = _found(entry.name if entry.folder or not repo else repo)
    here = "bundled" if entry.folder else "yes" if found else "partly" if repo and _begun(repo) else "no"
    config = found.config if found is not None else config_of(entry)
    told: dict[str, Any] = {}
    sizes = fit.figures(config)
    if sizes.width and sizes.layers:
        how = room.fit(config, machine)
        tokens = fit.WORDS * (entry.tokens_a_word or fit.TOKENS_PER_WORD)
        read, learn, measured = _hours(tokens, found, config, how, machine)
        told = {
            "hours_read": read,
            "hours_learn": learn,
            "measured": measured,
            "memory": how.needs.total,
            "reads_with": how.sizes.window,
            "fits": how.fits,
        }
    return Row(
        name=entry.name,
        repo=repo,
        licence=entry.licence,
        parameters=entry.parameters or fit.parameter_count(config),
        languages=entry.languages,
        window=entry.window,
        translates=entry.trust.translates,
        chats=entry.trust.chats,
        says=entry.trust.says,
        checked=entry.checked,
        here=here,
        default=default in (entry.name, entry.repo),
        **told,
    )


def _hours(
    tokens: float, found: Found | None, config: dict[str, Any], how: room.Fit, machine: Machine
) -> tuple[float | None, float | None, bool]:
    """Hours for so many tokens without and with learning; whether both follow from readings made here."""
    hours, measured = [], []
    keeps = not why_in_chunks(fit.of_text(config).get("model_type"))
    for learn in (False, True):
        options = Options(memory=Memory(learn=learn))
        speed = estimate.known_speed(found, how.sizes, options, cached=keeps) if found is not None else None
        measured.append(speed is not None)
        if speed is None and machine.rate > 0:
            ways = {"learn": learn, "checkpointed": how.checkpointed, "cached": keeps}
            speed = fit.speed(config, how.sizes, machine.rate, **ways)
        hours.append(None if speed is None else tokens / speed / 3600)
    return hours[0], hours[1], all(measured)


def _found(name: str) -> Found | None:
    """The model's files if they are here and whole."""
    try:
        return find_model(name)
    except LongreadError:
        return None


def _begun(repo: str) -> bool:
    return any(cached.repo_folder(repo).glob(f"blobs/*{cached.PARTIAL}"))


def _unlisted(repo: str, found: Found | None) -> Entry:
    """A model of the cache that no catalogue names, as far as its files tell."""
    config = found.config if found is not None else {}
    count = fit.parameter_count(config)
    template = found is not None and has_template(found)
    trust = trust_in(None, count, template)
    window = fit.count(fit.of_text(config).get("max_position_embeddings"))
    return Entry(repo, trust, parameters=count, window=window, repo=repo)


@dataclass(frozen=True)
class Account:
    """One model at length, as its files tell. ``attention`` are (kind, layers), ``targets`` (name, layers) of
    the LoRA; ``proved`` is None where the probe has not been asked yet."""

    name: str
    repo: str
    folder: str
    bytes: int
    licence: str
    trust: str
    parameters: int
    kind: str
    layers: int
    width: int
    heads: int
    key_heads: int
    window: int
    attention: tuple[tuple[str, int], ...]
    rotation: str
    template: bool
    learned_sink: bool
    targets: tuple[tuple[str, int], ...]
    adapter_parameters: int
    proved: bool | None
    verdict: str


def account(name: str, *, probe: bool = False, device: str = "auto", dtype: str = "auto") -> Account:
    """All that is known of the model called ``name``; with ``probe`` it is loaded and proved now."""
    from longread.model import compat
    from longread.model.load import outline

    found = find_model(name)
    model = outline(found)
    verdict = _verdict(found, probe, device, dtype)
    config, sizes, entry = model.config, fit.figures(found.config), found.entry
    parameters = sum(p.numel() for p in model.parameters())
    kinds = Counter(compat.attention_kind(layer) for layer in compat.attention_layers(model).values())
    targets = Counter(name.rpartition(".")[2] for name in compat.linear_names(model))
    return Account(
        name=name,
        repo=(entry.repo if entry is not None else None) or "",
        folder=str(found.folder),
        bytes=sum(path.stat().st_size for path in found.folder.iterdir() if path.is_file()),
        licence=entry.licence if entry is not None else "unknown",
        trust=trust_in(entry, parameters, has_template(found)).says,
        parameters=parameters,
        kind=str(config.model_type),
        layers=sizes.layers,
        width=sizes.width,
        heads=sizes.heads,
        key_heads=sizes.kv,
        window=compat.lengths(config)[0] or 0,
        attention=tuple(kinds.items()),
        rotation=compat.rotation_kind(config),
        template=has_template(found),
        learned_sink=entry is not None and entry.learned_sink is not None,
        targets=tuple(sorted(targets.items())),
        adapter_parameters=fit.adapter_parameters(found.config, 16),
        proved=None if verdict is None else verdict.agrees,
        verdict=_said(verdict),
    )


def _verdict(found: Found, probe: bool, device: str, dtype: str) -> Any:
    """The probe's verdict on the model: asked now, or as it is remembered; None where it never was."""
    from longread.model.fingerprint import known_fingerprint
    from longread.model.load import load_model, pick_device, pick_dtype
    from longread.model.probe import known_verdict

    if probe:
        from longread.memory.policy import make_policy

        return load_model(found.name, make_policy, device=device, dtype=dtype, anew=True).verdict
    weights = known_fingerprint(found.folder)
    where = pick_device(device)
    return known_verdict(weights, pick_dtype(dtype, where), where.type) if weights else None


def _said(verdict: Any) -> str:
    if verdict is None:
        return "not asked yet: it is proved when it is first used, or now with --probe"
    if verdict.agrees:
        most = max(verdict.inside, verdict.past)
        return f"agrees with its own forward, within {most:.1e} of the logits' spread"
    return f"{verdict.why}: it is read in chunks without a cache"
