"""Somebody's pictures as a painting in the colours of the prompt."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFilter, ImageOps

from hamyon.providers.offline.scene import SHRINK, enlarged, sky
from hamyon.providers.offline.words import Idea, Light, mixed


def arrange(idea: Idea, references: Sequence[bytes], width: int, height: int) -> Image.Image:
    """All references painted; one fills the picture, several hang beside each other.

    Raises OSError for a reference that cannot be decoded.
    """
    size = (max(8, round(width / SHRINK)), max(8, round(height / SHRINK)))
    if len(references) == 1:
        return enlarged(_painted(idea, references[0], size), idea.seed, width, height)
    canvas = sky(idea, size)
    rows, columns = _grid(len(references), size)
    gap = max(2, min(size) // 40)
    draw = ImageDraw.Draw(canvas)
    for number, content in enumerate(references):
        row, column = divmod(number, columns)
        in_row = min(columns, len(references) - row * columns)
        tile_width = (size[0] - gap * (in_row + 1)) // in_row
        tile_height = (size[1] - gap * (rows + 1)) // rows
        left, top = gap + column * (tile_width + gap), gap + row * (tile_height + gap)
        frame = (
            left - gap // 3,
            top - gap // 3,
            left + tile_width + gap // 3,
            top + tile_height + gap // 3,
        )
        draw.rectangle(frame, fill=mixed((255, 255, 255), idea.shine, 0.35))
        canvas.paste(
            _painted(idea, content, (max(1, tile_width), max(1, tile_height))), (left, top)
        )
    return enlarged(canvas, idea.seed, width, height)


def _grid(count: int, size: tuple[int, int]) -> tuple[int, int]:
    columns = max(1, min(count, round(math.sqrt(count * size[0] / size[1]))))
    return math.ceil(count / columns), columns


def _painted(idea: Idea, content: bytes, size: tuple[int, int]) -> Image.Image:
    """Flat brush strokes, dark outlines, and the prompt's light over everything."""
    with Image.open(io.BytesIO(content), formats=("PNG", "JPEG", "WEBP")) as opened:
        opened.draft("RGB", (size[0] * 2, size[1] * 2))
        source = opened.convert("RGBA")
    ground = Image.new("RGBA", source.size, (*idea.sky[2], 255))
    picture = ImageOps.fit(Image.alpha_composite(ground, source).convert("RGB"), size)
    flat = picture.filter(ImageFilter.MedianFilter(5))
    flat = ImageOps.posterize(ImageOps.autocontrast(flat, cutoff=1), 4).filter(
        ImageFilter.SMOOTH_MORE
    )
    lines = picture.convert("L").filter(ImageFilter.GaussianBlur(1)).filter(ImageFilter.FIND_EDGES)
    lines = lines.point([min(190, max(0, value - 14) * 5) for value in range(256)])
    dark = mixed(idea.sky[0], (10, 10, 20), 0.5)
    bright = idea.sky[2] if idea.light is Light.NIGHT else idea.shine
    toned = ImageOps.colorize(
        picture.convert("L"), black=dark, mid=mixed(idea.sky[1], idea.earth, 0.25), white=bright
    )
    share = 0.6 if idea.light in {Light.NIGHT, Light.FIRE, Light.SUNSET} else 0.4
    painted = Image.blend(flat, toned, share)
    painted.paste(Image.new("RGB", size, dark), (0, 0), lines)
    return painted
