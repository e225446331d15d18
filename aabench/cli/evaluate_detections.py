"""``aabench evaluate-detections RESULTS.json``: COCO's twelve numbers of saved detections."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aabench.errors import AABenchError

if TYPE_CHECKING:
    from aabench.evaluate import DetectionScores, IouType

KINDS: dict[IouType, str] = {"bbox": "boxes", "segm": "masks"}
"""What can be compared with the ground truth -> what the table calls it."""

IOU = {"AP50": "0.50", "AP75": "0.75"}
MOST = {"AR1": "1", "AR10": "10"}
"""Metrics of one IoU threshold, and of fewer detections than 100."""


def evaluate_detections(
    results: Annotated[Path, typer.Argument(metavar="RESULTS.json", help="Detections in COCO's results format.")],
    annotations: Annotated[
        Path, typer.Option(metavar="FILE", help="Ground truth of the same images, as COCO's instances_val2017.json.")
    ],
    iou_type: Annotated[str, typer.Option(help="What is compared: bbox (boxes) or segm (masks).")] = "bbox",
    json: Annotated[
        bool, typer.Option("--json", help="Print JSON: unrounded; null where there is no such object.")
    ] = False,
) -> None:
    """Score detections as COCO does: average precision and recall, each image of the ground truth exactly once.

    RESULTS.json is a list of dicts of image_id, category_id, score and bbox (x y width height, in pixels) or
    segmentation (compressed run lengths). Images without detections count: their objects are missed. Images are not
    read, and nothing is logged.

    Boxes of the ground truth without area or beyond their image are judged as they are, as COCO does, and named.

    Exit codes: 2 where something in either file is wrong; it is named, nothing is left out.
    """
    from aabench.evaluate import coco_scores

    kind = _kind(iou_type)
    scores = coco_scores(annotations, results, iou_type=kind)
    if json:
        content = {
            "results_file": str(results),
            "annotations": str(annotations),
            "iou_type": iou_type,
            "images": scores.images,
            "results": scores.results,
            "metrics": scores.metrics,
            "ground_truth_faults": list(scores.box_faults),
        }
        typer.echo(json_module.dumps(content, indent=2))
    else:
        _print(scores, KINDS[kind])


def _kind(given: str) -> IouType:
    for known in KINDS:
        if known == given:
            return known
    raise AABenchError(f"unknown --iou-type {given!r}; one of {', '.join(KINDS)}")


def _print(scores: DetectionScores, kind: str) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(pad_edge=False, box=None, header_style="bold")
    table.add_column("metric", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    for column in ("IoU", "area", "detections"):
        table.add_column(column)
    for name, value in scores.metrics.items():
        area = name.partition("_")[2]
        table.add_row(
            name,
            "-" if value is None else f"{value:.4f}",
            IOU.get(name, "0.50:0.95"),
            area or "all",
            MOST.get(name, "100"),
        )
    Console(highlight=False).print(table)
    typer.echo(f"{scores.images} images, {scores.results} detections, {kind} compared")
    typer.echo("AP, AR: average precision and recall, 0 to 1, means over categories and IoU thresholds")
    typer.echo("area: small up to 32x32 pixels, medium up to 96x96, large beyond")
    typer.echo("detections: the best that count, for an image and category")
    if None in scores.metrics.values():
        typer.echo("-: the ground truth has no such object")
    if scores.box_faults:
        typer.echo(f"faults of boxes in the ground truth, which are left as they are: {len(scores.box_faults)}")
    for fault in scores.box_faults:
        typer.echo(f"  {fault}")
