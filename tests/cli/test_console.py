"""The exit code of a measurement that a signal stopped."""

import signal

import pytest

from aabench.cli.console import exit_code_of_stopped
from aabench.reproduce.termination import Terminated
from aabench.train.interrupt import Interrupted


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyboardInterrupt(), 130),
        (Terminated("stopped by SIGTERM"), 143),
        (Interrupted(signal.SIGINT, 3, 10, None), 130),
        (Interrupted(signal.SIGTERM, 3, 10, None), 143),
    ],
)
def test_128_and_the_number_of_the_signal(error, code):
    assert exit_code_of_stopped(error) == code
