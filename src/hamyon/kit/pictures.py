"""Strangers' pictures: decoded without harm, and written anew without anything but the picture.

Nothing is decoded before its header was read here: format by magic, sides, frames. Pictures are
decoded on a thread of their own, one at a time.

A stranger's picture never takes more than ``INLINE_BYTES_MAX``: a JPEG with more pixels than that
allows is decoded at a half, a quarter or an eighth of its sides, which its format can do without
ever holding the whole; PNG and WebP cannot, and are refused above ``WHOLE_PIXELS_MAX``. A picture
that was made for us and is only probed may be heavier: it is decoded in a child process with limits
on memory and time, so that the worst of them can only end its own child.
"""

from __future__ import annotations

import asyncio
import ctypes
import io
import json
import os
import resource
import subprocess
import sys
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, assert_never

from PIL import Image, ImageCms, ImageFile, JpegImagePlugin

from hamyon.kit.errors import HamyonError
from hamyon.kit.picture_headers import FORMATS, Format, Header, PictureRefused, read_header

MIME: Final[dict[Format, str]] = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "WEBP": "image/webp",
}
EXTENSION: Final[dict[str, str]] = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
}
"""The usual ending of a file, by mime."""

PIXELS_MAX: Final = 50_000_000
INLINE_BYTES_MAX: Final = 150 * 1024 * 1024
"""What a decoder may take in our own process."""
WHOLE_PIXELS_MAX: Final[dict[Format, int]] = {"PNG": 4096 * 4096, "WEBP": 3840 * 2160}
"""Strangers' pictures that can only be decoded whole: the largest that models make, and UHD."""
LOSSLESS_PIXELS_MAX: Final = 2048 * 2048
"""Of a WebP without loss, whose encoder takes as much memory as its decoder."""
_JPEG_BYTES_MAX: Final = 128 * 1024 * 1024
_LIGHT_BYTES_MAX: Final = 32 * 1024 * 1024
_CHILD_ADDRESS_SPACE_BYTES: Final = 1536 * 1024 * 1024
_CHILD_TIMEOUT_S: Final = 30
_JPEG_SCANS_MAX: Final = 100

_Mode = Literal["clean", "probe"]


class TooManyPixels(HamyonError):
    """More pixels than ``max_pixels``; ``width`` and ``height`` say what it has."""

    code = "too_many_pixels"
    status = 422


class UploadTooLarge(HamyonError):
    """The file is longer than ``limit_bytes``."""

    code = "upload_too_large"
    status = 413


@dataclass(frozen=True, slots=True)
class Picture:
    """A whole picture that a decoder has read to its end."""

    content: bytes
    mime: str
    width: int
    height: int

    @property
    def size_bytes(self) -> int:
        return len(self.content)

    """Of a JPEG: numbers for each pixel, by how its colours are sampled."""


async def inspect_and_clean(
    source: bytes | Path,
    *,
    max_pixels: int = PIXELS_MAX,
    formats: Collection[Format] = FORMATS,
) -> Picture:
    """The same picture upright, in sRGB and without metadata, written anew in its own format.

    A JPEG of more pixels than can be held comes back with its sides halved, or quartered.
    Raises PictureRefused, TooManyPixels.
    """
    return await _in_pool(source, max_pixels, formats, "clean")


async def probe(
    content: bytes,
    *,
    max_pixels: int = PIXELS_MAX,
    formats: Collection[Format] = FORMATS,
) -> Picture:
    """Decodes a made picture to its end and gives it back as it is. Raises as inspect_and_clean."""
    return await _in_pool(content, max_pixels, formats, "probe")


# One after the other, in the whole process: the bound is meant for all of them together.
_POOL: Final = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pictures")


async def _in_pool(
    source: bytes | Path, max_pixels: int, formats: Collection[Format], mode: _Mode
) -> Picture:
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_POOL, _checked, source, max_pixels, formats, mode)


