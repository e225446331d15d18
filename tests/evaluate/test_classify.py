"""Top-1 and top-5, and the guard that each test image counts exactly once."""

import numpy as np
import pytest
import torch
from torch import nn

from aabench.data import ImageSet, Unreadable
from aabench.errors import AABenchError
from aabench.evaluate import evaluate
from aabench.evaluate.classify import Tally, top_hits


class Lookup(nn.Module):
    """A model that reads an image's number in its first pixel, and gives the logits in that row of a table."""

    def __init__(self, table):
        super().__init__()
        self.table = nn.Parameter(table)
        self.shapes, self.dtypes = [], []
        self.frozen = nn.BatchNorm2d(3).eval()

    def forward(self, x):
        self.shapes.append(tuple(x.shape))
        self.dtypes.append((x[:, :1, 0, 0] @ self.table[:1, :1]).dtype)
        assert not self.training
        assert not torch.is_grad_enabled()
        return self.table[x[:, 0, 0, 0].long()]


def numbered(count):
    """Images that carry their number."""
    return torch.arange(count, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 2, 2)


def labelled(images, labels):
    return ImageSet(images, labels, 1000, "numbered")


def as_float(images):
    return images.float()


def test_scores_counted_by_hand():
    table = torch.tensor(
        [
            [9.0, 1, 2, 3, 4, 5, 6],  # label 0: first
            [9.0, 8, 2, 3, 4, 5, 6],  # label 1: second
            [9.0, 8, 0, 7, 6, 5, 4],  # label 2: last of seven
            [9.0, 8, 7, 5, 6, 4, 3],  # label 3: fifth
        ]
    )
    scores = evaluate(Lookup(table), labelled(numbered(4), torch.arange(4)), transform=as_float)
    assert (scores.correct, scores.rank, scores.images) == (1, 1, 4)
    assert (scores.top1_percent, scores.top5_percent) == (25.0, 75.0)
    assert scores.correct_mask.tolist() == [True, False, False, False]
    assert scores.correct_mask.dtype == torch.bool


def test_loss_of_equal_logits_is_the_logarithm_of_the_classes():
    scores = evaluate(Lookup(torch.zeros(3, 8)), labelled(numbered(3), torch.tensor([0, 3, 7])), transform=as_float)
    assert scores.loss == pytest.approx(2.0794415416798357, abs=1e-12)  # ln 8


@pytest.mark.parametrize("classes", [2, 5, 6, 100])
@pytest.mark.parametrize("batch_size", [1, 7, 64, 1000])
def test_scores_agree_with_numpy_for_every_batch_size(classes, batch_size):
    generator = torch.Generator().manual_seed(classes)
    table = torch.randn(200, classes, generator=generator)
    labels = torch.randint(0, classes, (200,), generator=generator)
    model = Lookup(table)
    done = []
    scores = evaluate(
        model, labelled(numbered(200), labels), transform=as_float, batch_size=batch_size, on_batch=done.append
    )
    ranked = np.argsort(-table.numpy(), axis=1)
    first = ranked[:, 0] == labels.numpy()
    among_five = (ranked[:, :5] == labels.numpy()[:, None]).any(1)
    shifted = table.double().numpy()
    losses = np.log(np.exp(shifted).sum(1)) - shifted[np.arange(200), labels.numpy()]
    np.testing.assert_array_equal(scores.correct_mask.numpy(), first)
    assert scores.top1_percent == pytest.approx(100 * first.mean())
    assert scores.top5_percent == pytest.approx(100 * among_five.mean())
    assert scores.loss == pytest.approx(losses.mean(), rel=1e-12)
    assert sum(shape[0] for shape in model.shapes) == 200
    assert done[-1] == 200
    assert done == sorted(done)


def test_with_five_classes_or_fewer_everything_is_among_five():
    hits = top_hits(torch.tensor([[3.0, 2, 1]] * 3), torch.tensor([0, 1, 2]))
    assert hits.tolist() == [[True, True], [False, True], [False, True]]


def tally_of(*batches):
    tally = Tally(4)
    for batch in batches:
        indices = torch.tensor(batch)
        tally.add(indices, torch.eye(4)[indices], indices)
    return tally


