"""``longread doctor``: what it says of a healthy machine, and that each thing that is wrong fails."""

from __future__ import annotations

import json

import pytest

from longread.cli import main
from longread.model.fingerprint import recall
from longread.tasks import doctor as task
from tests.hub_server import hub as running


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """``call("--json")``: exit code, stdout, stderr; the speed test is left out unless ``speed`` is given."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))

    def run(*arguments: str, speed: float = 0.0) -> tuple[int, str, str]:
        monkeypatch.setattr(task, "SECONDS", speed)
        if not speed:
            monkeypatch.setattr(task, "_speed", lambda options, seconds: iter(()))
        capsys.readouterr()
        return main(["doctor", *arguments]), *capsys.readouterr()

    return run


def test_a_healthy_machine(call, no_network):
    code, out, err = call("--json", speed=0.4)
    record = json.loads(out)
    checks = {check["name"]: check for check in record["checks"]}
    assert (code, err, record["ok"]) == (0, "", True), out
    assert {
        "Python",
        "libraries",
        "folders",
        "devices",
        "attention",
        "models",
        "proof",
        "speed",
    } <= checks.keys()
    assert "torch " in checks["libraries"]["said"] and "is taken on cpu" in checks["number formats"]["said"]
    assert "not tried" in checks["network"]["said"]
    speeds = recall("speeds.json")
    assert len(speeds) == 2 and all(value > 0 for value in speeds.values())  # for the next estimate


def test_lines_for_people(call):
    code, out, _ = call()
    assert code == 0 and out.endswith("everything works\n")
    assert all(line.startswith(("ok ", "note ", " ")) for line in out.splitlines()[:-1])


def failing(call, *arguments: str) -> dict:
    code, out, _ = call("--json", *arguments)
    record = json.loads(out)
    (check,) = (check for check in record["checks"] if check["state"] == "fails")
    assert code == 1 and record["ok"] is False and check["hint"]
    return check


def test_settings_that_make_no_sense(call, home):
    (home / "config.toml").write_text("rank = 0\n", encoding="utf-8")
    assert "rank" in failing(call)["said"]


def test_a_default_model_that_is_gone(call, home):
    (home / "config.toml").write_text('model = "qwen3-4b"\n', encoding="utf-8")
    check = failing(call)
    assert "qwen3-4b is not on this machine" in check["said"] and "models pull qwen3-4b" in check["hint"]


def test_a_device_that_is_not_there(call, monkeypatch):
    monkeypatch.setenv("LONGREAD_DEVICE", "cuda:7")
    code, out, _ = call()
    assert code == 1 and "this machine has no device cuda:7" in out


def test_a_folder_that_cannot_be(call, home, monkeypatch):
    (home / "file").write_text("x", encoding="utf-8")
    monkeypatch.setenv("LONGREAD_HOME", str(home / "file" / "below"))
    code, out, _ = call()
    assert code == 1 and "it may not be written" in out and "LONGREAD_HOME" in out


def test_a_library_that_is_too_old(call, monkeypatch):
    monkeypatch.setattr(task.metadata, "requires", lambda name: ["transformers>=99", "no-such-thing"])
    code, out, _ = call()
    assert code == 1 and ">=99 is needed" in out and "no-such-thing is missing" in out


def test_a_check_that_breaks_down_fails_alone(call, monkeypatch):
    def broken(options):
        raise RuntimeError("boom\x1b[31m")
        yield

    monkeypatch.setattr(task, "_attention", broken)
    code, out, _ = call()
    assert code == 1 and "RuntimeError: boom[31m" in out and "\x1b" not in out and "none fetched" in out


def test_the_network_is_tried_when_asked_for(call, monkeypatch):
    import huggingface_hub
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with running({"openbmb/MiniCPM5-1B": {}}) as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        code, out, _ = call("--online")
        assert code == 0 and "answers in" in out
        server.faults += [("/api/models/", "status", 503)]
        assert "(503)" in failing(call, "--online")["said"]
    assert "cannot be reached" in failing(call, "--online")["said"]
    huggingface_hub.close_session()
