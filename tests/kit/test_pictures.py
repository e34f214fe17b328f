"""Strangers' pictures: what is refused, what is cleaned, and what they may cost."""

from __future__ import annotations

import asyncio
import io
import random
import resource
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image, ImageCms, ImageDraw

from hamyon.kit import pictures
from hamyon.kit.picture_headers import PictureRefused
from hamyon.kit.pictures import TooManyPixels, inspect_and_clean, probe


def photo(width: int = 320, height: int = 200, mode: str = "RGB") -> Image.Image:
    image = Image.effect_noise((width, height), 40).convert("RGB")
    ImageDraw.Draw(image).rectangle((0, 0, width // 4, height // 4), fill=(250, 20, 20))
    return image.convert(mode)


def encoded(image: Image.Image, format_: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, format_, **options)
    return out.getvalue()


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_of(width: int, height: int, body: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + png_chunk(b"IDAT", body)
        + png_chunk(b"IEND", b"")
    )


def flat_png(width: int, height: int) -> bytes:
    row = zlib.compressobj()
    body = b"".join(row.compress(bytes(1 + width * 3)) for _ in range(height)) + row.flush()
    return png_of(width, height, body)


def animated_png(frames: int) -> bytes:
    still = encoded(photo(8, 8), "PNG")
    end = still.index(b"IHDR") + 4 + 13 + 4
    control = png_chunk(b"acTL", struct.pack(">II", frames, 0))
    frame = b"".join(
        png_chunk(b"fcTL", struct.pack(">IIIIIHHBB", i, 8, 8, 0, 0, 1, 100, 0, 0))
        for i in range(frames)
    )
    return still[:end] + control + frame + still[end:]


def heic() -> bytes:
    return b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(500)


@pytest.mark.parametrize(("format_", "mime"), [
    ("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp"),
])  # fmt: skip
async def test_keeps_format_and_sides(format_: str, mime: str) -> None:
    picture = await inspect_and_clean(encoded(photo(), format_))
    again = Image.open(io.BytesIO(picture.content))
    assert (again.format, again.size, picture.mime) == (format_, (320, 200), mime)
    assert (picture.width, picture.height) == (320, 200)
    red, green, _ = again.convert("RGB").getpixel((20, 20))  # type: ignore[misc]  # a tuple for RGB
    assert red > 220
    assert green < 60


async def test_takes_a_path(tmp_path: Path) -> None:
    path = tmp_path / "расм.png"
    path.write_bytes(encoded(photo(), "PNG"))
    assert (await inspect_and_clean(path)).width == 320


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
async def test_every_mode_of_png(mode: str) -> None:
    image = Image.linear_gradient("L").resize((64, 64))
    image = image.convert("I").point(lambda v: v * 256).convert(mode) if mode == "I;16" else (
        image.convert(mode)
    )  # fmt: skip
    picture = await inspect_and_clean(encoded(image, "PNG"))
    again = Image.open(io.BytesIO(picture.content))
    assert again.mode in {"L", "RGB", "RGBA"}
    dark, light = again.convert("L").getpixel((5, 1)), again.convert("L").getpixel((5, 62))
    assert isinstance(dark, int)
    assert isinstance(light, int)
    assert light - dark > 150


async def test_transparency_survives() -> None:
    image = Image.new("P", (16, 16), 3)
    image.putpalette([shade for index in range(256) for shade in (index, 0, 0)])
    image.putpixel((0, 0), 5)
    picture = await inspect_and_clean(encoded(image, "PNG", transparency=5))
    again = Image.open(io.BytesIO(picture.content)).convert("RGBA")
    assert again.getpixel((0, 0))[3] == 0  # type: ignore[index]  # a tuple for RGBA
    assert again.getpixel((1, 1))[3] == 255  # type: ignore[index]  # a tuple for RGBA


@pytest.mark.parametrize("orientation", range(1, 9))
async def test_orientation_is_applied(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.new("RGB", (60, 40), "white")
    ImageDraw.Draw(image).rectangle((0, 0, 20, 12), fill="black")
    picture = await inspect_and_clean(encoded(image, "JPEG", exif=exif, quality=95))
    upright = Image.open(io.BytesIO(picture.content)).convert("L")
    assert upright.size == ((60, 40) if orientation <= 4 else (40, 60))
    dark_corner = {1: (0, 0), 2: (1, 0), 3: (1, 1), 4: (0, 1), 5: (0, 0), 6: (1, 0), 7: (1, 1),
                   8: (0, 1)}[orientation]  # fmt: skip
    width, height = upright.size
    corners = {(x, y): upright.getpixel((x * (width - 1), y * (height - 1)))
               for x in (0, 1) for y in (0, 1)}  # fmt: skip
    assert min(corners, key=lambda corner: corners[corner] or 0) == dark_corner
    assert not Image.open(io.BytesIO(picture.content)).getexif()


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "WEBP"])
async def test_metadata_is_gone(format_: str) -> None:
    secret = b"41.3111N 69.2797E"
    exif = Image.Exif()
    exif[0x010E] = secret.decode()
    options: dict[str, object] = {"exif": exif, "icc_profile": _wide_profile()}
    if format_ == "JPEG":
        options["comment"] = b"comment " + secret
    data = encoded(photo(), format_, **options)
    assert secret in data
    picture = await inspect_and_clean(data)
    assert secret not in picture.content
    assert not {"exif", "icc_profile", "comment"} & set(
        Image.open(io.BytesIO(picture.content)).info
    )


def _wide_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()


def _swapped_profile() -> bytes:
    """sRGB with its red and green columns exchanged: applying it must exchange the colours."""
    raw = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for tag in range(int.from_bytes(raw[128:132], "big")):
        at = 132 + tag * 12
        name = bytes(raw[at : at + 4])
        raw[at : at + 4] = {b"rXYZ": b"gXYZ", b"gXYZ": b"rXYZ"}.get(name, name)
    return bytes(raw.replace("sRGB".encode("utf-16-be"), "mine".encode("utf-16-be")))


async def test_colours_are_brought_to_srgb() -> None:
    image = Image.new("RGB", (32, 32), (250, 0, 0))
    picture = await inspect_and_clean(encoded(image, "PNG", icc_profile=_swapped_profile()))
    red, green, _ = Image.open(io.BytesIO(picture.content)).getpixel((5, 5))  # type: ignore[misc]  # a tuple for RGB
    assert green > 200
    assert red < 50


async def test_unreadable_profile_costs_only_itself() -> None:
    data = encoded(photo(), "JPEG", icc_profile=b"no profile at all")
    assert (await inspect_and_clean(data)).width == 320


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (encoded(photo(16, 16), "GIF"), "GIF"),
        (heic(), "HEIC"),
        (heic().replace(b"ftypheic", b"ftypavif"), "AVIF"),
        (encoded(photo(16, 16), "BMP"), "BMP"),
        (encoded(photo(16, 16), "TIFF"), "TIFF"),
        (b"%PDF-1.7 " + encoded(photo(16, 16), "JPEG"), "PDF"),
        (b"PK\x03\x04" + encoded(photo(16, 16), "PNG"), "ZIP"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"hello", "unknown"),
        (b"", "unknown"),
        (b"GIF89a" + encoded(photo(16, 16), "JPEG"), "GIF"),
    ],
)
async def test_other_formats_are_refused_by_name(data: bytes, named: str) -> None:
    with pytest.raises(PictureRefused) as caught:
        await inspect_and_clean(data)
    assert caught.value.facts["reason"] == "format"
    assert caught.value.facts["format"] == named


