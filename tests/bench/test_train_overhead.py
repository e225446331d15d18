"""The engine must train nearly as fast as a bare loop of forward, backward and step on the same model and batch."""

import torch
import torch.nn.functional as F

from aabench.data import Transform, draw_epoch
from aabench.train.interrupt import StopRequest
from aabench.train.loop import train_steps
from aabench.train.progress import Silent
from aabench.train.state import TrainingState
from tests.bench.interleave import interleave
from tests.train.small import plan, sets

STEPS = 8
"""Steps a turn: one epoch."""
BATCH = 64


def test_the_engine_against_a_bare_loop(benchmark):
    chosen = plan(
        model="resnet20_cifar", arguments={}, input_size=32, recipe_changes={"batch_size": BATCH, "epochs": 1000}
    )
    train_set, test_set = sets(train=STEPS * BATCH)
    ours, bare = TrainingState(chosen, train_set, test_set), TrainingState(chosen, train_set, test_set)
    transform = Transform("cifar100", (32, 32))
    images, labels = draw_epoch(0, 0, len(train_set)).batch(train_set.images, train_set.labels, slice(0, BATCH))
    batch = transform(images).contiguous()
    bare.model.train()

    def engine():
        train_steps(ours, train_set, ours.step + STEPS, StopRequest(), Silent())

    def bare_loop():
        for _ in range(STEPS):
            bare.optimizer.zero_grad()
            F.cross_entropy(bare.model(batch), labels).backward()
            bare.optimizer.step()

    seconds = interleave({"engine": engine, "bare": bare_loop}, rounds=7)
    ratio = seconds["bare"] / seconds["engine"]
    benchmark.extra_info.update(
        threads=torch.get_num_threads(),
        engine_images_per_second=STEPS * BATCH / seconds["engine"],
        bare_images_per_second=STEPS * BATCH / seconds["bare"],
        ratio=ratio,
    )
    benchmark.pedantic(engine, rounds=1)
    assert ratio >= 0.95
