"""A landscape from an idea: sky, light, distance, ground, and what stands and flies there.

It is painted small and enlarged: brush strokes forgive it, and a large picture costs no more
than its last two steps.
"""

from __future__ import annotations

import math
import random
from typing import Final

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from hamyon.providers.offline import things
from hamyon.providers.offline.words import Colour, Ground, Idea, Light, Thing, mixed

SHRINK: Final = 3
"""How much smaller than the picture the painting is."""
_SHORT_SIDE_MIN: Final = 240
SHORE: Final = 0.5
"""Where a beach begins, when somebody at the sea stands on land."""
_AFLOAT: Final = frozenset({Thing.BOAT, Thing.FISH})
_IN_FRONT: Final = frozenset({Thing.CAT, Thing.DOG, Thing.FLOWER, Thing.CAMPFIRE})


def paint(idea: Idea, width: int, height: int) -> Image.Image:
    """The scene, exactly ``width`` by ``height``."""
    scale = max(1.0, min(SHRINK, min(width, height) / _SHORT_SIDE_MIN))
    size = (max(8, round(width / scale)), max(8, round(height / scale)))
    luck = random.Random(idea.seed)  # noqa: S311 -- the same prompt, the same picture
    canvas = sky(idea, size)
    draw = ImageDraw.Draw(canvas)
    horizon = round(size[1] * luck.uniform(0.58, 0.66))
    _stars(draw, idea, luck, size, horizon)
    canvas = _light(canvas, idea, luck, horizon)
    draw = ImageDraw.Draw(canvas)
    _flying(draw, idea, luck, size, horizon)
    _distance(draw, idea, luck, size, horizon)
    _ground(draw, idea, luck, size, horizon)
    _standing(draw, idea, luck, size, horizon)
    _weather(draw, idea, luck, size)
    return enlarged(canvas, idea.seed, width, height)


def sky(idea: Idea, size: tuple[int, int]) -> Image.Image:
    """The sky's three colours, one over the other."""
    column = Image.new("RGB", (1, 3))
    for row, colour in enumerate(idea.sky):
        column.putpixel((0, row), colour)
    # Outside the middle of the first and last pixel a resize only repeats; so cut to between.
    return column.resize(size, Image.Resampling.BILINEAR, box=(0, 0.5, 1, 2.2))


