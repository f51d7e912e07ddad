"""Shared fixtures: a home of its own for every test, no network, and ways to start the program."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers share the cores; with a pool of threads each, they would wait for one another.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).parents[1]
LAUNCH = ROOT / "tests" / "cli" / "launch.py"

_blocked = False
_tried: list[str] = []


def _refuse(event: str, arguments: tuple) -> None:
    # An audit hook cannot be removed, so it looks at a switch instead.
    if _blocked and event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        _tried.append(f"the network was used: {event} {arguments!r}")  # the error may be swallowed
        raise RuntimeError(_tried[-1])


sys.addaudithook(_refuse)


@pytest.fixture
def no_network() -> Iterator[None]:
    """Any attempt to connect, send or look a name up is an error."""
    global _blocked
    _blocked = True
    _tried.clear()
    try:
        yield
    finally:
        _blocked = False
    assert not _tried, _tried


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """LONGREAD_HOME in a folder of this test; no setting of whoever runs the tests gets in."""
    for name in [*os.environ]:
        if name.startswith("LONGREAD_") or name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "PAGER"):
            monkeypatch.delenv(name)
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("LONGREAD_HOME", str(folder))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return folder


def cli_environment(stand_in: bool, **extra: str) -> dict[str, str]:
    """The environment of a child: this one's, with the source tree first on its path."""
    paths = [str(ROOT), str(ROOT / "kernels"), os.environ.get("PYTHONPATH", "")]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "PYTHONDONTWRITEBYTECODE": "1"}
    if stand_in:
        env["LONGREAD_STAND_IN"] = "1"
    return {**env, **extra}


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The tasks of tests/cli/launch.py in place of the real ones, in this process."""
    spec = importlib.util.spec_from_file_location("longread_stand_in", LAUNCH)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "longread_stand_in", module)
    spec.loader.exec_module(module)
    for name, task in module.modules().items():
        monkeypatch.setitem(sys.modules, name, task)
    return module


@pytest.fixture
def cli(
    stand_in: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., tuple[int, str, str]]:
    """``cli("summarize", "novel.txt")`` in this process with stand-in tasks: exit code, stdout, stderr."""
    from longread.cli import main

    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def cli_command() -> tuple[str, ...]:
    """What starts the program in a child, with its network blocked."""
    return (sys.executable, str(LAUNCH))


@pytest.fixture
def cli_env() -> Callable[..., dict[str, str]]:
    """``cli_env(stand_in, NAME="value")``: the environment for ``cli_command``."""
    return cli_environment


@pytest.fixture
def start_cli(tmp_path: Path, cli_command: tuple[str, ...]) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """``start_cli("summarize", path)``: the process itself, its streams piped; ended with the test."""
    children: list[subprocess.Popen[str]] = []

    def start(*arguments: object, stand_in: bool = False, **env: str) -> subprocess.Popen[str]:
        children.append(
            subprocess.Popen(
                [*cli_command, *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                cwd=tmp_path,
                env=cli_environment(stand_in, **env),
            )
        )
        return children[-1]

    yield start
    for child in children:
        if child.poll() is None:
            child.kill()
        child.wait(30)
        for stream in (child.stdout, child.stderr):
            if stream is not None:
                stream.close()


@pytest.fixture
def run_cli(tmp_path: Path, cli_command: tuple[str, ...]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """``run_cli("summarize", path)`` in a real process without a network or a terminal.

    ``stand_in=True`` replaces the tasks by those of tests/cli/launch.py; ``stdin`` is
    text for the pipe; other keywords are environment variables. Bytes are decoded as UTF-8.
    """

    def run(
        *arguments: object, stand_in: bool = False, stdin: str = "", timeout: float = 240, **env: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*cli_command, *map(str, arguments)],
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            cwd=tmp_path,
            env=cli_environment(stand_in, **env),
            timeout=timeout,
        )

    return run
