"""Predicting what every task of the catalog takes to train at 224 pixels, on all cores and with no device."""

from time import perf_counter

from aabench.catalog import load_catalog
from aabench.cores import on_all_cores
from aabench.models import create_model
from aabench.profile import Way
from aabench.profile.predict import predict


def predicted_peak(name: str) -> int:
    task = load_catalog().task(name)
    model = create_model(task.model, input_size=224, num_classes=task.num_classes, device="meta", **task.arguments)
    return predict(model, 224, task.num_classes, Way("train", 8)).peak


def test_every_task_is_predicted_in_under_90_seconds(benchmark):
    names = [task.name for task in load_catalog().tasks.values() if task.obstacle is None]

    def predict_all():
        return dict(zip(names, on_all_cores(predicted_peak, names), strict=True))

    start = perf_counter()
    peaks = benchmark.pedantic(predict_all, rounds=1)
    seconds = perf_counter() - start
    benchmark.extra_info.update(tasks=len(names), seconds=seconds, predicted_live=peaks)
    assert all(peak > 0 for peak in peaks.values())
    assert seconds < 90
