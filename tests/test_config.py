from __future__ import annotations

import os
import stat
import tomllib
from dataclasses import fields

import pytest

from longread import config
from longread.config import Memory, Options, Setting
from longread.errors import UsageError
from longread.places import config_file


def _keep(text: str) -> None:
    config_file().parent.mkdir(parents=True, exist_ok=True)
    config_file().write_text(text, encoding="utf-8")


def test_defaults_are_those_of_the_dataclasses():
    assert config.options(config.resolve({}, environ={})) == Options()


def test_each_source_overrules_the_next():
    """Flag over environment over file over default, seen by taking one away at a time."""
    _keep("rank = 3\n")
    environ = {"LONGREAD_RANK": "5"}
    seen = [
        config.resolve({"rank": "7"}, environ=environ)["rank"],
        config.resolve({}, environ=environ)["rank"],
        config.resolve({}, environ={})["rank"],
    ]
    config_file().unlink()
    seen.append(config.resolve({}, environ={})["rank"])
    assert [(value.value, value.origin) for value in seen] == [
        (7, "flag"),
        (5, "LONGREAD_RANK"),
        (3, "config.toml"),
        (16, "default"),
    ]


def test_a_value_equal_to_the_default_still_overrules():
    _keep("learn = false\nrank = 3\n")
    values = config.resolve({"learn": True, "rank": 16}, environ={})
    assert (values["learn"].value, values["rank"].value) == (True, 16)


def test_every_setting_reaches_the_options():
    """Each field that has a flag differs from its default once that flag is given."""
    given = {
        "model": "m", "device": "cuda:1", "dtype": "float16", "encoding": "big5", "part": "1-2", "seed": "9",
        "block": "64", "window": "99", "sinks": "0", "learn": False, "recipe": "paper", "rank": "2",
        "lr": "0.5", "save": False,
    }  # fmt: skip
    options = config.options(config.resolve(given, environ={}))
    unflagged = {"reading_adapter", "answering_adapter", "fresh"}
    for item in [f for f in fields(Options) if f.name not in unflagged]:
        assert getattr(options, item.name) != getattr(Options(), item.name), item.name
    for item in fields(Memory):
        if item.name not in unflagged:
            assert getattr(options.memory, item.name) != getattr(Memory(), item.name), item.name
    assert options.memory.rate == 0.5


def test_auto_takes_it_from_the_model_and_overrules_the_file():
    _keep("window = 64\nlr = 0.1\n")
    options = config.options(config.resolve({"window": "auto", "lr": "auto"}, environ={}))
    assert (options.memory.window, options.memory.rate) == (None, None)


@pytest.mark.parametrize(
    ("given", "allowed"),
    [
        ({"rank": "many"}, "a whole number of at least 1"),
        ({"rank": "0"}, "a whole number of at least 1"),
        ({"rank": 2.5}, "a whole number"),
        ({"rank": True}, "a whole number"),
        ({"sinks": "-1"}, "auto or a whole number of at least 0"),
        ({"seed": "1" + "0" * 400}, "a whole number"),
        ({"seed": str(2**63)}, "a whole number"),
        ({"lr": "nan"}, "a number"),
        ({"lr": "inf"}, "a number"),
        ({"lr": "0"}, "a number"),
        ({"device": "gpu"}, "auto|cpu|cuda|cuda:N|mps"),
        ({"device": "cuda:x"}, "cuda:N"),
        ({"dtype": "int3"}, "auto, float32, bfloat16 or float16"),
        ({"dtype": "flaot16"}, "did you mean float16?"),
        ({"learn": "maybe"}, "true or false"),
        ({"model": " "}, "NAME|PATH"),
    ],
)
def test_a_wrong_value_names_where_what_and_the_allowed(given, allowed):
    (name, value), *_ = given.items()
    with pytest.raises(UsageError) as error:
        config.resolve(given, environ={})
    assert f"--{name}" in error.value.message
    assert repr(str(value)) in error.value.message
    assert allowed in error.value.hint


