"""Real pictures, made quickly: they depend on the words and show the references.

A picture is drawn on a small grid and encoded so that equal rows cost nothing: PNG rows repeat
through the "up" filter, JPEG rows of blocks repeat between restart markers. A 2048*2048 picture
costs a few milliseconds this way, where encoding every pixel costs thirty and more.
"""

from __future__ import annotations

import colorsys
import hashlib
import io
import math
import re
import struct
import textwrap
import zlib
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import groupby

from PIL import Image, ImageDraw, ImageFont, ImageOps

GRID_SIDE = 128
REFERENCE_GRID_SIDE = 256
THUMBNAIL_SIDE = 192
PIXELS_MAX = 100_000_000
COLOURS = 14
BLACK, WHITE = 14, 15
JPEG_BLOCK = 16


UNREADABLE = (
    OSError,
    ValueError,
    SyntaxError,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,  # Raised where warnings are errors.
)
"""What Pillow raises for bytes that are no picture, or one that is too big."""


class PictureFormat(StrEnum):
    """What a picture can be encoded as; GIF exists only to be refused."""

    PNG = "png"
    JPEG = "jpeg"
    WEBP = "webp"
    GIF = "gif"

    @property
    def mime(self) -> str:
        return f"image/{self.value}"


class NotAPictureError(Exception):
    """The bytes do not decode as a picture of at most ``PIXELS_MAX`` pixels."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """All that a picture depends on. ``references`` are thumbnails from ``thumbnail``."""

    prompt: str
    width: int
    height: int
    variant: int = 0
    references: tuple[bytes, ...] = ()


def thumbnail(content: bytes) -> bytes:
    """A small JPEG of a picture, upright. Raises ``NotAPictureError``."""
    try:
        with Image.open(io.BytesIO(content)) as picture:
            if picture.width * picture.height > PIXELS_MAX:
                raise NotAPictureError(f"{picture.width}*{picture.height} pixels")
            picture.draft("RGB", (THUMBNAIL_SIDE * 2, THUMBNAIL_SIDE * 2))
            small = ImageOps.exif_transpose(picture).convert("RGB")
    except UNREADABLE as error:
        raise NotAPictureError(str(error)) from error
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    out = io.BytesIO()
    small.save(out, "JPEG", quality=90, subsampling=0)
    return out.getvalue()


@lru_cache(maxsize=64)
def render(drawing: Drawing, picture_format: PictureFormat) -> bytes:
    """The encoded picture at exactly the asked size; equal arguments give equal bytes."""
    grid = _with_references(drawing) if drawing.references else _grid(drawing, GRID_SIDE)
    if picture_format is PictureFormat.PNG:
        return _png(grid, drawing.width, drawing.height)
    if picture_format is PictureFormat.JPEG:
        return _jpeg(grid, drawing.width, drawing.height)
    whole = grid.resize((drawing.width, drawing.height), Image.Resampling.NEAREST)
    out = io.BytesIO()
    if picture_format is PictureFormat.WEBP:
        whole.convert("RGB").save(out, "WEBP", lossless=True, method=0, quality=0)
    else:
        whole.save(out, "GIF")
    return out.getvalue()


def blank_png(width: int, height: int) -> bytes:
    """A one-coloured PNG whose pixels are many and whose bytes are few: a decompression bomb."""
    grid = Image.new("P", (1, 1))
    grid.putpalette(bytes(3))
    return _png(grid, width, height)


# --- drawing ----------------------------------------------------------------------------------


def _grid(drawing: Drawing, side: int) -> Image.Image:
    """The picture in small: a mosaic whose tiles and colours come from the words, and the words."""
    longest = max(drawing.width, drawing.height)
    width = max(1, round(side * drawing.width / longest))
    height = max(1, round(side * drawing.height / longest))
    seed = f"{drawing.variant}:{drawing.prompt}".encode()
    digest = hashlib.blake2b(seed, digest_size=64).digest()
    tiles = Image.frombytes("P", (8, 8), bytes(byte % COLOURS for byte in digest))
    tiles.putpalette(_palette(digest))
    grid = tiles.resize((width, height), Image.Resampling.NEAREST)
    _write(grid, drawing.prompt, WHITE, BLACK)
    return grid


def _palette(digest: bytes) -> bytes:
    colours = bytearray()
    for index in range(COLOURS):
        hue = digest[0] / 256 + digest[index + 1] / 256 / 3
        value = 0.35 + 0.6 * index / COLOURS
        red, green, blue = colorsys.hsv_to_rgb(hue % 1, 0.45 + digest[index + 20] / 600, value)
        colours += bytes((int(red * 255), int(green * 255), int(blue * 255)))
    return bytes(colours) + b"\x00\x00\x00\xff\xff\xff"


def _write(
    grid: Image.Image, prompt: str, ink: int | tuple[int, int, int], paper: int | tuple[int, ...]
) -> None:
    """The first words of the prompt in a strip at the bottom, where there is room for letters."""
    columns = grid.width // 6 - 1
    if columns < 4 or grid.height < 40:
        return
    # The small bitmap font knows Latin letters only; other letters still change the mosaic.
    readable = prompt.encode("latin-1", "replace").decode("latin-1")
    lines = textwrap.wrap(readable, columns)[:2]
    draw = ImageDraw.Draw(grid)
    top = grid.height - 12 * len(lines) - 2
    draw.rectangle((0, top, grid.width, grid.height), fill=paper)
    font = ImageFont.load_default_imagefont()
    for number, line in enumerate(lines):
        draw.text((3, top + 1 + 12 * number), line, fill=ink, font=font)


def _with_references(drawing: Drawing) -> Image.Image:
    """The references side by side on the prompt's mosaic, the words under them."""
    canvas = _grid(drawing, REFERENCE_GRID_SIDE).convert("RGB")
    columns = math.ceil(math.sqrt(len(drawing.references)))
    rows = math.ceil(len(drawing.references) / columns)
    margin = 8
    room = (canvas.width - 2 * margin, canvas.height - 2 * margin - 26)
    tile = (max(1, room[0] // columns), max(1, room[1] // rows))
    for number, reference in enumerate(drawing.references):
        with Image.open(io.BytesIO(reference)) as picture:
            shown = ImageOps.contain(picture, tile)
        left = margin + (number % columns) * tile[0] + (tile[0] - shown.width) // 2
        top = margin + (number // columns) * tile[1] + (tile[1] - shown.height) // 2
        canvas.paste(shown, (left, top))
    return canvas.quantize(256, method=Image.Quantize.FASTOCTREE)


# --- encoding ---------------------------------------------------------------------------------


def _runs(grid: Image.Image, rows_total: int) -> list[tuple[int, int]]:
    """(row of the grid, how many rows of the picture look like it), top to bottom."""
    data, width = grid.tobytes(), grid.width
    rows = [row * grid.height // rows_total for row in range(rows_total)]
    grouped = groupby(rows, key=lambda row: data[row * width : (row + 1) * width])
    return [(members[0], len(members)) for members in (list(group) for _, group in grouped)]


def _png(grid: Image.Image, width: int, height: int) -> bytes:
    palette = bytes(grid.getpalette("RGB") or b"\x00\x00\x00")[:768]
    wide = grid.resize((width, grid.height), Image.Resampling.NEAREST).tobytes()
    deflate = zlib.compressobj(1, zlib.DEFLATED, -15)
    pieces = [b"\x78\x01"]
    low, high = 1, 0  # The two halves of adler32, which zlib cannot combine from Python.
    for row, count in _runs(grid, height):
        line = b"\x00" + wide[row * width : (row + 1) * width]
        pieces += (deflate.compress(line), deflate.flush(zlib.Z_FULL_FLUSH))
        sum32 = zlib.adler32(line, high << 16 | low)
        low, high = sum32 & 0xFFFF, sum32 >> 16
        same = count - 1
        if same:
            pieces.append(_repeated_rows(width, same))
            # Each repeated row is a 2 (the filter) and `width` zeros.
            high = (high + (width + 1) * (same * low + same * (same + 1))) % 65521
            low = (low + 2 * same) % 65521
    pieces.append(b"\x03\x00" + struct.pack(">HH", high, low))
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", header),
            _chunk(b"PLTE", palette),
            _chunk(b"IDAT", b"".join(pieces)),
            _chunk(b"IEND", b""),
        )
    )


@lru_cache(maxsize=512)
def _repeated_rows(width: int, count: int) -> bytes:
    """Compressed rows that say "as the row above", ending where another piece may begin."""
    deflate = zlib.compressobj(1, zlib.DEFLATED, -15)
    line = b"\x02" + bytes(width)
    pieces = [deflate.compress(line) for _ in range(count)]
    return b"".join(pieces) + deflate.flush(zlib.Z_FULL_FLUSH)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _jpeg(grid: Image.Image, width: int, height: int) -> bytes:
    runs = _runs(grid, math.ceil(height / JPEG_BLOCK))
    unique = Image.new("P", (grid.width, len(runs)))
    data = grid.tobytes()
    unique.frombytes(b"".join(data[r * grid.width : (r + 1) * grid.width] for r, _ in runs))
    unique.putpalette(grid.getpalette("RGB") or [])
    bands = unique.convert("RGB").resize((width, len(runs) * JPEG_BLOCK), Image.Resampling.NEAREST)
    out = io.BytesIO()
    bands.save(out, "JPEG", quality=80, subsampling=2, restart_marker_rows=1)
    encoded = bytearray(out.getvalue())
    frame = encoded.index(b"\xff\xc0\x00\x11\x08")
    encoded[frame + 5 : frame + 7] = struct.pack(">H", height)
    scan = encoded.index(b"\xff\xda")
    scan += 2 + int.from_bytes(encoded[scan + 2 : scan + 4], "big")
    rows = re.split(rb"\xff[\xd0-\xd7]", bytes(encoded[scan:-2]))
    pieces = [bytes(encoded[:scan])]
    number = 0
    for row, (_, count) in zip(rows, runs, strict=True):
        for _ in range(count):
            if number:
                pieces.append(bytes((0xFF, 0xD0 + (number - 1) % 8)))
            pieces.append(row)
            number += 1
    pieces.append(b"\xff\xd9")
    return b"".join(pieces)
