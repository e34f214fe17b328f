"""The models that are sold, what each takes, and what a request costs (wire.md, section 1.7)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.pictures import PictureFormat

MISSING_PARAMETER = 1400
INVALID_PARAMETER = 1401

ASPECT_RATIOS = ("1:1", "3:2", "2:3", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9")
RESOLUTIONS = {"1k": 1024, "2k": 2048, "4k": 4096}
OUTPUT_FORMATS = ("png", "jpeg")
SIDE_MIN, SIDE_MAX = 1024, 4096
SERIES_MAX = 15
PROMPT_LENGTH_MAX = 20_000
FLAGS = ("enable_sync_mode", "enable_base64_output")

_SIZE = re.compile(r"(\d{1,5})\*(\d{1,5})")


class BadInputError(Exception):
    """A parameter that the model does not take; ``code`` is the vendor's."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Model:
    """One entry of the vendor's catalogue. ``images_max`` 0: it makes pictures from words alone."""

    path: str
    price_micro_usd: int
    images_max: int = 0
    takes_size: bool = False
    takes_resolution: bool = False
    series: bool = False
    price_4k_micro_usd: int | None = None

    def options(self) -> tuple[str, ...]:
        """Every parameter that it takes, the required first."""
        names = ["prompt"]
        if self.images_max:
            names.append("images")
        names += ["size"] if self.takes_size else ["aspect_ratio"]
        if self.takes_resolution:
            names.append("resolution")
        if not self.takes_size:
            names.append("output_format")
        if self.series:
            names.append("max_images")
        return (*names, *FLAGS)


def _seedream(path: str, images_max: int = 0, *, series: bool = False) -> Model:
    return Model(path, 27_000, images_max, takes_size=True, series=series)


def _banana_pro(path: str, images_max: int = 0) -> Model:
    return Model(path, 140_000, images_max, takes_resolution=True, price_4k_micro_usd=240_000)


