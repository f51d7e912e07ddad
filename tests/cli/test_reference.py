"""docs/reference/cli.md is what the code says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from longread.cli.app import commands
from longread.config import SHARED

ROOT = Path(__file__).parents[2]


def test_the_reference_is_up_to_date(cli_env):
    ran = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "generate.py"), "--check"],
        capture_output=True, text=True, env=cli_env(False), timeout=240,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr


def test_it_names_every_command_flag_and_variable():
    text = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    for name, command in commands().items():
        assert f"## longread {name}" in text
        for param in command.params:
            for flag in (*param.opts, *param.secondary_opts):
                if flag.startswith("--") and flag != "--help":
                    assert f"`{flag}`" in text, flag
    for setting in SHARED:
        assert f"`{setting.variable}`" in text