async def test_wrong_magic_is_no_picture() -> None:
    jpeg, png, webp = (encoded(photo(), name) for name in ("JPEG", "PNG", "WEBP"))
    for data in (
        b"\x89PNG\r\n\x1a\n" + jpeg,
        b"\xff\xd8\xff\xe0" + png,
        b"RIFF\x00\x01\x00\x00WEBP" + png,
        webp[:12] + jpeg,
        b"\xff\xd8\xff" + bytes(1000),
        b"\xff\xd8\xff",
        b"\x89PNG\r\n\x1a\n",
        b"RIFF\x04\x00\x00\x00WEBP",
    ):
        with pytest.raises(PictureRefused):
            await inspect_and_clean(data)


async def test_polyglot_loses_its_other_half() -> None:
    payload = b"PK\x03\x04 <script>alert(1)</script>"
    for format_ in ("PNG", "JPEG", "WEBP"):
        picture = await inspect_and_clean(encoded(photo(), format_) + payload)
        assert b"script" not in picture.content


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("check", [inspect_and_clean, probe])
async def test_truncated_is_refused(format_: str, check: object) -> None:
    options = {"progressive": True} if format_ == "JPEG" else {}
    for whole in (encoded(photo(), format_), encoded(photo(), format_, **options)):
        for share in (0.02, 0.3, 0.7, 0.98, 0.999):
            with pytest.raises(PictureRefused):
                await check(whole[: int(len(whole) * share)])  # type: ignore[operator]  # either of two functions


async def test_animated_is_refused() -> None:
    frames = [photo(16, 16) for _ in range(3)]
    webp = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:])
    for data in (webp, animated_png(2), animated_png(10_000)):
        with pytest.raises(PictureRefused) as caught:
            await inspect_and_clean(data)
        assert caught.value.facts["reason"] == "animated"


async def test_second_picture_of_a_phone_is_left_behind() -> None:
    mpo = encoded(photo(), "MPO", save_all=True, append_images=[photo(80, 50)])
    picture = await inspect_and_clean(mpo)
    assert (picture.mime, picture.width) == ("image/jpeg", 320)
    assert picture.size_bytes < len(mpo)


async def test_scan_bomb_is_refused() -> None:
    data = encoded(photo(), "JPEG", progressive=True)
    scan = data[data.rindex(b"\xff\xda") : -2]
    with pytest.raises(PictureRefused):
        await inspect_and_clean(data[:-2] + scan * 5000 + data[-2:])


