"""pytest-benchmark's JSON."""

import json
import subprocess
import sys

import pytest

from aabench.compare import compare_files
from aabench.compare.source import load

pytestmark = pytest.mark.alone

MACHINE = {"cpu": {"brand_raw": "Some CPU", "count": 2}, "python_version": "3.11.7", "node": "a"}


def write(path, extra, machine=MACHINE, median=0.01, name="tests/bench/test_x.py::test_x"):
    benchmark = {"fullname": name, "stats": {"median": median}, "extra_info": extra}
    path.write_text(json.dumps({"machine_info": machine, "benchmarks": [benchmark], "version": "5.3.1"}))
    return path


@pytest.fixture
def compare(tmp_path):
    def run(base, head, **changes):
        files = write(tmp_path / "base.json", base), write(tmp_path / "head.json", head, **changes)
        return compare_files(*map(load, files))

    return run


def test_times_and_ratios_are_shown_and_not_judged(compare):
    comparison = compare({"ratio": 0.5, "chosen": "fused"}, {"ratio": 0.9, "chosen": "explicit"}, median=5.0)
    assert [(f.metric, f.judgement, f.base, f.head) for f in comparison.findings] == [
        ("seconds/median", "not judged", 0.01, 5.0),
        ("noted/ratio", "not judged", 0.5, 0.9),
    ]
    assert comparison.exit_code == 3


def test_another_machine(compare):
    comparison = compare({}, {}, machine={**MACHINE, "cpu": {"brand_raw": "Another", "count": 2}})
    assert comparison.counts == {"not comparable": 1}


def test_a_count_under_its_own_name_is_judged(compare):
    comparison = compare({"macs/model": 100, "n": 3}, {"macs/model": 101, "n": 4})
    assert {f.metric: f.judgement for f in comparison.findings} == {
        "macs/model": "regression",
        "seconds/median": "not judged",
        "noted/n": "not judged",
    }


def test_what_an_operator_runs_needs_a_known_torch(compare):
    assert "not comparable" in compare({"macs/executed": 1}, {"macs/executed": 1}).counts


def test_a_renamed_benchmark(compare):
    assert compare({}, {}, name="tests/bench/test_y.py::test_y").counts == {"missing": 1, "new": 1}


def test_what_pytest_benchmark_writes_is_read(tmp_path):
    test = "def test_it(benchmark):\n    benchmark.extra_info['answer'] = 42\n    benchmark(sum, [1, 2])\n"
    (tmp_path / "test_it.py").write_text(test)
    command = [sys.executable, "-m", "pytest", "-q", "test_it.py", "--benchmark-json=bench.json"]
    subprocess.run([*command, "--benchmark-max-time=0.01"], cwd=tmp_path, check=True, capture_output=True, timeout=60)
    (point,) = load(tmp_path / "bench.json").points.values()
    assert point.values["seconds/median"].value > 0
    assert point.values["noted/answer"].value == 42
    assert all(part is not None for part in point.machine)
