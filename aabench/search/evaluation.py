"""The evaluator of a search over a supernet: several schemes in one pass, which share what they have in common.

Up to the first block that one of two schemes connects and the other does not, both compute the same; and the
convolutions of that block too, since attention comes after them. So the four schemes that differ at the last two blocks
only take one block more than one of them does, and all are scored: a search asks for many that are alike. The
accuracies are those of each scheme alone, to the last bit.
"""

from __future__ import annotations

import copy
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim.swa_utils import update_bn

from aabench.data import Images, Transform
from aabench.data.batch import Batch, reading
from aabench.evaluate.classify import Tally
from aabench.layers.dense_implicit_attention import State
from aabench.models.plugged import PluggedNetwork
from aabench.models.scheme import from_flags
from aabench.search.score import Flags, Score

CALIBRATION_BATCHES, CALIBRATION_BATCH = 20, 128
"""Training images that batch statistics are taken anew on. Ours."""
EVALUATION_BATCH = 256
FREE_BLOCKS = 2
"""Last blocks that every way to connect them is scored for, whichever one is asked for. Ours."""


class SupernetEvaluator:
    """Scores schemes on held-out images by the weights of a supernet.

    Args:
        supernet: trained; on ``device``. It is not changed, but for its mode.
        held_out: what schemes are scored on. An image that cannot be read counts as wrong.
        transform: from stored images to the network's input.
        calibration: training images. With them the accuracy is the expected one, after batch statistics were taken
            anew for each scheme; None rewards top-1, with the statistics of the supernet.
        device: where the supernet is.
        on_batch: called after each batch of held-out images: how many are done, and of how many.
    """

    def __init__(
        self,
        supernet: PluggedNetwork,
        held_out: Images,
        *,
        transform: Transform,
        calibration: Images | None = None,
        device: str = "cpu",
        on_batch: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        self.supernet = supernet.eval()
        self.held_out = held_out.to(device)
        self.transform = transform
        self.calibration = None if calibration is None else calibration.to(device)
        self.device = device
        self.on_batch = on_batch

    def __call__(self, schemes: Sequence[Flags]) -> dict[Flags, Score]:
        """The scores of the schemes, and of those that differ from one of them at the last two blocks only."""
        if self.calibration is None:
            return self._scores(self.supernet, _with_neighbours(schemes), calibrated_on=0)
        return {flags: self._recalibrated(flags, self.calibration) for flags in schemes}

    def _recalibrated(self, flags: Flags, calibration: Images) -> Score:
        """A scheme's score with batch statistics of its own, so that nothing of it can be shared."""
        network = copy.deepcopy(self.supernet)
        network.scheme = from_flags(flags, network.depths)
        steps = range(min(CALIBRATION_BATCHES, len(calibration) // CALIBRATION_BATCH))
        with reading(calibration.epoch(0, 0, CALIBRATION_BATCH, steps)) as shown:
            update_bn((self.transform(batch.require_images().images) for batch in shown), network)
        return self._scores(network.eval(), [flags], calibrated_on=len(steps) * CALIBRATION_BATCH)[flags]

    def _scores(self, network: PluggedNetwork, schemes: Sequence[Flags], calibrated_on: int) -> dict[Flags, Score]:
        kind = Tally if self.calibration is None else _Expected
        tallies = {flags: kind(len(self.held_out)) for flags in schemes}
        done = 0
        with torch.no_grad(), reading(self.held_out.once(EVALUATION_BATCH)) as batches:
            for batch in batches:
                self._add(network, batch, tallies)
                done += len(batch.labels) + len(batch.unreadable)
                self.on_batch(done, len(self.held_out))
        shares = shares_of_networks(schemes)
        return {
            flags: _score(tally, shares[flags] * len(self.held_out) + calibrated_on) for flags, tally in tallies.items()
        }

    def _add(self, network: PluggedNetwork, batch: Batch, tallies: Mapping[Flags, Tally]) -> None:
        for tally in tallies.values():
            tally.add_unreadable(batch.unreadable)
        if len(batch.labels):
            labels = batch.labels.to(self.device)
            shown = self.transform(batch.images.to(self.device))
            for flags, logits in logits_of_schemes(network, shown, list(tallies)):
                tallies[flags].add(batch.indices, logits.float(), labels)


class _Expected(Tally):
    """Adds the probability of the right class."""

    def __init__(self, images: int) -> None:
        super().__init__(images)
        self._probability = 0.0

    def add(self, indices: Tensor, logits: Tensor, labels: Tensor) -> None:
        super().add(indices, logits, labels)
        self._probability += float(F.softmax(logits.double(), dim=1).gather(1, labels[:, None]).sum())

    @property
    def percent(self) -> float:
        """Its mean over the images; 0 for one that could not be read."""
        return 100 * self._probability / self.images


def _score(tally: Tally, image_forwards: float) -> Score:
    top1 = tally.scores().top1_percent
    accuracy = tally.percent if isinstance(tally, _Expected) else top1
    return Score(accuracy=accuracy, top1=top1, image_forwards=image_forwards)


def logits_of_schemes(network: PluggedNetwork, x: Tensor, schemes: Sequence[Flags]) -> Iterator[tuple[Flags, Tensor]]:
    """Images (N, 3, H, W) -> each scheme's logits (N, num_classes). What schemes have in common is run once."""
    blocks = [(stage, index) for stage in network.stages_in_order for index in range(len(stage.blocks))]

    def descend(x: Tensor, state: State | None, at: int, group: Sequence[Flags]) -> Iterator[tuple[Flags, Tensor]]:
        if at == len(blocks):
            logits = network.tail(x)
            yield from ((flags, logits) for flags in group)
            return
        stage, index = blocks[at]
        branch, shortcut = stage.blocks[index](x)
        for connected in (False, True):
            part = [flags for flags in group if flags[at] is connected]
            if part:
                # What joins the two parts writes over the branch.
                own = branch if len(part) == len(group) else branch.clone()
                joined, after = stage.join(index, connected, own, shortcut, state if index else None)
                yield from descend(joined, after, at + 1, part)

    yield from descend(network.stem(x), None, 0, schemes)


def shares_of_networks(schemes: Sequence[Flags]) -> dict[Flags, float]:
    """The share of a network that each scheme takes where equal beginnings are run once; all blocks count alike."""
    blocks = len(schemes[0])
    beginnings = Counter(flags[:at] for flags in schemes for at in range(blocks))
    return {flags: sum(1 / beginnings[flags[:at]] for at in range(blocks)) / blocks for flags in schemes}


def _with_neighbours(schemes: Sequence[Flags]) -> list[Flags]:
    """Each scheme, and those that differ from it at the last blocks only."""
    ends = list(itertools.product((False, True), repeat=min(FREE_BLOCKS, len(schemes[0]))))
    return list(dict.fromkeys((*flags[: -len(end)], *end) for flags in schemes for end in ends))
