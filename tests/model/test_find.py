"""Names of models that lead nowhere, and folders that hold something odd: one clear error each."""

from __future__ import annotations

from pathlib import Path

import pytest

from longread.errors import ModelError
from longread.model.find import find_model, has_template
from tests.tiny import tiny_folder


@pytest.mark.parametrize(
    "name", ["~nobodyxx/m", "x" * 300, f"a/{'x' * 300}", "/" + "y" * 300, "a\0b", "", "."]
)
def test_a_name_that_nothing_can_have_is_a_missing_model(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError) as caught:
        find_model(name)
    assert caught.value.hint


def test_a_folder_that_nobody_may_look_into_is_said_to_be_one(tmp_path, monkeypatch):
    def refused(self, **_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "exists", refused)  # root, whom tests may run as, may look into every folder
    with pytest.raises(ModelError, match="Permission denied"):
        find_model(str(tmp_path / "model"))


@pytest.mark.parametrize(
    "content", ["[]", "[" * 100_000, '{"chat_template": 3}', '{"chat_template": []}', "x"]
)
def test_an_odd_tokenizer_config_is_one_that_says_nothing(tmp_path, content):
    folder = tiny_folder(tmp_path / "model", "llama", num_hidden_layers=1)
    (folder / "chat_template.jinja").unlink()
    (folder / "tokenizer_config.json").write_text(content, encoding="utf-8")
    assert not has_template(find_model(str(folder)))


@pytest.mark.parametrize("content", ["[" * 100_000, "[1]", "x", "\udcff"])
def test_an_odd_config_is_one_clear_error(tmp_path, content):
    (tmp_path / "config.json").write_text(content, encoding="utf-8", errors="surrogatepass")
    with pytest.raises(ModelError, match="config"):
        find_model(str(tmp_path))
