"""Predicting what every task of the catalog takes to train at 224 pixels: a matter of seconds, with no device."""

from time import perf_counter

from aabench.catalog import load_catalog
from aabench.models import create_model
from aabench.profile import Way
from aabench.profile.predict import predict


def test_every_task_is_predicted_in_under_90_seconds(benchmark):
    tasks = [task for task in load_catalog().tasks.values() if task.blocked is None]

    def predict_all():
        return {
            task.name: predict(
                create_model(task.model, input_size=224, num_classes=task.num_classes, device="meta", **task.arguments),
                224,
                task.num_classes,
                Way("train", 8),
            ).peak
            for task in tasks
        }

    start = perf_counter()
    peaks = benchmark.pedantic(predict_all, rounds=1)
    seconds = perf_counter() - start
    benchmark.extra_info.update(tasks=len(tasks), seconds=seconds, predicted_live=peaks)
    assert all(peak > 0 for peak in peaks.values())
    assert seconds < 90
