"""EAANet's claims on cost: the abstract's two sentences for each mechanism, and our own question beside them."""

from aabench.catalog import load_catalog

EXPLICIT, FUSED = "aa-resnet18-explicit", "eaa-resnet18-fused"


def claims(tag):
    return {
        (c.task, c.kind, c.metric, c.baseline)
        for c in load_catalog().claims
        if c.paper == "eaanet" and c.tag == tag and c.sweep is not None
    }


def mechanisms():
    """The tasks of resnet18.toml that are neither of the two exact forms."""
    tasks = load_catalog().tasks.values()
    return {t.name for t in tasks if t.name.startswith("eaa-resnet18-") and t.data == "imagenet"} - {FUSED}


def test_what_the_abstract_says_is_asked_of_every_mechanism():
    kinds = [("ordinal", "memory"), ("growth", "memory"), ("growth", "flops")]
    assert {"eaa-resnet18-efficient", "eaa-resnet18-linformer"} <= mechanisms()
    assert claims("abstract") == {(task, *kind, EXPLICIT) for task in mechanisms() for kind in kinds}


def test_our_question_is_asked_against_the_fused_form_and_of_it():
    of_all = {(task, kind, "memory", FUSED) for task in mechanisms() for kind in ("ordinal", "growth")}
    assert claims("ours") == of_all | {(FUSED, kind, "memory", EXPLICIT) for kind in ("ordinal", "growth")}


def test_the_baselines_differ_in_the_form_of_the_attention_alone():
    explicit, fused = (load_catalog().tasks[name] for name in (EXPLICIT, FUSED))
    assert (explicit.model, explicit.arguments["attention"]) == (fused.model, "explicit")
    assert {**fused.arguments, "attention": "explicit"} == explicit.arguments


def test_the_sweep_covers_the_sides_of_the_sheet_and_calls_the_rest_ours():
    sweep = load_catalog().sweeps["eaanet-training"]
    assert (sweep.sides[0], sweep.sides[-1], sweep.gpu) == (32, 512, None)
    assert all("ours" in text for text in sweep.source.values())
