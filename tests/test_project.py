"""The project's own files: the Makefile, the pinned versions, the wheel, the documents."""

import os
import re
import shutil
import subprocess
import sys
import textwrap
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import aabench
from aabench.catalog import read_catalog, tasks_folder
from aabench.models import create_model

REPOSITORY = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
VERBS = ["help", "setup", "lint", "type", "test", "report", "bench", "gate", "baseline", "clean"]


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make as a person would: not as a part of the make that may have started these tests."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        ["make", *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder, with a space in its path, that holds what ``make setup`` reads."""
    folder = tmp_path / "a clone"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(REPOSITORY / name, folder)
    return folder


def fake_python(folder: Path, script: str) -> str:
    """An interpreter that does what a shell script says."""
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_help_is_the_default_and_lists_every_verb():
    done = make(REPOSITORY)
    assert re.findall(r"^  make (\w+) ", done.stdout, flags=re.MULTILINE) == VERBS
    assert done.stdout == make(REPOSITORY, "help").stdout


@pytest.mark.parametrize("verb", ["lint", "type", "test", "report", "bench", "gate", "baseline"])
def test_every_verb_sets_up_first(clone, verb):
    plan = make(clone, "-n", verb).stdout
    assert plan.index("-m venv --clear .venv") < plan.index("-m pip install") < plan.rindex(".venv/bin/")


def test_an_old_python_is_refused_in_one_line(clone):
    done = make(clone, "-s", "setup", f"PYTHON={fake_python(clone, 'exit 1')}")
    assert done.returncode == 2
    assert "aabench needs Python 3.11 or newer" in done.stderr
    assert not (clone / ".venv").exists()


def test_an_installation_cut_short_is_taken_up_again(clone):
    # Makes a .venv whose pip answers --version and fails to install, as without a network.
    (clone / "pip").write_text('#!/bin/sh\n[ "$3" = --version ]\n')
    (clone / "pip").chmod(0o755)
    script = '[ "$2" = venv ] || exit 0; mkdir -p .venv/bin; cp pip .venv/bin/python'
    python = f"PYTHON={fake_python(clone, script)}"
    assert make(clone, "setup", python).returncode == 2
    assert (clone / ".venv").exists()
    again = make(clone, "setup", python)
    assert "pip install" in again.stdout
    assert again.returncode == 2
    (clone / ".venv/bin/python").write_text("#!/bin/sh\nexit 0\n")
    assert make(clone, "setup", python).returncode == 0
    assert "pip install" not in make(clone, "setup", python).stdout


def test_clean_leaves_the_reports(clone):
    for folder in (".venv/bin", "runs", "reports", "aabench/cli/__pycache__"):
        (clone / folder).mkdir(parents=True)
    (clone / "reports" / "report.md").touch()
    assert make(clone, "clean").returncode == 0
    assert not any((clone / gone).exists() for gone in (".venv", "runs", "aabench/cli/__pycache__"))
    assert (clone / "reports" / "report.md").exists()


def test_constraints_pin_every_direct_dependency_within_its_range():
    lines = (REPOSITORY / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    wanted = [Requirement(text) for text in PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]]
    for requirement in wanted:
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), requirement
    assert pins.keys() - {canonicalize_name(requirement.name) for requirement in wanted} <= {"numpy", "hatchling"}


def test_a_wheel_works_away_from_the_repository(tmp_path):
    """Built from this tree and unpacked elsewhere, with the dependencies of this interpreter."""
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    built = subprocess.run(build, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
        entry = next(archive.read(name).decode() for name in archive.namelist() if name.endswith("entry_points.txt"))
    assert "aabench = aabench.cli.app:main" in entry
    assert not (site / "tests").exists()
    code = """
import sys
sys.path.insert(0, sys.argv.pop(1))
import aabench
from aabench.cli.app import main
assert aabench.__file__.startswith(sys.path[0]), aabench.__file__
main()
"""

    def run(*arguments: str) -> str:
        command = [sys.executable, "-I", "-c", code, str(site), *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert run("--version") == f"aabench {aabench.__version__}\n"
    assert "aa-resnet50 " in run("list")
    assert "no fault" in run("validate")
    assert "verified" in run("reproduce", "resnet50", "--level", "structure", "--log", str(tmp_path / "log.jsonl"))


def test_readme_needs_two_commands():
    """The main job and the tests; whoever reads on finds the rest in CONTRIBUTING.md."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", (REPOSITORY / "README.md").read_text(), re.M | re.S)
    commands = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    called = [command.split("#")[0].strip() for command in commands if re.match(r"make\b", command)]
    assert called == ["make report", "make test"]


def test_changelog_tells_of_the_present_version():
    changelog = (REPOSITORY / "CHANGELOG.md").read_text()
    assert "## [Unreleased]" in changelog
    assert aabench.__version__ in changelog


def test_ci_is_valid_bash():
    subprocess.run(["bash", "-n", str(REPOSITORY / ".ci" / "run")], check=True, timeout=10)
    assert os.access(REPOSITORY / ".ci" / "run", os.X_OK)


def test_the_examples_of_contributing_are_valid(tmp_path):
    """The documented claims, protocol and task, added to the real catalog, which they are true to."""
    text = (REPOSITORY / "CONTRIBUTING.md").read_text()
    claim, cost, protocol, task = (textwrap.dedent(block) for block in re.findall(r"```toml\n(.*?)```", text, re.S))
    folder = shutil.copytree(tasks_folder(), tmp_path / "tasks")
    table = '[table]\nname = "Example"\ntag = "printed"\n'
    (folder / "aanet" / "example.toml").write_text("\n".join((table, task, claim, cost, protocol)))
    catalog, faults = read_catalog(folder)
    assert faults == []
    example = catalog.tasks["wrn-16-4"]
    create_model(example.model, input_size=32, num_classes=100, device="meta", **example.arguments)
    documented = {claim.measure: claim.value for claim in catalog.claims if claim.table == "Example"}
    real = {claim.measure: claim.value for claim in catalog.claims_of("aa-resnet50") if claim.table == "Table 3"}
    latency = "latency_ms (v100-inference)"
    real |= {claim.measure: claim.value for claim in catalog.claims_of("se-resnet50") if claim.measure == latency}
    assert documented == real
    assert latency in documented
