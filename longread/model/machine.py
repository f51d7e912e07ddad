"""The machine: its memory, its accelerator, how fast it multiplies.

Knows the system's own answers and nvidia-smi's. Loads no torch: the list of models must
come at once. Knows no model.
"""

from __future__ import annotations

import os
import platform
import subprocess
import time
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from longread.errors import ModelError
from longread.model.fingerprint import recall

# Left to the system and the program itself (Python, torch and PEFT take about 0.6 GB).
_OWN = 1_500_000_000
_OWN_ON_GPU = 1_000_000_000


@dataclass(frozen=True)
class Machine:
    """``memory`` in bytes, of the accelerator if there is one; ``rate`` in FLOP/s of a matrix product in the
    dtype that would be used, 0 where unknown. ``gpu`` is the accelerator's name."""

    memory: int
    cores: int
    rate: float
    gpu: str = ""
    spare: int = 0  # bytes beside an accelerator's, where weights may wait

    @property
    def bytes_a_value(self) -> int:
        """Of a weight: float32 on a CPU, bf16 on an accelerator (model/load.py, pick_dtype)."""
        return 2 if self.gpu else 4

    @property
    def kernels(self) -> bool:
        """Whether attention will run in a kernel of ours, as far as can be told without torch: a card before
        compute capability 8.0 counts too, and shrinks its sizes when memory runs out."""
        return bool(self.gpu) and find_spec("triton") is not None

    @property
    def room(self) -> int:
        """Bytes that a model may take."""
        return max(0, self.memory - (_OWN_ON_GPU if self.gpu else _OWN))

    @property
    def kind(self) -> str:
        """The kind of machine in the catalogue's words: cpu, gpu-12 or gpu-24."""
        if not self.gpu or self.memory < 10e9:
            return "cpu"
        return "gpu-24" if self.memory > 20e9 else "gpu-12"


@cache
def this_machine() -> Machine:
    """The machine that the program runs on. A CPU is measured, in a tenth of a second; a card's rate is what
    ``longread doctor`` measured of it, 0 until then."""
    card = accelerator()
    if card is None:
        return Machine(memory(), cores(), matrix_rate())
    name, room = card
    rate = recall("rates.json").get(name)
    return Machine(room, cores(), float(rate) if isinstance(rate, int | float) else 0.0, gpu=name)


def memory_on(device: str) -> Machine:
    """What a model finds on the device called ``device`` ("auto", "cuda:1"); no rate is measured."""
    cards = nvidia() if device.startswith(("auto", "cuda")) and torch_has_cuda() else ()
    number = device.partition(":")[2]
    if number.isdigit():
        cards = cards[int(number) : int(number) + 1]
    if not cards:
        return Machine(memory(), cores(), 0.0)
    if device != "auto":
        cards = cards[:1]
    spare = max(0, memory() - _OWN)
    return Machine(sum(room for _, room in cards), cores(), 0.0, gpu=cards[0][0], spare=spare)


def taken(device: str, dtype: str) -> tuple[str, str]:
    """The device, with its number, and the number format that are meant by ``device`` and ``dtype``: what
    "auto" takes as far as it can be told without torch (``model/load.py`` decides), the rest as it stands."""
    if device == "auto":
        apple = platform.system() == "Darwin" and platform.machine() == "arm64"
        device = "cuda" if accelerator() is not None else "mps" if apple else "cpu"
    kind, _, number = device.partition(":")
    if dtype == "auto":
        dtype = "bfloat16" if kind == "cuda" else "float32"
    return (kind if kind == "cpu" else f"{kind}:{number or 0}"), dtype


def refuse_device(device: str) -> None:
    """``ModelError`` for a device that this machine surely lacks; what only torch can tell passes."""
    kind, _, number = device.partition(":")
    cards = len(nvidia()) if kind == "cuda" else 0
    lacks_card = kind == "cuda" and (int(number or 0) >= cards if cards else not _torch_has_cards())
    if lacks_card or (kind == "mps" and platform.system() != "Darwin"):
        raise no_device(device)


