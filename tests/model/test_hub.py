"""``models pull`` against a real server on loopback: what arrives, and every fault on the way."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from longread.errors import Interrupted, LongreadError, ModelError, OutputError, UnsupportedError, UsageError
from longread.events import Done, Note, Transfer
from longread.model import cached, fetch, find, hub
from tests.hub_server import COMMIT, Hub, digest
from tests.hub_server import hub as running

REPO = "maker/small-model"
WEIGHTS = os.urandom(200_000)
FILES = {
    "config.json": b'{"model_type": "llama", "hidden_size": 8}',
    "tokenizer.json": b"{}",
    "tokenizer_config.json": b"",
    "LICENSE": b"Do as you like.",
    "README.md": b"not needed",
    "run_me.py": b"raise SystemExit('never')",
    "pytorch_model.bin": b"never",
    "../evil.json": b"never",
    "model.safetensors": WEIGHTS,
}


@pytest.fixture(scope="module", autouse=True)
def session():
    """huggingface_hub's client is made once, which is most of a test's time, and closed in the end."""
    import huggingface_hub

    yield
    huggingface_hub.close_session()


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A hub with one model, and a cache of this test's own."""
    from huggingface_hub import constants

    with running({REPO: dict(FILES)}) as state:
        monkeypatch.setattr(constants, "ENDPOINT", state.url)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(fetch, "PAUSES", (0.0, 0.0))
        monkeypatch.setenv("HF_TOKEN", "hf_secret")
        yield state


def pulled(name: str = REPO) -> hub.Pulled:
    *_, done = hub.pull(name)
    assert isinstance(done, Done)
    return done.result


def failed(kind: type[LongreadError], name: str = REPO) -> LongreadError:
    """The error that a pull ends in, which must be one line and a hint."""
    with pytest.raises(kind) as caught:
        pulled(name)
    assert "\n" not in caught.value.message + caught.value.hint and caught.value.hint
    return caught.value


def partial() -> Path:
    return cached.repo_folder(REPO) / "blobs" / (digest("model.safetensors", WEIGHTS) + cached.PARTIAL)


def test_what_is_needed_arrives_and_nothing_else(server: Hub):
    result = pulled()
    folder = Path(result.folder)
    wanted = {"config.json", "tokenizer.json", "tokenizer_config.json", "LICENSE", "model.safetensors"}
    assert {path.name for path in folder.iterdir()} == wanted
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert result.bytes == result.fetched == sum(len(FILES[name]) for name in wanted)
    assert result.licence == "apache-2.0" and folder.name == COMMIT
    assert find.find_model(REPO).folder == folder
    assert [*cached.repos()] == [REPO]


def test_other_programs_find_it_where_they_look(server: Hub):
    from huggingface_hub import hf_hub_download, scan_cache_dir

    result = pulled()
    found = hf_hub_download(REPO, "model.safetensors", cache_dir=cached.cache_folder(), local_files_only=True)
    assert Path(found) == Path(result.folder) / "model.safetensors"
    (repo,) = scan_cache_dir(cached.cache_folder()).repos
    assert repo.repo_id == REPO and repo.size_on_disk == result.bytes


def test_a_second_pull_asks_and_fetches_nothing(server: Hub):
    first = pulled()
    server.requests.clear()
    second = pulled()
    assert (second.fetched, second.folder) == (0, first.folder)
    assert [request.path for request in server.requests] == [f"/api/models/{REPO}"]


def test_a_file_that_was_spoilt_since_is_fetched_again(server: Hub):
    weights = Path(pulled().folder) / "model.safetensors"
    blob = weights.resolve()
    sound = blob.read_bytes()
    blob.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))  # of the same size
    server.requests.clear()
    pulled()
    assert weights.read_bytes() == sound
    assert sum("resolve" in request.path for request in server.requests) == 1  # and no other


def test_progress_counts_bytes_to_the_end(server: Hub, monkeypatch):
    monkeypatch.setattr(hub, "_OFTEN", 0.0)
    events = [*hub.pull(REPO)]
    moves = [event for event in events if isinstance(event, Transfer)]
    assert [move.done for move in moves] == sorted(move.done for move in moves)
    assert moves[-1].done == moves[-1].total == pulled().bytes
    assert len(moves) > 5 and moves[-1].bytes_per_second > 0 and moves[-1].seconds_left == 0
    assert any(isinstance(event, Note) and "0.2 MB" in event.text for event in events)


def test_the_token_goes_to_the_hub_and_to_nobody_else(server: Hub):
    pulled()
    by_host = {request.host.partition(":")[0]: request.authorization for request in server.requests}
    assert by_host == {"127.0.0.1": "Bearer hf_secret", "localhost": None}


