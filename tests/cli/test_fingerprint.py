"""``aabench fingerprint``: the settings of AW-convolution that a printed number leaves."""

import json

import pytest

from aabench import catalog as catalogs
from aabench import profile as profiles
from tests.cli.run import aabench

COUNT = profiles.count_settings
COUNTED = {}


def counted_once(task, watched):
    """The grid of a task: counting it is what takes time."""
    if task.name not in COUNTED:
        COUNTED[task.name] = COUNT(task, watched)
    return COUNTED[task.name]


@pytest.fixture(autouse=True)
def aw_small(monkeypatch):
    """A task ``aw-small`` beside those of the catalog, with a network of nine convolutions."""
    catalog = catalogs.load_catalog()
    changes = {"name": "aw-small", "model": "aw_plugged_cifar_resnet", "arguments": {"depth": 11, "width": 16}}
    task = catalog.task("wrn-28-10").model_copy(update=changes)
    with_it = catalog.model_copy(update={"tasks": {**catalog.tasks, "aw-small": task}})
    monkeypatch.setattr(catalogs, "load_catalog", lambda: with_it)
    monkeypatch.setattr(profiles, "count_settings", counted_once)


def rows(out):
    """The table's lines, without its header."""
    lines = out.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("reduction"))
    return [line for line in lines[start + 1 :] if line[:2].strip("*").strip().isdigit() and " settings " not in line]


def test_the_whole_grid(capsys):
    assert aabench("fingerprint", "aw-small") == 0
    printed = capsys.readouterr()
    assert printed.err == ""  # no bar where there is no terminal
    out = printed.out
    assert out.startswith("aw-small: aw_plugged_cifar_resnet at 32x32 pixels\n")
    header = out.splitlines()[1].split()
    assert header == ["reduction", "expansion", "norm", "bias", "placement", "params", "GMACs", "GFLOPs"]
    table = rows(out)
    assert len(table) == 96
    assert max(map(len, out.splitlines())) <= 100
    built = [line.split() for line in table if "not built" not in line]
    assert len(built) == 72
    params = [int(cells[5].replace(",", "")) for cells in built]
    assert params == sorted(params)
    assert all(abs(float(cells[7]) - 2 * float(cells[6])) <= 0.0015 for cells in built)
    assert [cells[:5] for cells in built].count(["16*", "input*", "no*", "no*", "3x3*"]) == 1
    assert "24 of 96 settings cannot be built: reduction is between 1 and the 16 channels, got 32\n" in out
    assert "* our default: the paper's value is not known\n" in out
    assert "not told apart, as they leave no trace here: gate (sigmoid, tanh, none), residual (yes, no)\n" in out


def as_json(capsys, *options):
    code = aabench("fingerprint", "aw-small", "--json", *options)
    return code, json.loads(capsys.readouterr().out)


def test_json(capsys):
    code, content = as_json(capsys)
    assert code == 0
    assert content["asked"] == {"params": None, "flops": None}
    assert (len(content["settings"]), len(content["not_built"])) == (72, 24)
    assert content["not_built"][0]["reason"] == "reduction is between 1 and the 16 channels, got 32"
    assert content["not_told_apart"] == {"aw_gate": ["sigmoid", "tanh", "none"], "aw_residual": [True, False]}
    (default,) = (setting for setting in content["settings"] if setting["is_default"])
    assert default["flops"] == 2 * default["macs"]
    assert default["lands_as"] is None
    assert (default["aw_reduction"], default["aw_norm"], default["aw_placement"]) == (16, False, "3x3")


@pytest.fixture
def default(capsys):
    """Our default's line of the JSON."""
    settings = as_json(capsys)[1]["settings"]
    return next(setting for setting in settings if setting["is_default"])


@pytest.mark.parametrize("unit", ["M", " M"])
def test_printed_parameters_leave_the_settings_that_print_so(capsys, default, unit):
    code, content = as_json(capsys, "--params", f"{default['params'] / 1e6:.4f}{unit}")
    assert code == 0
    assert default in content["settings"]
    assert 0 < len(content["settings"]) <= 72 / 4
    assert all(abs(setting["params"] - default["params"]) < 100 for setting in content["settings"])


@pytest.mark.parametrize("unit", ["G", " G", "GFLOPs", " GFLOPs"])
@pytest.mark.parametrize("convention", ["macs", "flops"])
def test_printed_flops_leave_those_of_either_convention(capsys, default, unit, convention):
    code, content = as_json(capsys, "--flops", f"{default[convention] / 1e9:.9f}{unit}")
    assert code == 0
    assert {**default, "lands_as": [convention]} in content["settings"]
    assert all(setting["lands_as"] == [convention] for setting in content["settings"])
    assert {setting["macs"] for setting in content["settings"]} == {default["macs"]}


def test_the_table_says_the_convention(capsys):
    assert aabench("fingerprint", "aw-small", "--params", "0 M", "--flops", "0.0 G") == 0
    out = capsys.readouterr().out
    assert "GFLOPs  lands as\n" in out
    assert all(line.endswith("  macs") or line.endswith("  macs, flops") for line in rows(out))
    n = len(rows(out))
    assert f"\n{n} of 96 settings print as 0 M parameters and 0.0 GFLOPs (as macs or as flops)\n" in out
    assert "not built" not in out
    assert "24 of 96 settings cannot be built" in out


def test_where_none_fits_the_nearest_are_named(capsys):
    assert aabench("fingerprint", "aw-small", "--params", "999M") == 1
    out = capsys.readouterr().out
    assert "\nnone of 96 settings print as 999 M parameters\n  nearest below 999 M: " in out
    assert "    reduction 4, expansion none, norm yes, bias yes, placement all\n  nearest above 999 M: none\n" in out
    code, content = as_json(capsys, "--flops", "99.9G")
    assert code == 1
    assert content["settings"] == []
    nearest = content["nearest"]["flops"]
    assert nearest["above"] is None
    assert (nearest["below"]["convention"], nearest["below"]["aw_reduction"]) == ("flops", 4)


def test_two_numbers_that_no_setting_has_together(capsys):
    assert aabench("fingerprint", "aw-small", "--params", "0M", "--flops", "99.9G") == 1
    out = capsys.readouterr().out
    assert "none of 96 settings print as 0 M parameters and 99.9 GFLOPs (as macs or as flops)\n  0 M alone: " in out
    assert "  nearest below 99.9 GFLOPs: " in out
    assert "  nearest above 99.9 GFLOPs: none\n" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["resnet50"], "resnet50 has no AW-convolutions to tell the settings of (model resnet50); `aabench list"),
        (["aw-smal"], "unknown task 'aw-smal'; did you mean aw-small"),
        (["aw-small", "--params", "25.9"], "--params '25.9' is not a number as a paper prints it, with its unit (M);"),
        (["aw-small", "--params", "25.9G"], "--params '25.9G' is not a number"),
        (["aw-small", "--params", "-1M"], "--params '-1M' is not a number"),
        (["aw-small", "--flops", "4,1G"], "--flops '4,1G' is not a number as a paper prints it, with its unit (GFLOPs"),
    ],
)
def test_wrong_input_is_one_line(capsys, arguments, said):
    assert aabench("fingerprint", *arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"aabench: {said}")
    assert printed.err.count("\n") == 1
