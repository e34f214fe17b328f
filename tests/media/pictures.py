"""Real pictures, and hostile files that only look like some."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image, ImageDraw

GPS_MARK = b"41.2995N-69.2401E"


def picture(format_: str = "JPEG", *, seed: int = 0, width: int = 96, height: int = 64) -> bytes:
    """A small drawing that differs by ``seed``, with a place in its metadata."""
    image = Image.new("RGB", (width, height), (seed * 37 % 256, seed * 59 % 256, 90))
    ImageDraw.Draw(image).ellipse((8, 8, 40 + seed % 20, 40), fill="white")
    exif = Image.Exif()
    exif[0x010E] = GPS_MARK.decode()
    out = io.BytesIO()
    image.save(out, format_, exif=exif)
    return out.getvalue()


def noise(side: int) -> bytes:
    """A PNG whose bytes cannot be squeezed: three a pixel."""
    out = io.BytesIO()
    Image.frombytes("RGB", (side, side), random_bytes(side * side * 3)).save(out, "PNG")
    return out.getvalue()


def random_bytes(count: int) -> bytes:
    import random

    return random.Random(count).randbytes(count)


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def bomb(width: int = 60_000, height: int = 60_000) -> bytes:
    """A few hundred bytes that claim 3.6 thousand megapixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(bytes(10_000))), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks)


def ten_thousand_frames() -> bytes:
    """An animated PNG of 10,000 frames."""
    still = picture("PNG")
    end_of_header = still.index(b"IHDR") + 4 + 13 + 4
    control = png_chunk(b"acTL", struct.pack(">II", 10_000, 0))
    frames = b"".join(
        png_chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, 96, 64, 0, 0, 1, 100, 0, 0))
        for number in range(10_000)
    )
    return still[:end_of_header] + control + frames + still[end_of_header:]


def gif() -> bytes:
    out = io.BytesIO()
    Image.new("P", (8, 8), 3).save(out, "GIF")
    return out.getvalue()


def heic() -> bytes:
    return b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(500)


SCRIPT = b"<script>alert(document.cookie)</script>"


def polyglot() -> bytes:
    """A JPEG that is also a page: markup in a comment and behind the end."""
    plain = picture("JPEG")
    comment = b"\xff\xfe" + struct.pack(">H", len(SCRIPT) + 2) + SCRIPT
    return plain[:2] + comment + plain[2:] + SCRIPT + b"PK\x03\x04" + bytes(100)
