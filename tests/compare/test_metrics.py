"""Every number that the profiler writes has a rule."""

from aabench.catalog import load_catalog
from aabench.compare.metrics import kind_of, label_of
from aabench.profile import Way, predict_points


def test_every_predicted_number_has_its_rule():
    (row,) = predict_points([(load_catalog().task("resnet20-cifar10"), 32)], Way())
    labels = [label_of(value.metric, value.convention) for value in row.values]
    assert {label: kind_of(label) for label in labels} == {
        "params": "exact",
        "macs/model": "exact",
        "macs/executed": "exact for one torch",
        "flops/macs": "exact",
        "flops/flops": "exact",
        "flops/aa-paper": "exact",
        "activations": "exact",
        "attention_share": "description",
        "memory/predicted_live": "exact for one torch",
        "arithmetic_intensity": "description",
    }


def test_measurements_are_none():
    labels = ("latency_ms/median", "images_per_s", "energy/a call, nvml", "memory/rss_peak", "memory/reserved_peak")
    assert {kind_of(label) for label in labels} == {"measured"}
    assert kind_of("memory") is None
