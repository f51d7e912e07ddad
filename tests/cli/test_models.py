"""``longread models``: the list, the default, what is fetched and dropped, as a user meets them."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys

import pytest

from longread import config
from longread.cli import main
from longread.model import cached
from tests.hub_server import hub as running

REPO = "Qwen/Qwen3-0.6B"  # a name of the catalogue; what is served under it is the bundled model
HOSTILE = "\x1b[31mred\u202e"


def pocket_files() -> dict[str, bytes]:
    from importlib import resources

    folder = resources.files("longread").joinpath("pocket")
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A Hugging Face cache of this test's own."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    return tmp_path / "hub"


@pytest.fixture
def call(cache, capsys):
    """``call("list")``: exit code, stdout, stderr of ``longread models list`` in this process."""

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(["models", *map(str, arguments)])
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def placed(cache):
    """``placed(name)`` lays the bundled model's files into the cache, as a pull would."""

    def place(repo: str = REPO) -> None:
        folder = cached.repo_folder(repo)
        (folder / "refs").mkdir(parents=True)
        (folder / "refs" / "main").write_text("c0ffee", encoding="ascii")
        shown = folder / "snapshots" / "c0ffee"
        shown.mkdir(parents=True)
        for name, data in pocket_files().items():
            (shown / name).write_bytes(data)

    return place


def test_the_list_is_about_this_machine(call, no_network):
    code, out, err = call("list")
    assert (code, err) == (0, "")
    lines = {line.split()[0]: line for line in out.splitlines() if line}
    assert " * " in lines["pocket"] and " en zh " in lines["pocket"]
    assert " en de +10 " in lines["granite-4.1-3b"] and "licence: Apache-2.0, all of them" in out
    for name in ("minicpm5-1b", "granite-4.1-3b", "qwen3-4b"):
        assert " no " in lines[name]
        assert any(unit in lines[name] for unit in (" min ", " h "))
    assert (
        "trusted to translate: minicpm5-1b, " in out
        and "pocket" not in out.partition("translate:")[2].splitlines()[0]
    )
    assert "not tried" in out and "for this machine: longread models pull " in out


def test_the_list_for_programs(call):
    code, out, _ = call("list", "--json")
    record = json.loads(out)
    assert code == 0 and record["command"] == "models list"
    rows = {row["name"]: row for row in record["models"]["rows"]}
    assert rows["pocket"]["default"] and rows["pocket"]["here"] == "bundled"
    assert (
        rows["qwen3-4b"]["memory"] > 8e9 and rows["qwen3-4b"]["hours_learn"] > rows["qwen3-4b"]["hours_read"]
    )
    assert record["models"]["recommended"] in rows


def test_listing_loads_no_torch(cli_env):
    code = "import sys; from longread.cli import main; main(['models', 'list']); assert 'torch' not in {}"
    code = code.format("sys.modules")
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=cli_env(False), timeout=240
    )
    assert ran.returncode == 0, ran.stderr


def test_a_user_s_own_models_are_listed_and_checked(call, home):
    (home / "models.toml").write_text(
        f'[mine]\nrepo = "me/mine"\nlicence = "{HOSTILE}"\n'.replace("\x1b", "\\u001b")
    )
    code, out, _ = call("list")
    assert code == 0 and any(line.startswith("mine ") for line in out.splitlines())
    assert "licence: Apache-2.0; mine [31mred" in out
    assert "\x1b" not in out and "\u202e" not in out
    for text, wrong in (
        ("[mine]\n", "repo is missing"),
        ('[mine]\nrepo = "../x"\n', "repo is missing or wrong"),
        ('[mine]\nrepo = "a/b"\nfolder = "/etc"\n', "no key 'folder'"),
        ('[mine]\nrepo = "a/b"\nwindow = "x"\n', "window = 'x'"),
        ("mine = 1\n", "mine is no table"),
        ("[mine\n", "not valid TOML"),
    ):
        (home / "models.toml").write_text(text, encoding="utf-8")
        code, out, err = call("list")
        assert (code, out) == (2, "") and wrong in err and str(home / "models.toml") in err


def test_what_is_in_the_cache_is_seen(call, placed):
    placed()
    placed("some/stranger")
    (cached.repo_folder("cut/off") / "blobs").mkdir(parents=True)
    (cached.repo_folder("cut/off") / "blobs" / f"abc{cached.PARTIAL}").write_bytes(b"half")
    rows = {row["name"]: row for row in json.loads(call("list", "--json")[1])["models"]["rows"]}
    assert rows["qwen3-0.6b"]["here"] == "yes"
    assert rows["some/stranger"]["here"] == "yes" and rows["some/stranger"]["parameters"] == 5_160_960
    assert rows["cut/off"]["here"] == "partly"


ODD = {"model_type": [1], "vocab_size": None, "hidden_size": "64", "max_position_embeddings": ["x"]}


@pytest.mark.parametrize("key", ["num_hidden_layers", *ODD])
def test_one_odd_model_in_the_cache_does_not_hide_the_others(call, placed, key):
    placed("some/odd")
    placed("some/stranger")
    file = next(cached.repo_folder("some/odd").glob("snapshots/*/config.json"))
    config = {**json.loads(file.read_text(encoding="utf-8")), key: ODD.get(key, {"a": 1})}
    file.write_text(json.dumps(config), encoding="utf-8")
    rows = {row["name"]: row for row in json.loads(call("list", "--json")[1])["models"]["rows"]}
    assert rows["some/odd"]["here"] == rows["some/stranger"]["here"] == "yes"
    assert call("list")[0] == 0