async def test_random_damage_never_escapes_untyped() -> None:
    luck = random.Random(7)
    for format_ in ("PNG", "JPEG", "WEBP"):
        whole = encoded(photo(64, 64), format_)
        for _ in range(150):
            data = bytearray(whole)
            for _ in range(luck.randint(1, 8)):
                data[luck.randrange(len(data))] = luck.randrange(256)
            try:
                await inspect_and_clean(bytes(data))
            except (PictureRefused, TooManyPixels):
                continue


async def test_probe_gives_the_same_bytes_back() -> None:
    data = encoded(photo(), "JPEG")
    picture = await probe(data)
    assert (picture.content, picture.mime, picture.width) == (data, "image/jpeg", 320)


async def test_formats_can_be_narrowed() -> None:
    with pytest.raises(PictureRefused):
        await inspect_and_clean(encoded(photo(), "WEBP"), formats=("PNG", "JPEG"))


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


async def _peak_growth_bytes(*data: bytes) -> int:
    """How far our own resident memory rose while all of ``data`` were tried at once."""
    before = _resident_bytes()
    peak = before
    tasks = [asyncio.create_task(inspect_and_clean(one)) for one in data]
    waiting = asyncio.gather(*tasks, return_exceptions=True)
    while not waiting.done():
        peak = max(peak, _resident_bytes())
        await asyncio.sleep(0.005)
    assert all(
        isinstance(result, pictures.Picture | PictureRefused | TooManyPixels)
        for result in await waiting
    )
    return peak - before


async def test_pixel_bombs_are_refused_before_decoding() -> None:
    bombs = [
        png_of(60_000, 60_000, zlib.compress(bytes(100_000))),
        png_of(7072, 7072, zlib.compress(bytes(100_000))),
        _resized_jpeg(65_000, 65_000),
        _resized_webp(16_383, 16_383),
    ]
    for bomb in bombs:
        with pytest.raises(TooManyPixels):
            await inspect_and_clean(bomb)
    assert await _peak_growth_bytes(*bombs * 5) < 50 * 1024 * 1024


async def test_memory_is_bounded_at_the_pixel_limit() -> None:
    largest = flat_png(4096, 4096)
    assert await _peak_growth_bytes(largest, largest, flat_png(3500, 3500)) < 200 * 1024 * 1024


@pytest.mark.parametrize(("format_", "side"), [("PNG", 4097), ("WEBP", 2881)])
async def test_what_can_only_be_decoded_whole_has_its_own_limit(format_: str, side: int) -> None:
    with pytest.raises(TooManyPixels) as caught:
        await inspect_and_clean(encoded(Image.new("L", (side, side)), format_))
    assert caught.value.facts["max_pixels"] in {4096 * 4096, 3840 * 2160}


@pytest.mark.parametrize(("progressive", "shrink"), [(False, 2), (True, 4)])
async def test_a_large_photograph_is_stored_smaller(progressive: bool, shrink: int) -> None:
    image = Image.linear_gradient("L").resize((7000, 5000)).convert("RGB")
    data = encoded(image, "JPEG", progressive=progressive)
    picture = await inspect_and_clean(data)
    assert (picture.width, picture.height) == (7000 // shrink, 5000 // shrink)
    stored = Image.open(io.BytesIO(picture.content)).convert("L")
    for x, y in ((10, 10), (1600, 100), (700, 1200)):
        assert abs(stored.getpixel((x, y)) - image.getpixel((shrink * x, shrink * y))[0]) <= 4  # type: ignore[operator,index]  # L and RGB


async def test_a_photograph_of_many_scans_is_kept_whole_by_its_decoder_and_refused() -> None:
    image = Image.new("RGB", (7000, 5000))
    with pytest.raises(TooManyPixels) as caught:
        await inspect_and_clean(encoded(image, "JPEG", progressive=True, subsampling=0))
    assert 20_000_000 < caught.value.facts["max_pixels"] < 30_000_000  # type: ignore[operator]  # a number


async def test_heavy_pictures_come_out_the_same() -> None:
    image = Image.linear_gradient("L").resize((4600, 4600)).convert("RGB")
    made = encoded(image, "WEBP", quality=60, method=0)
    assert (await probe(made)).content == made


async def test_heavy_damage_is_refused_too() -> None:
    lie = png_of(4000, 4000, zlib.compress(bytes(100_000)))
    with pytest.raises(PictureRefused) as caught:
        await inspect_and_clean(lie)
    assert caught.value.facts["reason"] == "damaged"


def _resized_jpeg(width: int, height: int) -> bytes:
    data = bytearray(encoded(photo(), "JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def _resized_webp(width: int, height: int) -> bytes:
    data = bytearray(encoded(photo(), "WEBP"))
    at = data.index(b"\x9d\x01\x2a") + 3
    data[at : at + 4] = struct.pack("<HH", width, height)
    return bytes(data)