def _checked(
    source: bytes | Path, max_pixels: int, formats: Collection[Format], mode: _Mode
) -> Picture:
    data = source.read_bytes() if isinstance(source, Path) else source
    header = read_header(data)
    if header.format not in formats:
        raise PictureRefused(reason="format", format=header.format, allowed=sorted(formats))
    if mode == "clean":
        max_pixels = min(max_pixels, _whole_pixels_max(data, header.format) or max_pixels)
    if header.width * header.height > max_pixels:
        raise TooManyPixels(width=header.width, height=header.height, max_pixels=max_pixels)
    if header.animated:
        raise PictureRefused(reason="animated", format=header.format)
    if not header.whole or header.scans > _JPEG_SCANS_MAX:
        raise PictureRefused(reason="damaged", format=header.format)
    shrink = _shrink(header) if mode == "clean" else 1
    weight = _weight_bytes(header, mode, shrink)
    if weight <= _LIGHT_BYTES_MAX:
        return _decoded(data, header, mode, shrink)
    if weight > INLINE_BYTES_MAX:
        return _decoded_in_child(data, header, mode)
    try:
        return _decoded(data, header, mode, shrink)
    finally:
        _give_back()


def _give_back() -> None:
    """Return free memory to the system; the allocator would keep it for the next such picture."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:  # It is the GNU library's own.
        trim(0)


def _whole_pixels_max(data: bytes, format_: Format) -> int | None:
    if format_ == "WEBP" and _is_lossless(data):
        return LOSSLESS_PIXELS_MAX
    return WHOLE_PIXELS_MAX.get(format_)


def _is_lossless(data: bytes) -> bool:
    """Whether a WebP is written without loss; one that hides it is written with some."""
    return data[12:16] == b"VP8L" or b"VP8L" in data[20:4096]


def _weight_bytes(header: Header, mode: _Mode, shrink: int = 1) -> int:
    """Memory at the peak: Pillow keeps 4 bytes a pixel, and as much again for a turn or a profile.

    libwebp has two canvases and a copy more; a JPEG of several scans is kept whole besides, two
    bytes a number.
    """
    pixels = header.width * header.height
    copies = 2 if mode == "clean" else 1
    match header.format:
        case "PNG":
            return pixels * 4 * copies
        case "WEBP":
            return pixels * 18
        case "JPEG":
            kept = int(pixels * header.samples * 2) if header.scans > 1 else 0
            return kept + pixels * 4 * copies // shrink**2
        case _:
            assert_never(header.format)


def _shrink(header: Header) -> int:
    """By how much a JPEG's sides are divided so that it can be decoded. Raises TooManyPixels."""
    if header.format != "JPEG":
        return 1
    for shrink in (1, 2, 4, 8):
        weight = _weight_bytes(header, "clean", shrink)
        if weight <= _JPEG_BYTES_MAX:
            return shrink
    pixels = header.width * header.height
    raise TooManyPixels(
        width=header.width,
        height=header.height,
        max_pixels=pixels * _JPEG_BYTES_MAX // weight,
    )


# --- decoding -------------------------------------------------------------------------------------


