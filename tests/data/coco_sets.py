"""Small sets in COCO's format."""

import json
from pathlib import Path
from typing import Any

from PIL import Image

from tests.data.pictures import jpeg, picture


def image(number: int, width: int = 64, height: int = 48) -> dict[str, Any]:
    """An image's entry."""
    return {"id": number, "file_name": f"{number}.jpg", "width": width, "height": height}


def annotation(number: int, image_id: int, bbox: list[float] | None = None, category_id: int = 1) -> dict[str, Any]:
    """An annotation's entry."""
    box = [4, 4, 20, 20] if bbox is None else bbox
    return {"id": number, "image_id": image_id, "bbox": box, "category_id": category_id, "iscrowd": 0, "area": 400}


def write_coco(root: Path, images: list[Any], annotations: list[Any], split: str = "train2017") -> Path:
    """A data root with one split; the categories are 1 and 90, and 91, which COCO has not."""
    folder = root / "coco"
    (folder / split).mkdir(parents=True, exist_ok=True)
    (folder / "annotations").mkdir(exist_ok=True)
    for entry in images:
        if isinstance(entry, dict) and entry.get("file_name"):
            shown = picture(entry["id"], entry.get("width") or 8, entry.get("height") or 8)
            (folder / split / entry["file_name"]).write_bytes(jpeg(shown))
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1}, {"id": 90}, {"id": 91}]}
    (folder / "annotations" / f"instances_{split}.json").write_text(json.dumps(content))
    return root


def repaint(file: Path, width: int, height: int) -> None:
    """Another picture in the place of a file's."""
    Image.new("RGB", (width, height)).save(file)
