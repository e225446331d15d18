"""Small image files."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("n0", "n1", "n2", "n3")


def picture(number: int = 0, width: int = 48, height: int = 40) -> Image.Image:
    """Smooth colours, others for each number."""
    y, x = np.mgrid[:height, :width]
    return Image.fromarray(np.stack([x * 4, y * 5, (x + 40 * number) % 256], -1).astype(np.uint8))


def jpeg(image: Image.Image) -> bytes:
    """The bytes of its file."""
    content = io.BytesIO()
    image.save(content, "JPEG", quality=95)
    return content.getvalue()


def write_folder(folder: Path, images_per_class: int = 4) -> Path:
    """An ImageFolder of CLASSES; images of a class look alike."""
    for label, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True)
        for index in range(images_per_class):
            (folder / name / f"{index}.JPEG").write_bytes(jpeg(picture(label, 40 + 4 * index)))
    return folder
