"""The caption and the mark of origin, written at full size."""

from __future__ import annotations

from typing import Final

from PIL import Image, ImageDraw, ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

LABEL: Final = "offline"
CAPTION_LENGTH_MAX: Final = 90
_FONT_FILES: Final = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "Arial.ttf")
_PAIRS: Final = (
    "yo",
    "zh",
    "kh",
    "ts",
    "ch",
    "sh",
    "shch",
    "'",
    "y",
    "'",
    "yu",
    "ya",
    "o'",
    "q",
    "g'",
)
_LATIN: Final = dict(zip("абвгдезийклмнопрстуфэҳ", "abvgdeziyklmnoprstufeh", strict=True)) | dict(
    zip("ёжхцчшщъыьюяўқғ", _PAIRS, strict=True)
)


def write(picture: Image.Image, prompt: str) -> None:
    """Put the prompt below and the mark into the upper right corner."""
    size = max(11, round(min(picture.size) / 42))
    font, everything = _font(size)
    words = " ".join(prompt.split())
    caption = words if everything else _in_latin(words)
    draw = ImageDraw.Draw(picture, "RGBA")
    margin = round(size * 1.1)
    room = picture.width - margin * 4
    shown = caption[:CAPTION_LENGTH_MAX]
    while len(shown) > 1 and draw.textlength(_cut(shown, caption), font=font) > room:
        shown = shown[:-1]
    _strip(draw, _cut(shown, caption), font, size, (margin, picture.height - margin), left=True)
    _strip(draw, LABEL, font, size, (picture.width - margin, margin), left=False)


def _cut(shown: str, whole: str) -> str:
    return shown if shown == whole else shown.rstrip() + "..."


def _strip(
    draw: ImageDraw.ImageDraw,
    text: str,
    font: Font,
    size: int,
    corner: tuple[int, int],
    *,
    left: bool,
) -> None:
    wide, tall, pad = draw.textlength(text, font=font), round(size * 1.9), round(size * 0.7)
    x = corner[0] if left else corner[0] - wide - pad * 2
    y = corner[1] - tall if left else corner[1]
    draw.rounded_rectangle((x, y, x + wide + pad * 2, y + tall), tall / 2, fill=(18, 20, 34, 150))
    draw.text((x + pad, y + tall / 2), text, font=font, fill=(255, 255, 255, 235), anchor="lm")


def _font(size: int) -> tuple[Font, bool]:
    """A font, and whether it has more than Latin letters; Pillow's own has not."""
    for name in _FONT_FILES:
        try:
            return ImageFont.truetype(name, size), True
        except OSError:
            continue
    return ImageFont.load_default(size), False


def _in_latin(text: str) -> str:
    letters = []
    for letter in text:
        latin = _LATIN.get(letter.lower(), letter if letter.isascii() else "?")
        letters.append(latin.capitalize() if letter.isupper() else latin)
    return "".join(letters)
