import csv
import io
import random
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from aabench.catalog import Catalog, Claim, load_catalog
from aabench.errors import AABenchError
from aabench.record import Log, append, read
from aabench.report import render, write_report
from aabench.report.claims import all_claims
from aabench.verify import Verdict, judge_all


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


@pytest.fixture(scope="module")
def files(log: Log, catalog: Catalog) -> dict[str, bytes]:
    return render(log, catalog)


@pytest.fixture(scope="module")
def text(files: dict[str, bytes]) -> str:
    return files["report.md"].decode()


def judged(catalog: Catalog) -> list[Claim]:
    """All claims but our own counts."""
    return [claim for claim in catalog.claims if claim.tag != "derived"]


def table_below(text: str, heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, its rule left out."""
    after = text.split(f"\n{heading}\n", 1)[1].splitlines()
    start = next(number for number, line in enumerate(after) if line.startswith("|"))
    lines = []
    for line in after[start:]:
        if not line.startswith("|"):
            break
        lines.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return [lines[0], *lines[2:]]


def test_the_files(log: Log, catalog: Catalog, tmp_path: Path) -> None:
    paths = write_report(log, catalog, tmp_path / "reports")
    assert [path.relative_to(tmp_path / "reports").as_posix() for path in paths] == [
        "report.md",
        "claims.csv",
        "measurements.csv",
        "plots/curves-smoke.svg",
        "plots/curves-train.svg",
        "plots/profile-cpu-infer-1-fp32-a-cpu-threads-2-torch-2.15.0.svg",
        "plots/profile-cpu-infer-1-fp32-another-cpu-threads-2-torch-2.15.0.svg",
    ]
    text = paths[0].read_text()
    for path in re.findall(r"!\[[^]]*\]\(([^)]+)\)", text):
        assert (tmp_path / "reports" / path) in paths
    assert text.count("](plots/") == 4


def test_the_same_log_gives_the_same_bytes(log: Log, catalog: Catalog, files: dict[str, bytes], tmp_path: Path) -> None:
    for row in log.rows:
        append(tmp_path / "log.jsonl", row)
    again = render(Log(read(tmp_path / "log.jsonl").rows, log.broken), catalog)
    assert again == files
    shuffled = random.Random(0).sample([*log.rows, *log.rows], 2 * len(log.rows))  # shards merged, one of them twice
    assert render(Log(tuple(shuffled), log.broken), catalog) == again


def test_an_empty_log_makes_a_report_of_what_is_missing(catalog: Catalog) -> None:
    files = render(Log(), catalog)
    assert sorted(files) == ["claims.csv", "measurements.csv", "report.md"]
    text = files["report.md"].decode()
    assert "## Profile" not in text
    assert table_below(text, "## Summary")[-1][-1] == f"**{len(judged(catalog))}**"


def test_a_folder_that_cannot_be_written(log: Log, catalog: Catalog, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AABenchError, match=r"cannot write the report to .*Not a directory.*--out"):
        write_report(log, catalog, tmp_path / "file" / "reports")


# --- what report.md says


def test_the_summary_counts_verdicts_by_table(text: str, log: Log, catalog: Catalog) -> None:
    header, *lines = table_below(text, "## Summary")
    verdicts = judge_all(catalog, log.rows)
    table_3 = dict(zip(header, next(line for line in lines if line[1] == "Table 3"), strict=True))
    assert table_3["verified"] == "2"  # params and FLOPs of aa-resnet50
    assert table_3["blocked"] == "2"  # top-1 and top-5 of resnet50, whose last try lacked weights
    assert table_3["not-run"] == "44"
    assert table_3["claims"] == "48"
    total = dict(zip(header, lines[-1], strict=True))
    assert total["claims"] == f"**{len(verdicts)}**"
    assert total["contradicted"] == "**1**"


def test_contradictions_come_first_and_with_their_reason(text: str) -> None:
    assert table_below(text, "### Contradicted")[1:] == [
        [
            "`aa-resnet50-share-100`",
            "Table 6, 1.0 (fully attentional): flops",
            "6.3 GFLOPs",
            "6.383 GFLOPs (counted as aa-paper) is outside [6.25, 6.35) GFLOPs; flops are further away",
        ]
    ]


def test_what_is_missing_is_grouped_by_reason(text: str) -> None:
    lines = table_below(text, "### Missing")[1:]
    reasons = [line[2] for line in lines]
    assert len(reasons) == len(set(reasons))
    assert next(line for line in lines if "aa-resnet50 --level train" in line[2])[:2] == ["not-run", "6"]
    assert any("the last try failed (loss is nan \\| step &lt;7>)" in reason for reason in reasons)


def test_a_claim_shows_value_measurement_convention_verdict_and_reason(text: str) -> None:
    header, *lines = table_below(text, "#### Table 3")
    assert header == ["row", "task", "metric", "paper", "measured", "convention", "verdict", "why"]
    flops = next(line for line in lines if line[1:3] == ["`aa-resnet50`", "flops"])
    assert flops[3:7] == ["8.3 GFLOPs", "8.326 GFLOPs", "aa-paper", "verified"]
    top1 = next(line for line in table_below(text, "#### Table 1")[1:] if line[1:3] == ["`wrn-28-10`", "top1"])
    # 80.2, 80.3, 80.4: mean 80.3, and 4.303 x 0.1 / sqrt(3) = 0.25 to either side
    assert top1[3:7] == ["80.3 %", "80.30 % ± 0.25", "last", "verified"]


def test_a_claim_on_cost_names_its_sweep_and_what_settles_it(text: str) -> None:
    latency = next(line for line in table_below(text, "#### Table 2")[1:] if line[0] == "SE, training")
    assert latency[2:4] == ["latency_ms (v100-training)", "+92 % over resnet50 (unconfirmed)"]
    assert latency[6:] == [
        "not-run",
        "on one V100 GPU, `aabench profile resnet50 se-resnet50 --mode train --batch 128 --res 224 --interleave` "
        "measures it",
    ]


def test_a_difference_of_exponents_is_shown_with_its_sign(catalog: Catalog) -> None:
    claim = next(claim for claim in catalog.claims if claim.kind == "growth")
    fields = {"measured": -1.191, "unit": "exponent", "interval": (-1.47, -0.91), "n": 9, "n_of": "sides"}
    text = "\n".join(all_claims([Verdict(claim=claim, status="verified", reason="", **fields)], catalog))
    assert "| -1.19 ± 0.28 |" in text
    assert "Memory that belongs to the weights is left out" in text


def test_papers_are_named_with_their_address(text: str) -> None:
    assert (
        "### Attention Augmented Convolutional Networks (ICCV 2019, [arXiv:1904.09925](https://arxiv.org/abs/1904.09925))"
        in text
    )


@pytest.mark.parametrize(
    ("tag", "shown"),
    [
        ("second-hand", "25.8 M (second-hand)"),
        ("recalled", "25.8 M (unconfirmed)"),
        ("ours", "25.8 M (our question)"),
    ],
)
def test_values_that_are_not_read_off_the_paper_are_labelled(log: Log, catalog: Catalog, tag: str, shown: str) -> None:
    claims = tuple(
        claim.model_copy(update={"tag": tag}) if claim.id == "aanet/table-3/aa-resnet50/params" else claim
        for claim in catalog.claims
    )
    text = render(log, catalog.model_copy(update={"claims": claims}))["report.md"].decode()
    assert next(line for line in table_below(text, "#### Table 3") if line[3] == shown)[1] == "`aa-resnet50`"
    assert f"*{shown.removeprefix('25.8 M (').removesuffix(')')}*: " in text


def test_our_own_counts_are_no_claims(log: Log, catalog: Catalog) -> None:
    claims = (catalog.claims[0].model_copy(update={"tag": "derived"}),)
    files = render(log, catalog.model_copy(update={"claims": claims}))
    assert files["claims.csv"].decode().count("\n") == 1


def test_environments_have_letters(text: str) -> None:
    header, *lines = table_below(text, "## Environments")
    assert header == ["", "A", "B"]
    assert ["rows of the log", "13", "1"] in lines
    assert ["cpu", "A CPU", "Another CPU"] in lines
    assert ["gpu", "-", "-"] in lines


def test_smoke_runs_show_their_checks(text: str) -> None:
    assert table_below(text, "## Smoke runs") == [
        ["task", "data", "seed", "status", "top-1 (last)", "top-1 (best)", "images"],
        ["`wrn-28-10`", "synthetic", "0", "ok", "12.50 %", "13.00 %", "10,000 images"],
    ]
    assert table_below(text, "### Checks")[1:] == [
        ["`wrn-28-10`", "loss_fell", "yes", "4.61 to 3.10"],
        ["`wrn-28-10`", "above_chance", "**no**", "1.1 % against 5.0 %"],
    ]


def test_altered_runs_say_what_was_altered(text: str) -> None:
    names = [line[0] for line in table_below(text, "## Training runs")]
    assert names == ["task", "`aa-wrn-28-10 (width 2)`", *["`wrn-28-10`"] * 3]


def test_profiles_of_two_machines_are_two_tables(text: str) -> None:
    lines = table_below(text, "### inference, batch 1, fp32, cpu: A CPU, threads 2, torch 2.15.0")
    assert [line[:2] for line in lines[1:]] == [["`resnet50`", "32"], ["`resnet50`", "64"], ["`aa-resnet50`", "32"]]
    header = lines[0]
    assert dict(zip(header, lines[1], strict=True)) == {
        "task": "`resnet50`",
        "side": "32",
        "parameters": "25.557 M",
        "MACs (model)": "0.003 G",
        "MACs (executed)": "0.003 G",
        "latency": "10.00 ms",
        "quartiles (n)": "9.00 to 11.00 (20)",
        "images/s": "100.0",
        "memory (rss_peak)": "32.0 MiB",
    }
    other = table_below(text, "### inference, batch 1, fp32, cpu: Another CPU, threads 2, torch 2.15.0")
    assert [line[5] for line in other[1:]] == ["11.00 ms"]


def test_counts_are_exact_integers(text: str) -> None:
    lines = table_below(text, "## Counts")
    assert [line[2] for line in lines] == ["parameters", "25,809,392", "19,383,560"]


def test_failures_and_broken_lines_are_listed(text: str) -> None:
    assert table_below(text, "## Rows that are no measurement")[1:] == [
        ["`row12`", "`se-wrn-28-10`", "train", "**failed**", "loss is nan \\| step &lt;7>"],
        ["`row13`", "`resnet50`", "eval", "**blocked**", "no weights"],
    ]
    line, why, begin = table_below(text, "## Lines of the log that cannot be used")[1]
    assert (line, why) == ("15", "not a JSON object: Expecting value")
    assert begin == '{"id": "ab' + 50 * "x" + " …"


# --- the CSV files


def lines_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode())))


def test_claims_csv_has_a_line_a_claim(files: dict[str, bytes], catalog: Catalog) -> None:
    lines = lines_of(files["claims.csv"])
    assert [line["claim"] for line in lines] == [claim.id for claim in judged(catalog)]
    line = next(line for line in lines if line["claim"] == "aanet/table-3/aa-resnet50/params")
    assert (line["printed"], line["printed_unit"], line["source"]) == ("25.8", "M", "printed")
    assert (float(line["low"]), float(line["high"])) == (25_750_000, 25_850_000)
    assert (line["measured"], line["verdict"], line["rows"]) == ("25809392", "verified", "row0")
    largest = {line["claim"] for line in lines if line["up_to"] == "True"}
    assert "awconv/abstract/aw-se-resnet50-vs-se-resnet50-awconv/top1" in largest
    assert "awconv/abstract/aw-resnet101-vs-resnet101-awconv/top1" not in largest


def test_measurements_csv_has_a_line_a_value(log: Log, files: dict[str, bytes]) -> None:
    lines = lines_of(files["measurements.csv"])
    values = sum(len(row.values) for row in log.rows)
    assert len(lines) == values + 2  # the failed and the blocked row have none
    assert lines[0]["value"] == "25809392"
    assert lines[0]["input_size"] == "224"
    assert lines[-2]["error"] == "loss is nan | step <7>"
    assert (lines[-2]["metric"], lines[-2]["value"]) == ("", "")
    altered = next(line for line in lines if line["row"] == "row3")
    assert altered["altered"] == '{"width": 2}'
    assert {line["environment"] for line in lines} == {"A", "B"}


# --- the plots


def test_plots_are_well_formed_and_carry_no_time(files: dict[str, bytes]) -> None:
    for name, content in files.items():
        if name.endswith(".svg"):
            assert ElementTree.fromstring(content).tag == "{http://www.w3.org/2000/svg}svg"
            assert b"dc:date" not in content


def texts_of(svg: bytes) -> set[str]:
    return {
        "".join(element.itertext()).strip() for element in ElementTree.fromstring(svg).iter() if "text" in element.tag
    }


def test_plots_name_their_lines_and_axes(files: dict[str, bytes]) -> None:
    profile = texts_of(files["plots/profile-cpu-infer-1-fp32-a-cpu-threads-2-torch-2.15.0.svg"])
    assert {"resnet50", "aa-resnet50", "median latency (ms)", "memory, rss_peak (MiB)", "GMACs", "32", "64"} <= profile
    smoke = texts_of(files["plots/curves-smoke.svg"])
    assert {"wrn-28-10", "training loss", "step"} <= smoke
    assert "test top-1 (%)" not in smoke  # it is evaluated once
    curves = texts_of(files["plots/curves-train.svg"])
    assert {"aa-wrn-28-10 (width 2)", "training loss", "test top-1 (%)", "step"} <= curves