def test_a_model_in_pieces_comes_whole(server: Hub):
    pieces = {f"model-0000{at}-of-00002.safetensors": os.urandom(50_000) for at in (1, 2)}
    index = (
        b'{"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}'
    )
    rest = {name: data for name, data in FILES.items() if name != "model.safetensors"}
    server.repos[REPO] = {**rest, **pieces, cached.INDEX: index, "consolidated.safetensors": b"other"}
    server.faults.append(("00002", "status", 404))
    failed(ModelError)
    with pytest.raises(ModelError, match="has not arrived whole"):
        find.find_model(REPO)
    folder = Path(pulled().folder)
    assert cached.missing_weights(folder) == [] and not (folder / "consolidated.safetensors").exists()
    (folder / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(ModelError, match="1 of the weight files"):
        find.find_model(REPO)


def test_missing_or_private(server: Hub):
    error = failed(ModelError, "maker/no-such")
    assert "has no model maker/no-such, or it is private" in error.message
    server.faults.append(("model.safetensors", "status", 404))
    failed(ModelError)


def test_gated(server: Hub):
    server.faults.append(("config.json", "gated", 0))
    error = failed(ModelError)
    assert (
        "is gated" in error.message and f"{server.url}/{REPO}" in error.hint and "hf auth login" in error.hint
    )


def test_too_many_requests_is_told_with_the_time_to_wait(server: Hub):
    server.faults += [("model.safetensors", "status", 429)]
    error = failed(ModelError)
    assert "(429)" in error.message and "wait 120 seconds" in error.hint


@pytest.mark.parametrize("part", ["/api/models/", "tokenizer.json", "/cdn/"])
def test_trouble_that_passes_is_waited_out(server: Hub, part):
    server.faults += [(part, "status", 500), (part, "status", 503)]
    assert pulled().fetched
    assert server.count(part) == 3


@pytest.mark.parametrize("part", ["/api/models/", "/cdn/"])
def test_trouble_that_stays_is_told(server: Hub, part):
    server.faults += [(part, "status", 500)] * 3
    error = failed(ModelError)
    assert "trouble of its own (500)" in error.message and "goes on where it stopped" in error.hint


def test_a_cut_download_goes_on_by_itself(server: Hub):
    server.faults += [("/cdn/", "cut", 100_000)] * 4  # more cuts than tries: each brings something
    assert (Path(pulled().folder) / "model.safetensors").read_bytes() == WEIGHTS
    starts = [request.range for request in server.requests if request.path.startswith("/cdn/")]
    assert starts[0] is None and all(start for start in starts[1:]) and len(starts) > 1


def test_a_cut_download_is_resumed_by_the_next_pull(server: Hub):
    server.faults += [("/cdn/", "cut", 65_536), *[("/cdn/", "status", 500)] * 3]
    failed(ModelError)
    kept = partial().stat().st_size
    assert 0 < kept < len(WEIGHTS)
    with pytest.raises(ModelError, match="has not arrived whole") as caught:
        find.find_model(REPO)
    assert f"models pull {REPO}" in caught.value.hint
    server.requests.clear()
    server.faults.clear()
    result = pulled()
    assert (Path(result.folder) / "model.safetensors").read_bytes() == WEIGHTS
    assert result.fetched == len(WEIGHTS) - kept
    assert [r.range for r in server.requests if r.path.startswith("/cdn/")] == [f"bytes={kept}-"]


def test_a_server_without_ranges_is_read_from_the_start(server: Hub):
    server.faults += [("/cdn/", "cut", 65_536), ("/cdn/", "no ranges", 0)]
    assert (Path(pulled().folder) / "model.safetensors").read_bytes() == WEIGHTS


@pytest.mark.parametrize("kind", ["wrong", "longer"])
def test_a_damaged_file_is_told_and_not_kept(server: Hub, kind):
    server.faults.append(("/cdn/", kind, 0))
    error = failed(ModelError)
    assert "model.safetensors arrived damaged" in error.message
    assert not partial().with_suffix("").exists() and not (partial().exists() and partial().stat().st_size)
    assert pulled().fetched == len(WEIGHTS)


def test_what_was_left_half_and_damaged_is_found_out(server: Hub):
    server.faults += [("/cdn/", "cut", 65_536), *[("/cdn/", "status", 500)] * 3]
    failed(ModelError)
    with open(partial(), "r+b") as file:
        file.write(b"\0\0\0\0\0\0\0\0")
    failed(ModelError)
    assert pulled().fetched == len(WEIGHTS)
    partial().with_suffix("").unlink()
    partial().write_bytes(WEIGHTS + b"more")
    assert (Path(pulled().folder) / "model.safetensors").read_bytes() == WEIGHTS


def test_a_silent_server_is_told_and_a_slow_one_is_waited_for(server: Hub, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.4)
    server.faults += [("/cdn/", "slow", 0.02)]
    assert pulled().fetched
    partial().with_suffix("").unlink()
    server.faults += [("/cdn/", "stall", 0.8), *[("/cdn/", "silent", 0.8)] * 3]
    error = failed(ModelError)
    assert "did not answer in time" in error.message and partial().stat().st_size > 0


def test_nobody_there(server: Hub, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    error = failed(ModelError)
    assert "127.0.0.1:9 cannot be reached" in error.message and "HF_ENDPOINT" in error.hint


def test_a_page_in_the_way_is_no_hub(server: Hub):
    server.faults.append(("/api/models/", "page", 0))
    assert "does not answer as a hub does" in failed(ModelError).message
    server.faults.append(("/cdn/", "page", 0))
    assert "arrived damaged" in failed(ModelError).message
    assert (Path(pulled().folder) / "model.safetensors").read_bytes() == WEIGHTS


def test_offline_is_offline(server: Hub, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE is set" in failed(ModelError).message
    assert not server.requests


def test_a_disk_too_small_is_told_before_anything_comes(server: Hub, monkeypatch):
    monkeypatch.setattr(hub, "_SPARE", 1 << 60)
    error = failed(OutputError)
    assert "needs 0.2 MB more" in error.message and "HF_HOME" in error.hint
    assert not server.count("/resolve/")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk that is always full")
def test_a_disk_that_fills_up_is_told(server: Hub):
    partial().parent.mkdir(parents=True)
    partial().symlink_to("/dev/full")
    error = failed(OutputError)
    assert "the disk is full" in error.message and str(cached.repo_folder(REPO)) in error.message


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs a user whom the system can refuse")
def test_a_folder_that_may_not_be_written(server: Hub):
    cached.cache_folder().mkdir()
    cached.cache_folder().chmod(0o500)
    assert "cannot be written" in failed(OutputError).message


def test_stopping_keeps_what_came(server: Hub, monkeypatch):
    monkeypatch.setattr(hub, "_OFTEN", 0.0)
    events = hub.pull(REPO)
    for event in events:
        if isinstance(event, Transfer) and event.chapter == "model.safetensors" and event.done > 50_000:
            break
    with pytest.raises(Interrupted, match="is kept"):
        events.throw(Interrupted("interrupted"))
    kept = partial().stat().st_size
    assert 0 < kept < len(WEIGHTS) and pulled().fetched == len(WEIGHTS) - kept


def test_two_at_once_do_not_write_into_each_other(server: Hub, monkeypatch):
    monkeypatch.setattr(hub, "_OFTEN", 0.0)
    first = hub.pull(REPO)
    next(event for event in first if isinstance(event, Transfer))
    assert "another process is fetching" in failed(ModelError).message
    assert isinstance([*first][-1], Done)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"model.safetensors": None}, "no model.safetensors"),
        ({"tokenizer.json": None}, "no tokenizer.json"),
        ({"config.json": b'{"is_encoder_decoder": true}'}, "encoder-decoder"),
    ],
)
def test_what_longread_could_not_use_is_turned_down_before_its_weights_come(server: Hub, change, why):
    files = {**FILES, **change}
    server.repos[REPO] = {name: data for name, data in files.items() if data is not None}
    assert why in failed(UnsupportedError).message
    assert not server.count("/cdn/")


