"""Starting the command line: at most 1.5 times what a hello-world Typer program takes for its ``--help``."""

import subprocess
import sys

import pytest

from tests.bench.interleave import interleave

HELLO = """
import typer

app = typer.Typer()


@app.command()
def hello(name: str = "world") -> None:
    print(f"Hello {name}")


app()
"""
AABENCH = "from aabench.cli.app import main; main()"


@pytest.mark.parametrize("command", ["--help", "list"])
def test_starting_costs_little_more_than_hello_world(benchmark, command):
    def run(code, argument):
        subprocess.run([sys.executable, "-c", code, argument], check=True, stdout=subprocess.DEVNULL, timeout=60)

    seconds = interleave({"hello": lambda: run(HELLO, "--help"), "aabench": lambda: run(AABENCH, command)}, rounds=21)
    ratio = seconds["aabench"] / seconds["hello"]
    benchmark.extra_info.update(
        hello_ms=seconds["hello"] * 1e3, aabench_ms=seconds["aabench"] * 1e3, ratio=ratio, limit=1.5
    )
    benchmark.pedantic(run, args=(AABENCH, command), rounds=1)
    assert ratio <= 1.5