def test_the_environment_is_named_in_its_errors_and_empty_means_unset():
    with pytest.raises(UsageError, match="LONGREAD_RANK: 'x'"):
        config.resolve({}, environ={"LONGREAD_RANK": "x"})
    assert config.resolve({}, environ={"LONGREAD_RANK": ""})["rank"].value == 16
    assert config.resolve({}, environ={"LONGREAD_LEARN": "0"})["learn"].value is False


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("rank = 'x'", "rank: 'x' is not allowed", "a whole number of at least 1"),
        ("rnak = 3", "there is no setting 'rnak'", "did you mean rank?"),
        ("zzzz = 3", "there is no setting 'zzzz'", "model"),
        ("rank = = 3", "is not valid TOML", 'model = "pocket"'),
        ("[memory]\nrank = 3", "there is no setting 'memory'", ""),
        ("learn = 3", "learn: '3' is not allowed", "true or false"),
    ],
)
def test_a_wrong_file_names_itself_the_key_and_the_value(text, message, hint):
    _keep(text)
    with pytest.raises(UsageError) as error:
        config.resolve({}, environ={})
    assert str(config_file()) in error.value.message
    assert message in error.value.message
    assert hint in error.value.hint


def test_write_keeps_comments_and_other_keys_and_is_private():
    _keep("# mine\nrank = 3 # small\nseed = 4\n")
    config.write("rank", "8")
    config.write("model", "some/where")
    text = config_file().read_text(encoding="utf-8")
    assert tomllib.loads(text) == {"rank": 8, "seed": 4, "model": "some/where"}
    assert "# mine" in text and "# small" in text
    config.write("rank", None)
    assert "rank" not in tomllib.loads(config_file().read_text(encoding="utf-8"))
    assert [path.name for path in config_file().parent.iterdir()] == ["config.toml"]
    if os.name == "posix":
        assert stat.S_IMODE(config_file().stat().st_mode) == 0o600


def test_write_makes_the_folder_private(monkeypatch, tmp_path):
    monkeypatch.setenv("LONGREAD_HOME", str(tmp_path / "new"))
    config.write("learn", "off")
    assert config.resolve({}, environ={})["learn"].value is False
    if os.name == "posix":
        assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


def test_write_refuses_what_reading_would_refuse():
    for key, value in (("rank", "x"), ("rnak", "3")):
        with pytest.raises(UsageError):
            config.write(key, value)
    assert not config_file().exists()


def test_a_file_that_cannot_be_read_is_told_and_stays():
    """A folder in its place: root may read any file."""
    config_file().mkdir(parents=True)
    for attempt in (lambda: config.write("rank", "4"), config.read_file):
        with pytest.raises(UsageError) as error:
            attempt()
        assert f"{config_file()} cannot be read: " in error.value.message
    assert config_file().is_dir()


def test_write_can_mend_a_file_with_a_wrong_value():
    _keep("rank = 'x'\n")
    config.write("rank", "4")
    assert config.resolve({}, environ={})["rank"].value == 4


def test_a_list_is_split_checked_and_kept_in_order():
    setting = Setting("arms", tuple, choices=lambda: ("a", "bcd"))
    assert setting.parse("bcd, a,bcd", "--arms") == ("bcd", "a")
    assert setting.parse(["a"], "arms=") == ("a",)
    with pytest.raises(UsageError, match="'bce'") as error:
        setting.parse("a,bce", "--arms")
    assert error.value.hint == "did you mean bcd?"


def test_texts_are_neither_split_nor_sorted_nor_merged():
    setting = Setting("question", list)
    assert setting.parse("Who is A, and B?", "question=") == ("Who is A, and B?",)
    asked = ["B, or A?", " A?", "B, or A?"]
    assert setting.parse(asked, "question=") == tuple(asked) == setting.parse(tuple(asked), "question=")
    for wrong in ([], [3], 3, ["A?", None]):
        with pytest.raises(UsageError, match="question="):
            setting.parse(wrong, "question=")


def test_flags_variables_and_defaults_agree_with_each_other():
    """Every default passes its own check, so that no default is one that a user could not give."""
    for setting in config.SHARED:
        assert setting.variable == f"LONGREAD_{setting.name.upper()}"
        if setting.default is not None:
            assert setting.parse(setting.default, "") == setting.default
