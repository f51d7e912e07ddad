"""The bundled model, loaded once a module, and one reading with an honest hand."""

from __future__ import annotations

import pytest

from longread.tasks import reading
from tests.tasks.scripted import OPTIONS, Hand, run


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    import os

    before = os.environ.get("LONGREAD_HOME")
    os.environ["LONGREAD_HOME"] = str(
        tmp_path_factory.mktemp("home")
    )  # the verdict of the probe is kept there
    try:
        with reading.opened("sample:en", OPTIONS) as job:
            return reading.load(job)
    finally:
        os.environ.pop("LONGREAD_HOME") if before is None else os.environ.update(LONGREAD_HOME=before)


@pytest.fixture(scope="module")
def read(loaded):
    """A run with an honest hand over two chapters."""
    hand = Hand(loaded.encoder)
    return hand, *run(loaded, hand, part="1-2")
