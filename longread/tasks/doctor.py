"""``longread doctor``: everything that a reading would need, looked at one by one.

Knows what can be wrong with an installation, a machine and a user's settings, and tries
each for itself. Changes nothing but the remembered speeds; the network is used where
``online`` asks for it.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from longread import config
from longread.config import Options
from longread.errors import LongreadError
from longread.model import cached, machine
from longread.places import cache_dir, config_file, data_dir

SECONDS = 10.0  # of the speed test
_LIBRARIES = ("torch", "transformers", "peft", "accelerate", "huggingface_hub", "tokenizers", "safetensors")
_ROOM = 200_000_000  # bytes of the disk under which a reading might not be saved


@dataclass(frozen=True)
class Check:
    """One thing that was looked at. ``state`` is "ok", "note" or "fails"; ``hint`` says what to do."""

    name: str
    state: str
    said: str
    hint: str = ""


def doctor(online: bool = False, seconds: float | None = None) -> Iterator[Check]:
    """Every check in turn. One that breaks down is a check that fails; the next one goes on."""
    values: dict[str, config.Value] = {}
    yield from _kept("settings", lambda: _settings(values))
    options = config.options(values) if values else Options()
    for name, look in (
        ("Python", _python),
        ("libraries", _libraries),
        ("folders", _folders),
        ("devices", _devices),
        ("number formats", lambda: _formats(options)),
        ("attention", lambda: _attention(options)),
        ("models", lambda: _models(options)),
        ("speed", lambda: _speed(options, SECONDS if seconds is None else seconds)),
        ("network", lambda: _network(online)),
    ):
        yield from _kept(name, look)


def _kept(name: str, look: Callable[[], Iterator[Check]]) -> Iterator[Check]:
    try:
        yield from look()
    except LongreadError as error:
        yield Check(name, "fails", error.message, error.hint)
    except Exception as error:  # whatever is broken here, the rest is still worth knowing
        lines = str(error).strip().splitlines()
        said = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
        yield Check(name, "fails", said, "install longread anew, in an environment of its own")


def _settings(values: dict[str, config.Value]) -> Iterator[Check]:
    from longread.model.catalog import catalogue

    values.update(config.resolve({}))
    own = [f"{name} = {found.value}" for name, found in values.items() if found.origin != "default"]
    yield Check("settings", "ok", f"{config_file()}: {', '.join(own) or 'nothing set, all defaults'}")
    mine = [entry.name for entry in catalogue().values() if entry.own]
    if mine:
        yield Check("settings", "ok", f"{config_file().with_name('models.toml')}: {', '.join(mine)}")


def _python() -> Iterator[Check]:
    state = "ok" if sys.version_info >= (3, 11) else "fails"
    said = f"{platform.python_version()} on {platform.system()} {platform.release()}, {platform.machine()}"
    yield Check("Python", state, said, "" if state == "ok" else "longread needs Python 3.11")


def _libraries() -> Iterator[Check]:
    from packaging.requirements import Requirement

    try:
        asked = [Requirement(text) for text in metadata.requires("longread") or ()]
    except metadata.PackageNotFoundError:  # run from the source tree
        asked = [Requirement(name) for name in _LIBRARIES]
    found, wrong = [], []
    for need in asked:
        if need.marker is not None and not need.marker.evaluate({"extra": ""}):
            continue
        try:
            version = metadata.version(need.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{need.name} is missing")
            continue
        if not need.specifier.contains(version, prereleases=True):
            wrong.append(f"{need.name} {version} is there, {need.specifier} is needed")
        if need.name.replace("-", "_") in _LIBRARIES:
            found.append(f"{need.name} {version}")
    for text in wrong:
        yield Check("libraries", "fails", text, "install longread anew, in an environment of its own")
    yield Check("libraries", "ok", ", ".join(found))


def _folders() -> Iterator[Check]:
    places = {"readings": data_dir(), "cache": cache_dir(), "models": cached.cache_folder()}
    for name, folder in places.items():
        there = next(path for path in (folder, *folder.parents) if path.exists())
        free = shutil.disk_usage(there).free
        said = f"{name} in {folder}, {free / 1e9:.1f} GB free"
        if not (there.is_dir() and os.access(there, os.W_OK)):
            yield Check("folders", "fails", f"{said}; it may not be written", _elsewhere(name))
        elif free < _ROOM:
            yield Check("folders", "fails", f"{said}: too little", _elsewhere(name))
        else:
            yield Check("folders", "ok", said)


def _elsewhere(name: str) -> str:
    return f"set {'HF_HOME' if name == 'models' else 'LONGREAD_HOME'} to a folder on another disk"


def _devices() -> Iterator[Check]:
    import torch

    room = f"{machine.memory() / 1e9:.1f} GB of memory"
    threads, cores = torch.get_num_threads(), machine.cores()
    at_work = f"{threads} thread{'s' * (threads != 1)} on {cores} core{'s' * (cores != 1)}"
    yield Check("devices", "ok", f"cpu: {at_work}, {room}")
    for at in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        about = torch.cuda.get_device_properties(at)
        size = f"{about.total_memory / 1e9:.1f} GB"
        yield Check(
            "devices", "ok", f"cuda:{at}: {about.name}, {size}, capability {about.major}.{about.minor}"
        )
    if torch.backends.mps.is_available():
        yield Check("devices", "ok", "mps: Apple's GPU")
    card = next(iter(machine.nvidia()), None)
    if card is not None and not torch.cuda.is_available():
        said = f"{card[0]} is here, and torch {torch.__version__} cannot use it"
        yield Check("devices", "note", said, "install the build of torch that fits the card's driver")


def _formats(options: Options) -> Iterator[Check]:
    import torch

    from longread.model.load import pick_device, pick_dtype

    place = pick_device(options.device)
    chosen = str(pick_dtype(options.dtype, place)).removeprefix("torch.")
    rates = {name: _rate(torch, getattr(torch, name), place) for name in ("float32", "bfloat16", "float16")}
    told = [
        f"{name} {'does not compute' if rate is None else f'{rate / 1e9:,.0f} GFLOP/s'}"
        for name, rate in rates.items()
    ]
    state = "ok" if rates[chosen] is not None else "fails"
    hint = "" if state == "ok" else "longread config set dtype auto"
    yield Check("number formats", state, f"{chosen} is taken on {place}; {', '.join(told)}", hint)


def _rate(torch: Any, dtype: Any, place: Any) -> float | None:
    """FLOP/s of a matrix product in a fifth of a second at most; None where it cannot be computed."""
    size, count = 256, 0
    try:
        a = torch.ones(size, size, dtype=dtype, device=place)
        float((a @ a)[0, 0])
        began = time.perf_counter()
        while time.perf_counter() - began < 0.1:
            for _ in range(4):
                b = a @ a
            float(b[0, 0])  # waits for the device
            count += 4
        return count * 2 * size**3 / (time.perf_counter() - began)
    except RuntimeError:
        return None


def _attention(options: Options) -> Iterator[Check]:
    import torch

    from longread.model.load import pick_device, pick_dtype
    from longread.model.ways import way_of_attention

    place = pick_device(options.device)
    way, why = way_of_attention(place, pick_dtype(options.dtype, place))
    triton = "" if place.type == "cpu" else f"; triton {_version('triton')}"
    yield Check("attention", "ok", f"{way}: {why}{triton} (torch {torch.__version__})")


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "is not installed"


def _models(options: Options) -> Iterator[Check]:
    from longread.model.find import find_model
    from longread.tasks.models import listing

    found = find_model(options.model)
    trust = f": {found.entry.trust.says}" if found.entry is not None else ""
    yield Check("models", "ok", f"{options.model} is the default{trust}")
    here = [row.name for row in listing(options.model).rows if row.here in ("yes", "partly")]
    yield Check("models", "ok", f"fetched: {', '.join(here)}" if here else "none fetched; pocket is bundled")


def _speed(options: Options, seconds: float) -> Iterator[Check]:
    from longread.memory.policy import make_policy
    from longread.model.load import load_model
    from longread.tasks.speed import card_rate, reading_speeds

    loaded = load_model("pocket", make_policy, device=options.device, dtype=options.dtype)
    agrees = loaded.verdict.agrees
    said = "the bundled model's attention agrees with its own forward"
    yield (
        Check("proof", "ok", said)
        if agrees
        else Check(
            "proof",
            "fails",
            f"the bundled model was turned down: {loaded.verdict.why}",
            "try --dtype float32",
        )
    )
    for learn, speed in reading_speeds(loaded, seconds):
        what = "reading and learning" if learn else "reading"
        yield Check("speed", "ok", f"{what} with pocket: {speed:,.0f} tokens/s")
    card = machine.accelerator()
    if card is not None and loaded.backbone.device.type == "cuda":
        yield Check("speed", "ok", f"{card[0]}: {card_rate(card[0]) / 1e12:,.1f} TFLOP/s in bfloat16")


def _network(online: bool) -> Iterator[Check]:
    if not online:
        yield Check("network", "ok", "not tried; --online tries the hub")
        return
    from huggingface_hub import HfApi, constants

    from longread.model import faults
    from longread.model.catalog import catalogue

    repo = next(entry.repo for entry in catalogue().values() if entry.repo)
    hub, began = faults.host(constants.ENDPOINT), time.perf_counter()
    try:
        HfApi(endpoint=constants.ENDPOINT).model_info(repo, timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT)
    except Exception as error:
        raise faults.told(error, repo, constants.ENDPOINT, Path()) from error
    yield Check("network", "ok", f"{hub} answers in {time.perf_counter() - began:.1f} s")
