"""Layers that end badly, each in its own way."""

import os
import signal
import sys
import time

from torch import nn

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


class LeavesAChild(Plain):
    """It holds stderr for longer than the audit's time."""

    def __init__(self, **options):
        super().__init__(**options)
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)


class GivesNothing(Plain):
    def project(self, o):
        return self.out(o) * float("nan")


class EvenKernel(Plain):
    qkv_kernel = 2


class OddKeys(Plain):
    def __init__(self, *, dk, **options):
        super().__init__(dk=dk + 1, **options)


class Lazy(Plain):
    def __init__(self, *, dv, **options):
        super().__init__(dv=dv, **options)
        self.out = nn.LazyConv2d(dv, 1, bias=False)


class GivesPair(Plain):
    def forward(self, x):
        return super().forward(x), None


def function():
    """No class."""
