"""Run the command as a user would, in this process."""

import sys
from unittest.mock import patch

from aabench.cli.app import main


def aabench(*arguments: str) -> int:
    """``aabench ARGUMENTS``: its exit code."""
    with patch.object(sys, "argv", ["aabench", *arguments]):
        try:
            main()
        except SystemExit as end:
            return int(end.code or 0)
    return 0