def test_names_that_are_none(server: Hub):
    failed(UsageError, "no such thing")
    failed(UsageError, "../../etc/passwd")
    assert "comes with the program" in failed(UsageError, "pocket").message
    assert not server.requests


def test_a_name_of_the_catalogue_is_its_repository(server: Hub):
    server.repos["Qwen/Qwen3-0.6B"] = dict(FILES)
    assert pulled("qwen3-0.6b").repo == "Qwen/Qwen3-0.6B"
    found = find.find_model("qwen3-0.6b")
    assert found.entry is not None and found.entry.repo == "Qwen/Qwen3-0.6B"
    assert find.find_model("Qwen/Qwen3-0.6B").entry == found.entry


def test_a_hub_that_names_files_by_paths_writes_none(server: Hub, monkeypatch):
    from tests import hub_server

    monkeypatch.setattr(hub_server, "digest", lambda name, data: "../../../../evil")
    error = failed(ModelError)
    assert "gives no digest" in error.message


def test_the_digests_are_git_s_and_sha256():
    data = b"hello\n"
    small = fetch.Blob("a", len(data), "", False).hasher()
    small.update(data)
    assert small.hexdigest() == "ce013625030ba8dba906f756967f9e9ca394464a"  # git hash-object
    big = fetch.Blob("a", len(data), "", True).hasher()
    big.update(data)
    assert big.hexdigest() == hashlib.sha256(data).hexdigest()
