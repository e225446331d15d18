"""What counting takes, and what it finds: exact numbers, the same on every machine."""

import pytest

from aabench.models import create_model
from aabench.profile import count, explain_executed


@pytest.mark.parametrize("name", ["resnet50", "aa_resnet50"])
@pytest.mark.parametrize("counter", [count, explain_executed], ids=["count", "executed"])
def test_counting_at_224(benchmark, name, counter):
    model = create_model(name, input_size=224, num_classes=1000, device="meta")
    found = benchmark.pedantic(counter, args=(model, 224), rounds=5, warmup_rounds=1)
    benchmark.extra_info.update(macs=found.macs)
    if counter is count:
        benchmark.extra_info.update(params=found.params, activations=found.activations)