def no_device(device: str) -> ModelError:
    """The error for a device that this machine lacks."""
    return ModelError(f"this machine has no device {device}", "use --device auto or --device cpu")


@cache
def accelerator() -> tuple[str, int] | None:
    """Name and bytes of the card that the installed torch would compute on; None for a CPU."""
    return next(iter(nvidia()), None) if torch_has_cuda() else None


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory() -> int:
    """Bytes of memory that this process may use: the machine's, or less where a container is held to less."""
    import psutil

    limits = [psutil.virtual_memory().total]
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            limits.append(int(Path(name).read_text(encoding="ascii")))
        except (OSError, ValueError):
            continue  # another system, or "max"
    return min(limits)


@cache
def nvidia() -> tuple[tuple[str, int], ...]:
    """Name and bytes of each NVIDIA card that this process may use.

    By nvidia-smi, which takes long and is asked once, and in its order; CUDA_VISIBLE_DEVICES chooses
    among them and orders them anew.
    """
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None and chosen.strip() in ("", "-1"):
        return ()
    ask = ["nvidia-smi", "--query-gpu=uuid,name,memory.total", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(ask, capture_output=True, text=True, timeout=10, check=True).stdout
        cards = []
        for line in filter(str.strip, said.splitlines()):
            left, _, mebibytes = line.rpartition(",")
            uuid, _, name = left.partition(",")
            cards.append((uuid.strip(), name.strip(), int(mebibytes) << 20))
    except (OSError, subprocess.SubprocessError, ValueError):
        return ()
    at = range(len(cards)) if chosen is None else _visible(chosen, [uuid for uuid, _, _ in cards])
    return tuple(cards[number][1:] for number in at)


def _visible(chosen: str, uuids: list[str]) -> list[int]:
    """The cards that CUDA_VISIBLE_DEVICES names, by number or the beginning of a UUID; as CUDA has it, the
    first that is none ends the list. A part of a card (MIG) counts as none: its size is not known here."""
    found: list[int] = []
    for word in map(str.strip, chosen.split(",")):
        if word.isdecimal():
            fits = [int(word)] if len(word) < 5 and int(word) < len(uuids) else []
        else:
            fits = [at for at, uuid in enumerate(uuids) if word.startswith("GPU-") and uuid.startswith(word)]
        if len(fits) != 1 or fits[0] in found:
            break
        found += fits
    return found


def torch_has_cuda() -> bool:
    """Whether the installed torch was built for CUDA, read off its files; importing it takes seconds."""
    return _torch_says("cuda")


def _torch_has_cards() -> bool:
    """The same for any cards that torch calls cuda, AMD's too."""
    return _torch_says("cuda") or _torch_says("hip")


def _torch_says(name: str) -> bool:
    import importlib.util

    found = importlib.util.find_spec("torch")
    if found is None or found.origin is None:
        return False
    try:
        text = Path(found.origin).with_name("version.py").read_text(encoding="utf-8")
    except OSError:
        return False
    lines = [line for line in text.splitlines() if line.startswith(name) and "=" in line]
    return any(line.rpartition("=")[2].strip() != "None" for line in lines)


@cache
def matrix_rate() -> float:
    """Floating-point operations a second of a float32 matrix product here; measured once, for a tenth of a
    second, so that estimates of one job are of one machine."""
    import numpy as np

    a = np.ones((384, 384), np.float32)
    _ = a @ a
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < 0.1:
        _ = a @ a
        count += 1
    return count * 2 * 384**3 / (time.perf_counter() - began)


def described(machine: Machine) -> str:
    """ "2 cores, x86_64, Linux", or the card's name."""
    system = f"{platform.system()} {platform.machine()}"
    place = machine.gpu or f"{machine.cores} core{'' if machine.cores == 1 else 's'}"
    return f"{place}, {system}"