def test_use_writes_the_config_and_every_command_follows(call, placed, capsys):
    code, _, err = call("use", "qwen3-0.6b")
    assert code == 1 and "longread models pull qwen3-0.6b" in err
    placed()
    code, out, err = call("use", "qwen3-0.6b")
    assert (code, out) == (0, "") and "qwen3-0.6b is the default now" in err
    assert config.read_file() == {"model": "qwen3-0.6b"}
    assert " * " in next(line for line in call("list")[1].splitlines() if line.startswith("qwen3-0.6b"))
    capsys.readouterr()
    assert main(["read", "sample:en", "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["model"] == "qwen3-0.6b"


def test_use_takes_a_folder_from_wherever_it_is(call, tmp_path, monkeypatch):
    (tmp_path / "own").mkdir()
    for name, data in pocket_files().items():
        (tmp_path / "own" / name).write_bytes(data)
    monkeypatch.chdir(tmp_path)
    assert call("use", "./own")[0] == 0
    assert config.read_file() == {"model": str(tmp_path / "own")}


def test_use_says_when_a_variable_comes_first(call, monkeypatch):
    monkeypatch.setenv("LONGREAD_MODEL", "other")
    assert "LONGREAD_MODEL is set to other" in call("use", "pocket")[2]


def test_show_tells_what_the_files_tell(call, no_network):
    out = call("show", "pocket")[1]
    for text in ("5.2 M parameters", "full (4 layers)", "chat template: yes", "q_proj (4)", "not asked yet"):
        assert text in out
    about = json.loads(call("show", "--probe", "--json")[1])["model"]
    assert about["proved"] is True and about["adapter_parameters"] == 287_744
    assert "agrees with its own forward" in call("show", "pocket")[1]  # remembered


def test_rm_asks_first_and_forgets_the_default(call, placed, home):
    assert call("rm", "pocket")[0] == 2
    assert call("rm", REPO)[0] == 2
    placed()
    call("use", "qwen3-0.6b")
    code, out, err = call("rm", "qwen3-0.6b")
    assert code == 2 and "add --yes" in err and cached.repo_folder(REPO).is_dir()
    code, out, err = call("rm", "qwen3-0.6b", "--yes")
    assert code == 0 and "deleted Qwen/Qwen3-0.6B (11 MB)" in out
    assert not cached.repo_folder(REPO).exists() and "pocket again" in err
    assert config.read_file() == {}


@pytest.mark.skipif(os.name != "posix", reason="links of POSIX")
def test_rm_follows_no_link(call, placed, tmp_path):
    placed()
    (tmp_path / "precious").write_text("x", encoding="utf-8")
    (cached.repo_folder(REPO) / "link").symlink_to(tmp_path)
    assert call("rm", REPO, "--yes")[0] == 0
    assert (tmp_path / "precious").exists()


def test_pull_then_use_then_plan_in_real_processes(tmp_path, cli_env):
    """The whole way of a new user, with the environment that a user would set."""

    def longread(*arguments: str) -> subprocess.CompletedProcess[str]:
        env = cli_env(False, HF_ENDPOINT=server.url, HF_HOME=str(tmp_path / "hf"), HF_HUB_OFFLINE="0")
        command = [sys.executable, "-m", "longread", *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=env, timeout=240, cwd=tmp_path)

    with running({REPO: pocket_files()}) as server:
        ran = longread("models", "pull", "qwen3-0.6b")
        assert ran.returncode == 0, ran.stderr
        folder = ran.stdout.strip()
        assert (tmp_path / "hf" / "hub").as_posix() in folder and os.path.isfile(f"{folder}/config.json")
        assert "fetching" in ran.stderr and "longread models use qwen3-0.6b" in ran.stderr
        assert "Traceback" not in ran.stderr and "Downloading" not in ran.stderr
        server.faults += [("/api/models/", "gated", 0)]
        ran = longread("models", "pull", "qwen3-0.6b", "-q")
        assert ran.returncode == 1 and ran.stdout == ""
        first, second = ran.stderr.splitlines()
        assert first.startswith("error: ") and second.startswith("hint: ")
    assert longread("models", "use", "qwen3-0.6b").returncode == 0
    ran = longread("read", "sample:en", "--dry-run", "--json")
    assert ran.returncode == 0 and json.loads(ran.stdout)["model"] == "qwen3-0.6b"


@pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals of POSIX")
@pytest.mark.parametrize(
    ("arguments", "named"),
    [(["summarize", "n.txt"], True), (["summarize", "n.txt", "-q"], False), (["score", "n.txt"], False)],
)
def test_a_person_who_chose_no_model_is_told_of_a_better_one(
    cli_command, cli_env, tmp_path, arguments, named
):
    import pty

    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*cli_command, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        env=cli_env(True, TERM="xterm", COLUMNS="200"),
        cwd=tmp_path,
    ) as child:
        os.close(theirs)
        seen = b""
        with contextlib.suppress(OSError):  # Linux's way to say that nobody writes any more
            while piece := os.read(ours, 65536):
                seen += piece
        os.close(ours)
        assert child.wait(60) == 0
    assert (b"for one that writes: longread models pull " in seen) is named


def test_nobody_is_told_in_a_pipe_or_after_a_choice(cli, home):
    assert "models pull" not in cli("summarize", "n.txt")[2]
