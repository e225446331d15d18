"""list, show, explain, validate: what they print, and what wrong input gets."""

import json

import pytest

from tests.cli.run import aabench


def test_list_filters(capsys):
    assert aabench("list", "--paper", "aanet", "--data", "cifar100", "--json") == 0
    content = json.loads(capsys.readouterr().out)
    assert content["protocols"] == []
    assert [t["task"] for t in content["tasks"]] == [
        "wrn-28-10", "ge-wrn-28-10", "se-wrn-28-10", "aa-wrn-28-10", "aa-wrn-28-10-as-counted",
    ]  # fmt: skip
    assert aabench("list", "--model", "se_resnet*") == 0
    out = capsys.readouterr().out
    assert "se-resnet152" in out
    assert "7 of " in out
    assert "aa-resnet50" not in out


def test_list_json_holds_the_protocols_too(capsys):
    assert aabench("list", "--paper", "eaanet", "--json") == 0
    (protocol,) = json.loads(capsys.readouterr().out)["protocols"]
    assert (protocol["name"], protocol["baselines"][0]) == ("eaanet", "resnet18-cifar100")


def test_list_of_nothing_is_no_error(capsys):
    assert aabench("list", "--model", "vgg*") == 0
    assert capsys.readouterr().out.startswith("0 of ")


def test_list_of_an_unknown_paper_names_the_known(capsys):
    assert aabench("list", "--paper", "aanett") == 2
    assert "unknown paper 'aanett'; one of aanet" in " ".join(capsys.readouterr().err.split())


def test_show(capsys):
    assert aabench("show", "aa-resnet50") == 0
    out = capsys.readouterr().out
    assert "25.8 M" in out
    assert "+1.3 points over resnet50  [Abstract" in out
    assert "counted as aa-paper" in out


def test_show_and_explain_a_sweep(capsys):
    assert aabench("show", "se-resnet50") == 0
    out = capsys.readouterr().out
    assert "sweep   v100-training: train, batch 128, fp32, sides 224 on one V100 GPU" in out
    assert "latency_ms (v100-training)  +92 % over resnet50  [Table 2, SE, training; recalled]" in out
    assert aabench("explain", "se-resnet50") == 0
    lines = capsys.readouterr().out.splitlines()
    sweep = lines[lines.index("sweep v100-training") :][:6]
    assert [line.split()[0] for line in sweep] == ["sweep", "mode", "batch", "dtype", "sides", "gpu"]
    assert "ours (unspecified)" in sweep[3]


def test_show_says_where_a_sweep_does_not_wait_for_the_device(capsys):
    assert aabench("show", "ean-se-resnet50") == 0
    out = capsys.readouterr().out
    assert "sweep   ean-as-published: forward, batch 50, fp32, not synchronised, sides 224" in out
    assert "sweep   ean-synchronised: infer, batch 50, fp32, sides 224" in out


def test_show_of_a_task_without_claims(capsys):
    assert aabench("show", "aa-resnet18-explicit") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "  claims"


def test_show_json_round_trips(capsys):
    assert aabench("show", "aa-wrn-28-10", "--json") == 0
    content = json.loads(capsys.readouterr().out)
    assert content["recipe"]["epochs"] == 500
    assert content["claims"][0]["value"] == "36.2 M"


@pytest.mark.parametrize("command", ["show", "explain"])
def test_an_unknown_task_offers_the_nearest(capsys, command):
    assert aabench(command, "aa-resnet5") == 2
    err = capsys.readouterr().err
    assert err.startswith("aabench: unknown task 'aa-resnet5'; did you mean aa-resnet50")
    assert err.count("\n") == 1


def test_show_and_explain_whose_weights_a_task_has(capsys):
    assert aabench("show", "resnet50") == 0
    line = "weights checkpoints/torchvision/resnet50-0676ba61.pth below the data root"
    assert f"{line} (torchvision's ResNet50_Weights.IMAGENET1K_V1)" in capsys.readouterr().out
    assert aabench("explain", "resnet50") == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line.startswith("  ")}
    assert "which no claim is judged by" in lines["torchvision_weights"]
    assert lines["resize"].split()[1:4] == ["256", "ours", "(unspecified):"]


def test_explain_names_a_source_for_every_setting(capsys):
    assert aabench("explain", "aa-wrn-28-10") == 0
    lines = capsys.readouterr().out.splitlines()
    settings = {line.split()[0]: line for line in lines if line.startswith("  ")}
    assert {"kappa", "num_heads", "epochs", "weight_decay", "nesterov", "steps"} <= settings.keys()
    assert "second-hand" in settings["weight_decay"]
    assert "ours" in settings["nesterov"]
    assert all("aanet.md" in line or "ours" in line or "CIFAR-100's own" in line for line in settings.values()), lines