def test_batches_may_come_in_any_order():
    scores = tally_of([3, 1], [0, 2]).scores()
    assert scores.correct_mask.tolist() == [True] * 4
    tally = Tally(2)
    tally.add(torch.tensor([1, 0]), torch.tensor([[1.0, 0], [0, 1]]), torch.tensor([0, 0]))
    assert tally.scores().correct_mask.tolist() == [False, True]


@pytest.mark.parametrize(
    ("batches", "fault"),
    [
        (([0, 1], [2]), r"of 4 test images, 1 never \(the first: image 3\)"),
        (([0, 1], [2, 3], [1]), r"1 more than once \(the first: image 1\)"),
        (([0, 1], [1, 3]), r"1 never \(the first: image 2\) and 1 more than once \(the first: image 1\)"),
        ((), r"4 never"),
    ],
)
def test_an_image_seen_twice_or_never_is_refused(batches, fault):
    with pytest.raises(AABenchError, match=fault):
        tally_of(*batches).scores()


def test_an_image_that_is_not_in_the_set_is_refused():
    tally = tally_of([0, 1, 2, 3])
    tally.add(torch.tensor([4]), torch.zeros(1, 4), torch.tensor([0]))
    with pytest.raises(AABenchError, match="image 4 was evaluated, but the test set has 4 images"):
        tally.scores()


def test_output_that_is_not_finite_has_no_score():
    table = torch.zeros(3, 4)
    table[1, 2] = float("nan")
    with pytest.raises(AABenchError, match="not finite for 1 of 3 images"):
        evaluate(Lookup(table), labelled(numbered(3), torch.tensor([0, 2, 0])), transform=as_float)


def test_a_label_without_an_output_is_refused():
    with pytest.raises(AABenchError, match="the model has 4 classes, and the test set a label 7"):
        evaluate(Lookup(torch.zeros(2, 4)), labelled(numbered(2), torch.tensor([0, 7])), transform=as_float)


def test_an_empty_test_set_is_refused():
    with pytest.raises(AABenchError, match="no image"):
        evaluate(Lookup(torch.zeros(1, 4)), labelled(numbered(0), torch.arange(0)), transform=as_float)


@pytest.mark.parametrize("fails", [False, True])
def test_each_module_gets_its_mode_back(fails):
    model = Lookup(torch.zeros(2, 4)).train()
    model.frozen.eval()
    labels = torch.tensor([0, 9 if fails else 1])
    try:
        evaluate(model, labelled(numbered(2), labels), transform=as_float)
    except AABenchError:
        assert fails
    assert model.training
    assert not model.frozen.training


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_precision_is_that_of_the_forward_pass(precision, dtype):
    model = Lookup(torch.zeros(2, 4))
    evaluate(model, labelled(numbered(2), torch.tensor([0, 1])), transform=as_float, precision=precision)
    assert model.dtypes == [dtype]


def test_memory_format_is_that_of_the_models_input():
    formats = []

    class Watcher(nn.Module):
        def forward(self, x):
            formats.append(x.is_contiguous(memory_format=torch.channels_last))
            return torch.zeros(len(x), 3)

    images = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
    for channels_last in (False, True):
        evaluate(Watcher(), labelled(images, torch.tensor([0, 1])), transform=as_float, channels_last=channels_last)
    assert formats == [False, True]


def test_unreadable_images_count_as_wrong_and_are_named():
    tally = tally_of([0, 3])
    tally.add_unreadable((Unreadable(2, "b.jpg", "empty"), Unreadable(1, "a.jpg", "truncated")))
    scores = tally.scores()
    assert (scores.correct, scores.images, scores.top5_percent) == (2, 4, 50.0)
    assert scores.correct_mask.tolist() == [True, False, False, True]
    assert scores.unreadable == {"a.jpg": "truncated", "b.jpg": "empty"}


def test_an_image_both_seen_and_unreadable_is_refused():
    tally = tally_of([0, 1, 2, 3])
    tally.add_unreadable((Unreadable(1, "a.jpg", "truncated"),))
    with pytest.raises(AABenchError, match=r"1 more than once \(the first: image 1\)"):
        tally.scores()
