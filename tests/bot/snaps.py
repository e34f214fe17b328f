"""Photos that people send: small, and each one different."""

from __future__ import annotations

import io

from PIL import Image
from skimage import data


def snap(number: int = 0, kind: str = "JPEG") -> bytes:
    """A real photo, with a tint of its own."""
    photo = Image.fromarray(data.astronaut()).resize((192, 192))  # type: ignore[no-untyped-call]
    tint = Image.new("RGB", photo.size, (number * 37 % 256, number * 91 % 256, number * 17 % 256))
    out = io.BytesIO()
    Image.blend(photo, tint, 0.3).save(out, kind)
    return out.getvalue()
