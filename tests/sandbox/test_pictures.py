"""The sandbox's pictures are real, have the asked size, and depend on words and references."""

from __future__ import annotations

import io
import zlib

import pytest
from PIL import Image, ImageChops

from sandbox.pictures import (
    Drawing,
    NotAPictureError,
    PictureFormat,
    blank_png,
    render,
    thumbnail,
)
from tests.sandbox.client import png

SIZES = [(1024, 1024), (2048, 2048), (1600, 900), (1023, 777), (2304, 4096), (17, 5), (1, 1)]


def _open(content: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(content))
    picture.load()
    return picture


@pytest.mark.parametrize("picture_format", list(PictureFormat))
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_has_the_asked_size_and_format(
    size: tuple[int, int], picture_format: PictureFormat
) -> None:
    picture = _open(render(Drawing("a cat", *size), picture_format))
    assert picture.size == size
    assert Image.MIME[picture.format or ""] == picture_format.mime


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_png_checksums_are_right(size: tuple[int, int]) -> None:
    content = render(Drawing("a cat", *size), PictureFormat.PNG)
    Image.open(io.BytesIO(content)).verify()
    start = content.index(b"IDAT")
    length = int.from_bytes(content[start - 4 : start], "big")
    # zlib compares its checksum with ours, which Pillow does not do.
    raw = zlib.decompress(content[start + 4 : start + 4 + length])
    assert len(raw) == size[1] * (size[0] + 1)


@pytest.mark.parametrize("size", [(1024, 1024), (1600, 904), (1023, 777)], ids=str)
def test_jpeg_shows_the_same_as_png(size: tuple[int, int]) -> None:
    drawing = Drawing("the same cat", *size)
    exact = _open(render(drawing, PictureFormat.PNG)).convert("RGB").resize((64, 64))
    lossy = _open(render(drawing, PictureFormat.JPEG)).convert("RGB").resize((64, 64))
    difference = ImageChops.difference(exact, lossy).convert("L")
    mean = sum(value * count for value, count in enumerate(difference.histogram())) / 64**2
    assert mean < 12


def test_depends_on_the_words_and_on_nothing_else() -> None:
    one = render(Drawing("a cat", 1024, 1024), PictureFormat.PNG)
    render.cache_clear()
    assert render(Drawing("a cat", 1024, 1024), PictureFormat.PNG) == one
    assert render(Drawing("a dog", 1024, 1024), PictureFormat.PNG) != one
    assert render(Drawing("a cat", 1024, 1024, 1), PictureFormat.PNG) != one
    assert render(Drawing("мушук", 1024, 1024), PictureFormat.PNG) != render(
        Drawing("кучук", 1024, 1024), PictureFormat.PNG
    )


@pytest.mark.parametrize("picture_format", [PictureFormat.PNG, PictureFormat.JPEG])
def test_shows_every_reference(picture_format: PictureFormat) -> None:
    colours = [(250, 0, 0), (0, 250, 0), (0, 0, 250)]
    references = tuple(thumbnail(png(colour)) for colour in colours)
    drawing = Drawing("three", 1024, 1024, references=references)
    picture = _open(render(drawing, picture_format)).convert("RGB").resize((128, 128))
    pixels = [picture.getpixel((x, y)) for x in range(128) for y in range(128)]
    for colour in colours:
        near = sum(
            isinstance(pixel, tuple)
            and all(abs(a - b) < 30 for a, b in zip(pixel, colour, strict=True))
            for pixel in pixels
        )
        assert near > 1000


def test_a_thumbnail_is_upright_and_small() -> None:
    sideways = Image.new("RGB", (400, 200))
    exif = Image.Exif()
    exif[0x0112] = 6
    out = io.BytesIO()
    sideways.save(out, "JPEG", exif=exif)
    small = _open(thumbnail(out.getvalue()))
    assert small.height > small.width
    assert max(small.size) <= 192


@pytest.mark.parametrize("content", [b"", b"no picture", png()[:60], blank_png(12_000, 12_000)])
def test_a_thumbnail_of_no_picture_is_refused(content: bytes) -> None:
    with pytest.raises(NotAPictureError):
        thumbnail(content)