def enlarged(canvas: Image.Image, seed: int, width: int, height: int) -> Image.Image:
    """At full size, with the grain of paper."""
    large = canvas.resize((width, height), Image.Resampling.BICUBIC)
    raw = random.Random(seed).randbytes(128 * 128)  # noqa: S311 -- grain that repeats itself
    tile = Image.frombytes("L", (128, 128), raw).point([120 + value // 16 for value in range(256)])
    tile = tile.filter(ImageFilter.SMOOTH)
    grain = Image.new("L", (width, height))
    for left in range(0, width, 128):
        grain.paste(tile, (left, 0))
    strip = grain.crop((0, 0, width, 128))
    for top in range(128, height, 128):
        grain.paste(strip, (0, top))
    return ImageChops.add(large, Image.merge("RGB", (grain,) * 3), 1, -127)


def _stars(
    draw: ImageDraw.ImageDraw, idea: Idea, luck: random.Random, size: tuple[int, int], horizon: int
) -> None:
    if idea.light is not Light.NIGHT:
        return
    for _ in range(size[0] * horizon // 900):
        x, y = luck.uniform(0, size[0]), luck.uniform(0, horizon)
        radius = luck.choice((0.4, 0.4, 0.7, 1.1)) * min(size) / 340
        colour = mixed(idea.shine, idea.sky[1], luck.uniform(0, 0.6))
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)


def _light(canvas: Image.Image, idea: Idea, luck: random.Random, horizon: int) -> Image.Image:
    """The sun or the moon, with its glow (Pillow's gradient ends at its corners, not its sides)."""
    width, height = canvas.size
    radius = min(width, height) * luck.uniform(0.06, 0.1)
    x = width * luck.choice((luck.uniform(0.16, 0.38), luck.uniform(0.62, 0.84)))
    low = idea.light in {Light.SUNSET, Light.DAWN, Light.FIRE}
    y = horizon - radius * luck.uniform(0.1, 0.9) if low else horizon * luck.uniform(0.2, 0.4)
    reach = round(radius * (7 if low else 4.5))
    glow = ImageChops.invert(Image.radial_gradient("L")).resize((reach * 2, reach * 2))
    glow = glow.point([round(max(0, v - 75) ** 2 / 180**2 * 215) for v in range(256)])
    canvas.paste(
        Image.new("RGB", glow.size, idea.shine), (round(x - reach), round(y - reach)), glow
    )
    draw = ImageDraw.Draw(canvas)
    if idea.light is not Light.STORM:
        core = mixed(idea.shine, (255, 255, 255), 0.35)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=core)
    if idea.light is Light.NIGHT:
        for dx, dy, r in ((-0.3, -0.2, 0.2), (0.25, 0.3, 0.26), (0.3, -0.35, 0.12)):
            a, b, c = x + dx * radius, y + dy * radius, r * radius
            draw.ellipse((a - c, b - c, a + c, b + c), fill=mixed(idea.shine, idea.sky[2], 0.3))
    return canvas


def _ridge(
    luck: random.Random, size: tuple[int, int], level: float, rise: float, sharp: bool
) -> list[tuple[float, float]]:
    """A line of hills across the picture, closed below."""
    waves = [(luck.uniform(0, math.tau), 2**n * luck.uniform(0.7, 1.3), 0.55**n) for n in range(5)]
    step = max(2, size[0] // 160)
    line: list[tuple[float, float]] = []
    for x in range(-step, size[0] + step * 2, step):
        total = 0.0
        for phase, frequency, weight in waves:
            wave = math.sin(x / size[0] * math.tau * frequency * 0.6 + phase)
            total += weight * (1 - 2 * abs(wave) if sharp else wave)
        line.append((x, level - rise * total))
    return [(-step, size[1]), *line, (size[0] + step * 2, size[1])]


def _distance(
    draw: ImageDraw.ImageDraw, idea: Idea, luck: random.Random, size: tuple[int, int], horizon: int
) -> None:
    if Thing.RAINBOW in idea.things:
        reach = min(size) * 0.62
        things.rainbow(
            draw, idea, luck, size[0] * luck.uniform(0.4, 0.6), horizon + reach * 0.1, reach
        )
    mountains = Thing.MOUNTAIN in idea.things
    if idea.ground is Ground.SEA and not mountains:
        return
    if idea.ground is Ground.CITY:
        _skyline(draw, idea, luck, size, horizon)
        return
    for layer in range(3 if mountains else 2):
        near = (layer + 1) / 4
        base = mixed((96, 104, 146), idea.earth, near) if mountains else idea.earth
        colour = mixed(idea.sky[2], mixed(base, idea.sky[0], 0.35), 0.3 + near * 0.6)
        rise = size[1] * ((0.12 if mountains else 0.03) * (1 - near * 0.6))
        ridge = _ridge(luck, size, horizon - rise * (0.8 - near), rise, mountains)
        draw.polygon(ridge, fill=colour)
        if mountains and layer == 0:
            _snow_caps(draw, idea, ridge, rise)


def _snow_caps(
    draw: ImageDraw.ImageDraw, idea: Idea, ridge: list[tuple[float, float]], rise: float
) -> None:
    peaks = [
        two
        for one, two, three in zip(ridge[1:], ridge[2:], ridge[3:], strict=False)
        if two[1] < one[1] and two[1] <= three[1]
    ]
    for x, y in peaks:
        reach = rise * 0.32
        cap = [
            (x, y),
            (x + reach * 0.5, y + reach * 0.8),
            (x + reach * 0.18, y + reach * 0.62),
            (x - reach * 0.1, y + reach * 0.9),
            (x - reach * 0.45, y + reach * 0.75),
        ]
        draw.polygon(cap, fill=mixed((255, 255, 255), idea.sky[1], 0.2))


def _skyline(
    draw: ImageDraw.ImageDraw, idea: Idea, luck: random.Random, size: tuple[int, int], horizon: int
) -> None:
    for depth in (0.65, 0.3):
        x = -luck.uniform(0, size[0] * 0.05)
        while x < size[0]:
            wide, tall = (
                size[0] * luck.uniform(0.05, 0.11),
                size[1] * luck.uniform(0.1, 0.4 - depth * 0.15),
            )
            colour = mixed(mixed(idea.earth, idea.sky[0], 0.5), idea.sky[2], depth)
            draw.rectangle((x, horizon - tall, x + wide, horizon + 4), fill=colour)
            pane = max(2.0, wide / 7)
            rows = int(tall / pane / 2)
            for row in range(rows):
                for column in range(3):
                    if luck.random() < 0.55:
                        a, b = x + pane * (1 + column * 2), horizon - tall + pane * (1 + row * 2)
                        shine = mixed((255, 220, 130), colour, depth)
                        draw.rectangle((a, b, a + pane * 0.9, b + pane * 0.9), fill=shine)
            x += wide * luck.uniform(1.0, 1.25)


def _ground(
    draw: ImageDraw.ImageDraw, idea: Idea, luck: random.Random, size: tuple[int, int], horizon: int
) -> None:
    width, height = size
    deep = mixed(idea.earth, (16, 22, 40), 0.35)
    for y in range(horizon, height):
        share = (y - horizon) / max(1, height - horizon)
        draw.line(
            (0, y, width, y),
            fill=mixed(mixed(idea.earth, idea.sky[2], 0.25 * (1 - share)), deep, share * 0.8),
        )
    if idea.ground is Ground.SEA:
        for _ in range(110):
            y = horizon + (height - horizon) * luck.random() ** 1.5
            share = (y - horizon) / max(1, height - horizon)
            long, x = width * (0.012 + 0.07 * share), luck.uniform(0, width)
            fill = mixed(mixed(idea.earth, idea.shine, 0.55), deep, luck.uniform(0, 0.6))
            draw.line(
                (x - long, y, x + long, y), fill=fill, width=max(1, round(share * size[1] / 160))
            )
        return
    for layer in range(3):
        level = horizon + (height - horizon) * (0.1 + 0.28 * layer)
        colour = mixed(idea.earth, deep, 0.15 + layer * 0.22)
        draw.polygon(_ridge(luck, size, level, height * 0.018, sharp=False), fill=colour)
        if layer == 0:
            draw.polygon(
                _ridge(luck, size, level + height * 0.02, height * 0.014, sharp=False),
                fill=mixed(colour, idea.shine, 0.12),
            )


def _standing(
    draw: ImageDraw.ImageDraw, idea: Idea, luck: random.Random, size: tuple[int, int], horizon: int
) -> None:
    short, below = min(size), size[1] - horizon
    placed: list[tuple[float, float, Thing]] = []
    ashore = [thing for thing in idea.things if thing in things.STANDING and thing not in _AFLOAT]
    if shore := idea.ground is Ground.SEA and bool(ashore):
        beach = _ridge(luck, size, horizon + below * SHORE, below * 0.04, sharp=False)
        draw.polygon(
            [(x, y - below * 0.03) for x, y in beach], fill=mixed(idea.shine, idea.earth, 0.4)
        )
        draw.polygon(beach, fill=mixed((226, 188, 124), idea.sky[0], 0.2))
    for thing in idea.things:
        if thing not in things.STANDING:
            continue
        _, _, count = things.STANDING[thing]
        for number in range(count):
            x = size[0] * ((number + luck.uniform(0.2, 0.8)) / count * 0.84 + 0.08)
            front = thing in _IN_FRONT
            share = luck.uniform(0.62, 0.8) if front else luck.uniform(0.08, 0.42)
            if shore:
                afloat = thing in _AFLOAT
                share = luck.uniform(0.02, 0.1) if afloat else luck.uniform(SHORE + 0.06, 0.85)
            placed.append((horizon + below * share, x, thing))
    for y, x, thing in sorted(placed, key=lambda one: one[0]):
        painter, tall, _ = things.STANDING[thing]
        near = 0.7 + 0.5 * (y - horizon) / max(1, below)
        painter(draw, idea, luck, x, y, short * tall * near)


def _flying(
    draw: ImageDraw.ImageDraw, idea: Idea, luck: random.Random, size: tuple[int, int], horizon: int
) -> None:
    wanted = list(idea.things)
    if Thing.CLOUD not in wanted and idea.light in {Light.DAY, Light.DAWN, Light.STORM}:
        wanted.insert(0, Thing.CLOUD)
    for thing in wanted:
        if thing not in things.FLYING:
            continue
        painter, tall, count = things.FLYING[thing]
        for number in range(count):
            x = size[0] * ((number + luck.uniform(0.2, 0.8)) / count)
            y = horizon * luck.uniform(0.2, 0.62 if thing is Thing.CLOUD else 0.75)
            reach = min(size) * tall * luck.uniform(0.6, 1.05)
            painter(draw, idea, luck, x, max(y, reach * 1.05), reach)


def _weather(
    draw: ImageDraw.ImageDraw, idea: Idea, luck: random.Random, size: tuple[int, int]
) -> None:
    unit = min(size) / 340
    if Thing.SNOWFALL in idea.things:
        for _ in range(170):
            x, y, r = (
                luck.uniform(0, size[0]),
                luck.uniform(0, size[1]),
                luck.uniform(0.6, 2.4) * unit,
            )
            draw.ellipse((x - r, y - r, x + r, y + r), fill=(250, 252, 255))
    if Thing.RAIN in idea.things:
        drop: Colour = mixed((220, 232, 244), idea.sky[1], 0.3)
        for _ in range(150):
            x, y, long = (
                luck.uniform(0, size[0]),
                luck.uniform(0, size[1]),
                luck.uniform(7, 15) * unit,
            )
            draw.line((x, y, x - long * 0.3, y + long), fill=drop, width=max(1, round(unit)))