MODELS: Mapping[str, Model] = {
    model.path: model
    for model in (
        _seedream("bytedance/seedream-v4"),
        _seedream("bytedance/seedream-v4/edit", 10),
        _seedream("bytedance/seedream-v4/sequential", series=True),
        _seedream("bytedance/seedream-v4/edit-sequential", 10, series=True),
        Model("google/nano-banana/text-to-image", 38_000),
        Model("google/nano-banana/edit", 38_000, 10),
        _banana_pro("google/nano-banana-pro/text-to-image"),
        _banana_pro("google/nano-banana-pro/edit", 14),
    )
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A checked request: what to make."""

    prompt: str
    width: int
    height: int
    picture_format: PictureFormat
    count: int
    images: tuple[str, ...]
    sync: bool
    base64: bool


def check(model: Model, body: Mapping[str, object], *, refuse_unknown: bool = True) -> Wanted:
    """Read a request's parameters. Raises ``BadInputError``."""
    if refuse_unknown and (unknown := set(body) - set(model.options())):
        raise _invalid(f"unknown parameter: {', '.join(sorted(unknown))}")
    width, height = _dimensions(model, body)
    return Wanted(
        prompt=_prompt(body),
        width=width,
        height=height,
        picture_format=_format(model, body),
        count=_count(model, body),
        images=_images(model, body),
        sync=_flag(body, "enable_sync_mode"),
        base64=_flag(body, "enable_base64_output"),
    )


def price_micro_usd(model: Model, body: Mapping[str, object]) -> int:
    """What a request costs before any discount. Raises ``BadInputError``."""
    each = model.price_micro_usd
    if model.price_4k_micro_usd is not None and body.get("resolution") == "4k":
        each = model.price_4k_micro_usd
    return each * _count(model, body)


def describe(model: Model) -> dict[str, object]:
    """The model as ``GET /models`` lists it."""
    names = model.options()
    required = [name for name in ("prompt", "images") if name in names]
    return {
        "model_id": model.path,
        "name": model.path,
        "type": "image-to-image" if model.images_max else "text-to-image",
        "base_price": model.price_micro_usd / 1_000_000,
        "formula": "",
        "api_schema": {
            "api_schemas": [
                {
                    "api_path": f"/api/v3/{model.path}",
                    "request_schema": {
                        "properties": {name: _property(model, name) for name in names},
                        "required": required,
                        "x-order-properties": list(names),
                    },
                }
            ]
        },
    }


def _property(model: Model, name: str) -> dict[str, object]:
    properties: dict[str, dict[str, object]] = {
        "prompt": {"type": "string"},
        "images": {"type": "array", "items": {"type": "string"}, "maxItems": model.images_max},
        "size": {"type": "string", "default": "2048*2048"},
        "aspect_ratio": {"type": "string", "enum": list(ASPECT_RATIOS)},
        "resolution": {"type": "string", "enum": list(RESOLUTIONS), "default": "1k"},
        "output_format": {"type": "string", "enum": list(OUTPUT_FORMATS), "default": "png"},
        "max_images": {"type": "integer", "minimum": 1, "maximum": SERIES_MAX, "default": 1},
    }
    return properties.get(name, {"type": "boolean", "default": False})


def _invalid(message: str) -> BadInputError:
    return BadInputError(INVALID_PARAMETER, message)


def _text(body: Mapping[str, object], name: str, default: str) -> str:
    value = body.get(name, default)
    if not isinstance(value, str):
        raise _invalid(f"{name} must be a string")
    return value


def _flag(body: Mapping[str, object], name: str) -> bool:
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise _invalid(f"{name} must be a boolean")
    return value


def _prompt(body: Mapping[str, object]) -> str:
    prompt = _text(body, "prompt", "").strip()
    if not prompt:
        raise BadInputError(MISSING_PARAMETER, "prompt is required")
    if len(prompt) > PROMPT_LENGTH_MAX:
        raise _invalid("prompt is too long")
    return prompt


def _images(model: Model, body: Mapping[str, object]) -> tuple[str, ...]:
    if not model.images_max:
        return ()
    images = body.get("images")
    if images is None or images == []:
        raise BadInputError(MISSING_PARAMETER, "images is required")
    if not isinstance(images, list) or not all(isinstance(image, str) for image in images):
        raise _invalid("images must be an array of strings")
    if len(images) > model.images_max:
        raise _invalid(f"images must have at most {model.images_max} items")
    return tuple(images)


def _count(model: Model, body: Mapping[str, object]) -> int:
    count = body.get("max_images", 1)
    if not model.series:
        return 1
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= SERIES_MAX:
        raise _invalid(f"max_images must be 1 to {SERIES_MAX}")
    return count


def _format(model: Model, body: Mapping[str, object]) -> PictureFormat:
    if model.takes_size:
        return PictureFormat.PNG
    value = _text(body, "output_format", "png")
    if value not in OUTPUT_FORMATS:
        raise _invalid(f"output_format must be one of {', '.join(OUTPUT_FORMATS)}")
    return PictureFormat(value)


def _dimensions(model: Model, body: Mapping[str, object]) -> tuple[int, int]:
    if model.takes_size:
        matched = _SIZE.fullmatch(_text(body, "size", "2048*2048"))
        if matched is None:
            raise _invalid('size must look like "2048*2048"')
        width, height = int(matched[1]), int(matched[2])
        if not (SIDE_MIN <= width <= SIDE_MAX and SIDE_MIN <= height <= SIDE_MAX):
            raise _invalid(f"each side of size must be {SIDE_MIN} to {SIDE_MAX}")
        return width, height
    ratio = _text(body, "aspect_ratio", "1:1")
    if ratio not in ASPECT_RATIOS:
        raise _invalid(f"aspect_ratio must be one of {', '.join(ASPECT_RATIOS)}")
    resolution = _text(body, "resolution", "1k")
    if resolution not in RESOLUTIONS:
        raise _invalid(f"resolution must be one of {', '.join(RESOLUTIONS)}")
    across, down = (int(part) for part in ratio.split(":"))
    area = RESOLUTIONS[resolution] ** 2
    width = round((area * across / down) ** 0.5 / 16) * 16
    height = round((area * down / across) ** 0.5 / 16) * 16
    return width, height