def _decoded(data: bytes, header: Header, mode: _Mode, shrink: int = 1) -> Picture:
    """Decodes to the end; what any decoder raises for a bad file is a refusal."""
    try:
        with _opened(data, header) as image:
            if shrink > 1:
                image.draft(None, (header.width // shrink, header.height // shrink))
            image.load()
            if mode == "probe":
                return Picture(data, MIME[header.format], *image.size)
            return _written(_upright(_plain(image), image), image, header.format, data)
    except MemoryError:
        raise PictureRefused(reason="too_heavy", format=header.format) from None
    except HamyonError:
        raise
    except Exception as error:  # Decoders raise whatever comes to them: OSError to struct.error.
        raise PictureRefused(reason="damaged", format=header.format) from error


def _opened(data: bytes, header: Header) -> ImageFile.ImageFile:
    """Not by Image.open, which counts pixels by a global; ours were counted already."""
    image = _plugin(header.format)(io.BytesIO(data))
    if image.size != (header.width, header.height):
        raise ValueError("the header says another size than the decoder")
    return image


def _plugin(format_: Format) -> type[ImageFile.ImageFile]:
    from PIL import PngImagePlugin, WebPImagePlugin

    match format_:
        case "PNG":
            return PngImagePlugin.PngImageFile
        case "JPEG":
            return JpegImagePlugin.JpegImageFile
        case "WEBP":
            return WebPImagePlugin.WebPImageFile
        case _:
            assert_never(format_)


def _plain(image: Image.Image) -> Image.Image:
    """One of L, RGB and RGBA, in sRGB."""
    if image.mode.startswith("I"):
        image = image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    profile = image.info.get("icc_profile")
    if profile and image.mode in {"L", "RGB", "RGBA", "CMYK"}:
        image = _in_srgb(image, profile)
    if image.mode in {"LA", "PA", "La", "RGBa"} or "transparency" in image.info:
        return image.convert("RGBA")
    if image.mode == "1":
        return image.convert("L")
    return image if image.mode in {"L", "RGB", "RGBA"} else image.convert("RGB")


def _in_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in (ImageCms.getProfileDescription(source) or "").lower():
            return image
        target = ImageCms.createProfile("sRGB")
        mode = "RGBA" if image.mode == "RGBA" else "RGB"
        changed = ImageCms.profileToProfile(image, source, target, outputMode=mode)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image  # A profile that cannot be read says nothing about the colours.
    return changed or image


_TURNS: Final[dict[int, Image.Transpose]] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _upright(image: Image.Image, source: Image.Image) -> Image.Image:
    try:
        turn = _TURNS.get(source.getexif().get(0x0112, 1))
    except Exception:  # noqa: BLE001 -- damaged EXIF raises anything, and costs only the turn.
        return image
    return image if turn is None else image.transpose(turn)


def _written(image: Image.Image, source: Image.Image, format_: Format, data: bytes) -> Picture:
    image.info = {}  # Encoders would carry profile, comment and resolution over from here.
    out = io.BytesIO()
    match format_:
        case "PNG":
            image.save(out, "PNG", compress_level=4)
        case "JPEG":
            # The photograph's own tables: no second loss worth seeing, and about its own length.
            tables = getattr(source, "quantization", None)
            image = image.convert("RGB") if image.mode == "RGBA" else image
            if tables and source.mode == image.mode:
                sampling = JpegImagePlugin.get_sampling(source)
                image.save(out, "JPEG", qtables=tables, subsampling=max(sampling, 0))
            else:
                image.save(out, "JPEG", quality=92)
        case "WEBP":
            lossless = _is_lossless(data)
            image.save(out, "WEBP", lossless=lossless, quality=50 if lossless else 92, method=2)
        case _:
            assert_never(format_)
    return Picture(out.getvalue(), MIME[format_], *image.size)


# --- the child process ----------------------------------------------------------------------------


def _decoded_in_child(data: bytes, header: Header, mode: _Mode) -> Picture:
    request = json.dumps([header.format, header.width, header.height, mode]).encode()
    try:
        done = subprocess.run(  # noqa: S603 -- ourselves, with no argument from outside
            [sys.executable, "-m", __spec__.name],
            input=request + b"\n" + data,
            capture_output=True,
            timeout=_CHILD_TIMEOUT_S,
            check=True,
        )
        facts, _, content = done.stdout.partition(b"\n")
        answer = json.loads(facts)
    except (subprocess.SubprocessError, ValueError) as error:
        raise PictureRefused(reason="too_heavy", format=header.format) from error
    if "reason" in answer:
        raise PictureRefused(reason=answer["reason"], format=header.format)
    return Picture(content or data, MIME[header.format], answer["width"], answer["height"])


def _child() -> None:
    limit = _CHILD_ADDRESS_SPACE_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CPU, (_CHILD_TIMEOUT_S, _CHILD_TIMEOUT_S))
    os.nice(5)
    first, _, data = sys.stdin.buffer.read().partition(b"\n")
    format_, width, height, mode = json.loads(first)
    try:
        picture = _decoded(data, Header(format_, width, height, animated=False, whole=True), mode)
    except PictureRefused as refused:
        sys.stdout.buffer.write(json.dumps({"reason": refused.facts["reason"]}).encode() + b"\n")
        return
    facts = json.dumps({"width": picture.width, "height": picture.height}).encode()
    content = b"" if mode == "probe" else picture.content
    sys.stdout.buffer.write(facts + b"\n" + content)


if __name__ == "__main__":
    _child()
