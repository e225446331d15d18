"""What is counted, and what each convention makes of it: one small table.

Operations are counted by kind. A convention is a weight for each kind; a kind that it leaves out weighs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

MAC_KINDS = ("conv", "linear", "attention", "relative")
"""Kinds of multiply-adds: convolutions, fully connected layers, the products Q K^T and A V, relative logits."""

OTHER_KINDS = ("gate",)
"""Operations that are no multiply-adds. ``gate``: the pooling (one an input element) and the scaling (one an output
element) of Squeeze-and-Excite, Gather-Excite, BAM, CBAM, GALA, SGE and DIA, and of AW-convolution, which scales its
kernel for each image; how a gate is put together counts nothing."""

CONVENTIONS: Mapping[str, Mapping[str, int]] = {
    "macs": {"conv": 1, "linear": 1, "attention": 1, "relative": 1},
    "flops": {"conv": 2, "linear": 2, "attention": 2, "relative": 2},
    # aanet.md, section 2 (derived): convolutions 2 a multiply-add, Q K^T and A V 1, softmax and relative logits 0.
    # That gates count 1 an element is ours: without it SE-ResNet-152 gives 23.04 and does not print as 23.1.
    "aa-paper": {"conv": 2, "linear": 2, "attention": 1, "gate": 1},
}
"""Convention -> weight of each kind."""


def weigh(by_kind: Mapping[str, int], convention: str) -> int:
    """Operations by kind -> one number in a convention of :data:`CONVENTIONS`."""
    weights = CONVENTIONS[convention]
    return sum(weights.get(kind, 0) * operations for kind, operations in by_kind.items())