def test_explain_lists_what_is_assumed(capsys):
    assert aabench("explain", "aw-resnet101") == 0
    lines = capsys.readouterr().out.splitlines()
    options = "aw_reduction, aw_expansion, aw_gate, aw_residual, aw_norm, aw_bias, aw_placement"
    assert f"assumed, as the paper's own are not known: {options}, input_size, normalisation, resize" in lines
    assert any(line.startswith("assumed, as the paper's own are not known: momentum, nesterov,") for line in lines)
    settings = {line.split()[0]: line for line in lines if line.startswith("  ")}
    assert settings["aw_gate"].endswith("ours (unspecified; awconv.md section 2): others are none, tanh")
    assert "second-hand" in settings["aw_residual"]
    assert "pooled to the kernel's size: must be" in settings["model"]


def test_show_and_explain_a_detector(capsys):
    assert aabench("show", "aw-faster-rcnn-resnet101-fpn") == 0
    out = capsys.readouterr().out
    assert "  input   shorter side 800, 90 classes (coco)\n" in out
    assert "  starts  from the weights of aw-resnet101 in its backbone (--backbone FILE)\n" in out
    assert aabench("explain", "aw-faster-rcnn-resnet101-fpn") == 0
    lines = capsys.readouterr().out.splitlines()
    settings = {line.split()[0]: line.split() for line in lines if line.startswith("  ")}
    assert settings["framing"][1:4] == ["shorter-side", "ours", "(unspecified):"]
    assert settings["backbone"][1:4] == ["aw-resnet101", "ours", "(unspecified):"]
    assert "recipe awconv-coco" in lines
    assert "least_ap" in settings
    assert "times_chance" not in settings  # of classifiers


def test_show_a_detector_that_starts_anew_on_a_square(capsys):
    assert aabench("show", "aa-retinanet-resnet50") == 0
    out = capsys.readouterr().out
    assert "  input   640x640, 90 classes (coco)\n" in out
    assert "--backbone" not in out
    assert aabench("explain", "aa-retinanet-resnet50") == 0
    assert ["framing", "square", "aanet.md", "section"] in [x.split()[:4] for x in capsys.readouterr().out.splitlines()]


def test_explain_wraps_on_a_terminal(capsys, monkeypatch):
    """The source keeps to its column."""
    assert aabench("explain", "aw-resnet101") == 0
    whole = capsys.readouterr().out.splitlines()[2]
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    assert aabench("explain", "aw-resnet101") == 0
    lines = capsys.readouterr().out.splitlines()
    end = next(n for n, line in enumerate(lines) if line.startswith("  aw_reduction"))
    wrapped = lines[2:end]
    column = wrapped[0].index("awconv.md")
    assert len(wrapped) > 2
    assert max(map(len, wrapped)) <= 80
    assert {line[:column].strip() for line in wrapped[1:]} == {""}
    assert " ".join(" ".join(wrapped).split()) == " ".join(whole.split())


def test_show_and_explain_a_search(capsys):
    assert aabench("show", "ean-se-resnet164") == 0
    line = "search  ean-cifar100: 300 steps of 3 schemes, scored on 50 training images a class"
    assert line in capsys.readouterr().out
    assert aabench("show", "ean-se-resnet50", "--json") == 0
    assert json.loads(capsys.readouterr().out)["search"]["offset"] == 54
    assert aabench("explain", "ean-se-resnet164") == 0
    lines = capsys.readouterr().out.splitlines()
    assert {"search ean-cifar100", "its supernet's recipe ean-cifar-supernet"} <= set(lines)
    assert ["final", "most-probable", "ours", "(unspecified)"] in [line.split() for line in lines]
    settings = [line for line in lines if line.startswith("  ")]
    assert len(settings) > 60
    for line in settings:
        assert any(source in line for source in ("ean.md", "ours", "CIFAR-100's own", "DIANet's code")), line


def test_validate_accepts_what_ships(capsys):
    assert aabench("validate") == 0
    assert "no fault" in capsys.readouterr().out


def test_validate_prints_all_faults(capsys, tmp_path):
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "a.toml").write_text(
        '[paper]\nname = "p"\n[[claim]]\ntask = "x"\nrow = "r"\nvalues = {top1 = 7}\n'
    )
    assert aabench("validate", str(tmp_path)) == 2
    err = capsys.readouterr().err
    assert "p/a.toml: paper.title: missing" in err
    assert "p/a.toml: claim[x].values.top1: value without precision" in err
    assert "faults" in err.splitlines()[-1]


def test_a_crash_is_not_mistaken_for_a_verdict(capsys, monkeypatch):
    monkeypatch.setattr("aabench.catalog.load_catalog", lambda: 1 / 0)
    assert aabench("list") == 70
    assert "ZeroDivisionError" in capsys.readouterr().err
