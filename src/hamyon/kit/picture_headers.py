"""What a file says of the picture in it, read without any decoder: format, sides, frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

from hamyon.kit.errors import HamyonError

Format = Literal["PNG", "JPEG", "WEBP"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)


class PictureRefused(HamyonError):
    """Not a picture that we take.

    ``reason`` is ``format`` (``format`` names what it is), ``animated``, ``damaged`` or
    ``too_heavy`` (its decoder took more memory or time than any honest picture does).
    """

    code = "unsupported_picture"
    status = 422


@dataclass(frozen=True, slots=True)
class Header:
    """What a picture will be when it is decoded. ``whole``: the file has its end."""

    format: Format
    width: int
    height: int
    animated: bool
    whole: bool
    scans: int = 1
    samples: float = 3.0


_FOREIGN_MAGIC: Final[tuple[tuple[bytes, str], ...]] = (
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"%PDF", "PDF"),
    (b"PK\x03\x04", "ZIP"),
    (b"\x00\x00\x01\x00", "ICO"),
    (b"8BPS", "PSD"),
    (b"<svg", "SVG"),
    (b"<?xml", "SVG"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
)
_HEIC_BRANDS: Final = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")
_START_OF_FRAME: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def read_header(data: bytes) -> Header:
    """The header of a PNG, JPEG or WebP. Raises PictureRefused for everything else, by name."""
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            return _png_header(data)
        if data.startswith(b"\xff\xd8\xff"):
            return _jpeg_header(data)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp_header(data)
    except (IndexError, ValueError) as error:
        raise PictureRefused(reason="damaged", format="unknown") from error
    raise PictureRefused(reason="format", format=_foreign_name(data), allowed=sorted(FORMATS))


def _foreign_name(data: bytes) -> str:
    if data[4:8] == b"ftyp":
        brand = data[8:12]
        if brand in _HEIC_BRANDS:
            return "HEIC"
        return "AVIF" if brand in {b"avif", b"avis"} else "MP4"
    start = data[:256].lstrip()
    return next((name for magic, name in _FOREIGN_MAGIC if start.startswith(magic)), "unknown")


def _png_header(data: bytes) -> Header:
    if data[12:16] != b"IHDR":
        raise ValueError("the first chunk is not IHDR")
    animated, at = False, 8
    while (kind := data[at + 4 : at + 8]) not in {b"IDAT", b""}:
        animated = animated or kind == b"acTL"
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    return Header(
        "PNG",
        width=_side(data[16:20], "big"),
        height=_side(data[20:24], "big"),
        animated=animated,
        whole=kind == b"IDAT" and data.rfind(b"IEND", at) > 0,
    )


def _jpeg_header(data: bytes) -> Header:
    at = 2
    while True:
        while data[at] == 0xFF and data[at + 1] == 0xFF:
            at += 1
        if data[at] != 0xFF:
            raise ValueError("no marker where one must be")
        marker = data[at + 1]
        if marker in _START_OF_FRAME:
            return Header(
                "JPEG",
                width=_side(data[at + 7 : at + 9], "big"),
                height=_side(data[at + 5 : at + 7], "big"),
                animated=False,  # A second picture (a depth or gain map) is left behind.
                whole=data.rfind(b"\xff\xd9") > at,
                scans=data.count(b"\xff\xda", at),
                samples=_samples(data[at + 9 : at + 10 + 3 * data[at + 9]]),
            )
        if marker in {0xD9, 0xDA}:
            raise ValueError("a scan before the frame")
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if length < 2:
            raise ValueError("a segment shorter than its own length")
        at += 2 + length


def _samples(components: bytes) -> float:
    """Numbers a pixel, from the frame's components: each has an id, two sampling factors, a table.

    (ITU-T T.81, B.2.2)
    """
    factors = [(byte >> 4, byte & 15) for byte in components[2::3]]
    widest = max(h for h, _ in factors) * max(v for _, v in factors)
    return sum(h * v for h, v in factors) / max(widest, 1)


def _webp_header(data: bytes) -> Header:
    kind, body = data[12:16], data[20:30]
    animated = False
    if kind == b"VP8X":
        animated = bool(body[0] & 0x02)
        width = int.from_bytes(body[4:7], "little") + 1
        height = int.from_bytes(body[7:10], "little") + 1
    elif kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 ":
        width = _side(body[6:8], "little") & 0x3FFF
        height = _side(body[8:10], "little") & 0x3FFF
    else:
        raise ValueError("an unknown first chunk")
    whole = len(data) >= 8 + int.from_bytes(data[4:8], "little")
    return Header("WEBP", width=width, height=height, animated=animated, whole=whole)


def _side(raw: bytes, order: Literal["big", "little"]) -> int:
    side = int.from_bytes(raw, order)
    if side == 0 or len(raw) < 2:
        raise ValueError("a side of no length")
    return side
