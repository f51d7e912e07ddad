"""``python -m longread``: the same as the command ``longread``."""

from __future__ import annotations

import sys

from longread.cli import main

if __name__ == "__main__":
    sys.exit(main())
