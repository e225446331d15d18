"""The section on protocols."""

from aabench.catalog import load_catalog
from aabench.record import DIVERGED, Log, Value
from aabench.report.protocols import protocols
from aabench.report.write import render
from tests.report.conftest import row


def trained(number: int, task: str, seed: int, top1: float | None, **altered: object):
    protocol, tasks = load_catalog().protocols["eaanet"], load_catalog().tasks
    fields = {"seed": seed, "altered": protocol.altered("scaled", tasks[task]) | altered}
    if top1 is None:
        return row(number, task, "train", status="failed", detail={DIVERGED: 3}, **fields)
    metrics = {"top1": top1, "train_loss": 2.5, "loss": 2.25}
    values = [Value(metric=name, value=value, unit="", convention="last") for name, value in metrics.items()]
    return row(number, task, "train", *values, detail={"curve": []}, **fields)


ROWS = (
    trained(1, "resnet18-cifar100", 0, 18.0),
    trained(2, "resnet18-cifar100", 1, 20.0),
    trained(3, "aa-resnet18-cifar100", 0, 17.0),
    trained(4, "aa-resnet18-cifar100", 1, None),
    trained(5, "aa-resnet18-cifar100", 2, 99.0, width=64),
)


def test_means_deviations_and_diverged_runs_of_each_network():
    text = "\n".join(protocols(ROWS, load_catalog()))
    assert "### eaanet (scaled-down: ours, " in text
    assert "(full)" not in text
    assert "| `resnet18-cifar100` | 2 | 19.00 ± 1.41 | 2.5000 ± 0.0000 | 2.2500 ± 0.0000 | 0 |" in text
    assert "| `aa-resnet18-cifar100` | 2 | 17.00 | 2.5000 | 2.2500 | 1 |" in text
    assert "| `eaa-resnet18-linear-cifar100` | 0 | - | - | - | 0 |" in text


def test_nothing_without_runs():
    assert protocols((), load_catalog()) == []


def test_its_trainings_stand_there_and_not_among_the_others():
    report = render(Log(ROWS), load_catalog())["report.md"].decode()
    assert "## Protocols" in report
    assert "## Training runs" not in report
    assert "Abstract (scaled-down: ours, " in report
