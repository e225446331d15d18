"""The bar of a training: what it shows on a terminal, and what is left where there is none."""

import io

from rich.console import Console

from aabench.cli.progress import Bar
from aabench.train import CurvePoint, Progress

POINT = CurvePoint(
    epoch=3,
    step=144,
    lr=0.125,
    train_loss=3.21,
    train_top1=20.0,
    top1=25.5,
    top5=50.25,
    test_loss=3.0,
    seconds=10.0,
    images_per_second=480.0,
)


def shown(terminal: bool, point: CurvePoint = POINT) -> str:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=120, color_system=None)
    bar: Progress = Bar(console)
    bar.start(total_steps=200, done=96)
    bar.step(step=144, loss=3.4567, accuracy=12.34, images_per_second=480.4)
    bar.epoch(point)
    bar.evaluating(256, 10_000)
    bar.finish()
    return console.file.getvalue()


def test_a_terminal_shows_loss_accuracy_speed_and_time_left():
    text = shown(terminal=True)
    assert "loss 3.457  top-1 12.3 %  480 images/s" in text
    assert "144/200" in text
    assert "evaluating 256/10000" in text
    assert ":" in text.split("images/s")[1]  # the time left


LINE = (
    "  epoch 3 (step 144): training loss 3.2100, top-1 20.00 %; test top-1 25.50 %, top-5 50.25 %; "
    "learning rate 0.125; 480 images/s\n"
)


def test_an_epoch_has_one_line_and_a_file_gets_nothing_else():
    assert shown(terminal=False) == LINE
    assert LINE.strip() in shown(terminal=True)


def test_a_detectors_epoch_has_ap_and_no_hits():
    classifiers = dict.fromkeys(("train_top1", "top1", "top5", "test_loss"))
    detector = POINT.model_copy(update={**classifiers, "AP": 25.306, "AP50": 72.5, "images_per_second": 4.25})
    assert shown(terminal=False, point=detector) == (
        "  epoch 3 (step 144): training loss 3.2100; test AP 25.31 %, AP50 72.50 %; learning rate 0.125; 4.2 images/s\n"
    )
    untested = detector.model_copy(update={"AP": None, "AP50": None})
    assert "training loss 3.2100; test not evaluated; learning rate" in shown(terminal=False, point=untested)


def test_a_detectors_step_has_no_accuracy():
    console = Console(file=io.StringIO(), force_terminal=True, width=120, color_system=None)
    bar = Bar(console)
    bar.start(total_steps=200, done=0)
    bar.step(step=2, loss=2.5, accuracy=None, images_per_second=3.14)
    bar.finish()
    assert "loss 2.500  3.1 images/s" in console.file.getvalue()


def test_an_epoch_that_was_not_evaluated_says_so():
    untested = POINT.model_copy(update={"top1": None, "top5": None, "test_loss": None})
    assert "test not evaluated; learning rate" in shown(terminal=False, point=untested)
