"""Layers that end badly, each in its own way."""

import os
import signal
import sys
import time

from tests.audit.right import Plain

print("said while it is imported")


class RaisesInConstructor(Plain):
    def __init__(self, *args, **options):
        raise TypeError("needs a licence\nand a second line")


class RaisesInForward(Plain):
    def attend(self, x):
        raise RuntimeError("no kernel image")


class ExitsInForward(Plain):
    def attend(self, x):
        sys.exit(0)


class LeavesInForward(Plain):
    def attend(self, x):
        os._exit(0)


class Segfaults(Plain):
    def attend(self, x):
        print("last words", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGSEGV)


class Sleeps(Plain):
    def attend(self, x):
        if os.fork() == 0:  # a child that would keep the pipes open
            time.sleep(60)
        time.sleep(60)


class GivesPair(Plain):
    def forward(self, x):
        return super().forward(x), None


def function():
    """No class."""
