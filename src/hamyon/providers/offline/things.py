"""What stands in a picture: each painter puts one thing at a place, as high as it is told."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from PIL import ImageDraw

from hamyon.providers.offline.words import Colour, Idea, Light, Thing, mixed

Draw: TypeAlias = ImageDraw.ImageDraw
Painter: TypeAlias = Callable[[Draw, Idea, random.Random, float, float, float], None]
"""``(draw, idea, luck, x, y, height)``: ``x`` is the middle, ``y`` where it stands."""

_DARK: Final[Colour] = (34, 30, 44)
_WHITE: Final[Colour] = (255, 255, 255)


def _shade(idea: Idea, colour: Colour, share: float = 0.12) -> Colour:
    """A colour in the picture's own light."""
    return mixed(colour, idea.sky[0], 0.45 if idea.light is Light.NIGHT else share)


def _dot(draw: Draw, x: float, y: float, radius: float, fill: Colour) -> None:
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)


def tree(draw: Draw, idea: Idea, luck: random.Random, x: float, y: float, height: float) -> None:
    width = height * 0.07
    draw.rectangle((x - width, y - height * 0.5, x + width, y), fill=_shade(idea, (110, 74, 50)))
    green = luck.choice(((74, 142, 70), (98, 164, 72), (58, 124, 84), (214, 128, 52)))
    for _ in range(9):
        a, r = luck.uniform(0, math.tau), luck.uniform(0.05, 0.2) * height
        shade = _shade(idea, mixed(green, idea.shine, luck.uniform(0, 0.25)))
        _dot(draw, x + math.cos(a) * r, y - height * 0.68 + math.sin(a) * r, height * 0.18, shade)


def pine(draw: Draw, idea: Idea, luck: random.Random, x: float, y: float, height: float) -> None:
    trunk = height * 0.04
    draw.rectangle((x - trunk, y - height * 0.2, x + trunk, y), fill=_shade(idea, (92, 64, 48)))
    green = _shade(idea, mixed((34, 98, 74), idea.shine, luck.uniform(0, 0.15)))
    for step in range(4):
        low, half = y - height * (0.12 + step * 0.2), height * (0.26 - step * 0.05)
        top = low - height * 0.34
        draw.polygon([(x - half, low), (x + half, low), (x, top)], fill=green)
        lit = [(x, top), (x + half, low), (x + half * 0.2, low)]
        draw.polygon(lit, fill=mixed(green, idea.shine, 0.16))


def house(draw: Draw, idea: Idea, luck: random.Random, x: float, y: float, height: float) -> None:
    half, wall = height * 0.46, height * 0.55
    colour = _shade(idea, luck.choice(((248, 232, 204), (232, 196, 170), (206, 222, 232))))
    draw.rectangle((x - half, y - wall, x + half, y), fill=colour)
    draw.rectangle((x, y - wall, x + half, y), fill=mixed(colour, _DARK, 0.1))
    roof = [(x - half * 1.2, y - wall), (x + half * 1.2, y - wall), (x, y - height)]
    draw.polygon(roof, fill=_shade(idea, idea.accent))
    light = (255, 222, 130) if idea.light in {Light.NIGHT, Light.SUNSET} else (168, 208, 232)
    for side in (-0.55, 0.55):
        a = x + half * side
        box = (a - half * 0.2, y - wall * 0.75, a + half * 0.2, y - wall * 0.38)
        draw.rectangle(box, fill=light, outline=_WHITE, width=max(1, round(height * 0.012)))
    door = (x - half * 0.16, y - wall * 0.55, x + half * 0.16, y)
    draw.rounded_rectangle(door, half * 0.15, fill=_shade(idea, (118, 72, 52)))


def flower(draw: Draw, idea: Idea, luck: random.Random, x: float, y: float, height: float) -> None:
    for _ in range(9):
        a, b = x + luck.uniform(-0.75, 0.75) * height, y + luck.uniform(0, 0.3) * height
        tall = height * luck.uniform(0.24, 0.42)
        stem = max(1, round(height * 0.022))
        draw.line((a, b, a, b - tall), fill=_shade(idea, (62, 128, 60)), width=stem)
        petal = luck.choice((idea.accent, (255, 255, 255), (250, 206, 76), (240, 132, 170)))
        for turn in range(5):
            at = math.tau * turn / 5
            r = height * 0.055
            _dot(draw, a + math.cos(at) * r, b - tall + math.sin(at) * r, r, _shade(idea, petal, 0))
        _dot(draw, a, b - tall, height * 0.035, (252, 196, 48))


def cat(draw: Draw, idea: Idea, luck: random.Random, x: float, y: float, height: float) -> None:
    fur = luck.choice(((236, 152, 72), (92, 92, 106), (240, 226, 208), (58, 54, 66)))
    fur = mixed(fur, idea.sky[0], 0.12)
    tail = (x + height * 0.1, y - height * 0.5, x + height * 0.52, y - height * 0.02)
    draw.arc(tail, 300, 120, fill=mixed(fur, _DARK, 0.12), width=round(height * 0.08) + 1)
    draw.ellipse((x - height * 0.27, y - height * 0.58, x + height * 0.27, y), fill=fur)
    _dot(draw, x, y - height * 0.7, height * 0.24, fur)
    for side in (-1, 1):
        ear = [
            (x + side * height * 0.23, y - height * 0.74),
            (x + side * height * 0.21, y - height),
            (x + side * height * 0.03, y - height * 0.88),
        ]
        draw.polygon(ear, fill=fur)
        _eye(draw, x + side * height * 0.09, y - height * 0.73, height * 0.055, (190, 226, 110))
        for lean in (-0.02, 0.03):
            whisker = (x + side * height * 0.08, y - height * 0.64,
                       x + side * height * 0.34, y - height * (0.64 - lean))  # fmt: skip
            draw.line(whisker, fill=mixed(fur, _WHITE, 0.6), width=max(1, round(height * 0.01)))
        _dot(
            draw, x + side * height * 0.1, y - height * 0.03, height * 0.07, mixed(fur, _WHITE, 0.3)
        )
    _smile(draw, x, y - height * 0.65, height * 0.06, (232, 116, 128))


def dog(draw: Draw, idea: Idea, luck: random.Random, x: float, y: float, height: float) -> None:
    fur = luck.choice(((196, 138, 84), (238, 214, 176), (124, 88, 66)))
    fur = mixed(fur, idea.sky[0], 0.1)
    draw.line((x + height * 0.2, y - height * 0.2, x + height * 0.42, y - height * 0.42),
              fill=fur, width=round(height * 0.08) + 1)  # fmt: skip
    draw.ellipse((x - height * 0.26, y - height * 0.58, x + height * 0.26, y), fill=fur)
    _dot(draw, x, y - height * 0.72, height * 0.25, fur)
    draw.ellipse((x - height * 0.13, y - height * 0.72, x + height * 0.13, y - height * 0.5),
                 fill=mixed(fur, _WHITE, 0.5))  # fmt: skip
    for side in (-1, 1):
        ear = (x + side * height * 0.24 - height * 0.08, y - height * 0.9,
               x + side * height * 0.24 + height * 0.08, y - height * 0.54)  # fmt: skip
        draw.ellipse(ear, fill=mixed(fur, _DARK, 0.35))
        _eye(draw, x + side * height * 0.09, y - height * 0.76, height * 0.045, _WHITE)
        _dot(
            draw, x + side * height * 0.1, y - height * 0.03, height * 0.07, mixed(fur, _WHITE, 0.3)
        )
    _smile(draw, x, y - height * 0.63, height * 0.07, _DARK)


def _eye(draw: Draw, x: float, y: float, radius: float, iris: Colour) -> None:
    _dot(draw, x, y, radius, iris)
    _dot(draw, x, y, radius * 0.62, _DARK)
    _dot(draw, x + radius * 0.25, y - radius * 0.3, radius * 0.24, _WHITE)


def _smile(draw: Draw, x: float, y: float, size: float, nose: Colour) -> None:
    draw.polygon([(x - size * 0.5, y), (x + size * 0.5, y), (x, y + size * 0.55)], fill=nose)
    for side in (-1, 1):
        middle = x + side * size * 0.5
        box = (middle - size * 0.5, y, middle + size * 0.5, y + size)
        draw.arc(box, 15, 165, fill=_DARK, width=max(1, round(size * 0.14)))


def boat(draw: Draw, idea: Idea, luck: random.Random, x: float, y: float, height: float) -> None:
    half = height * 0.5
    hull = [
        (x - half, y - height * 0.16),
        (x + half, y - height * 0.16),
        (x + half * 0.68, y + height * 0.06),
        (x - half * 0.68, y + height * 0.06),
    ]
    draw.polygon(hull, fill=_shade(idea, (134, 78, 54)))
    draw.line((x, y - height * 0.16, x, y - height), fill=_DARK, width=max(1, round(height * 0.02)))
    lean = luck.choice((-1, 1))
    main = [(x + lean * 2, y - height * 0.96), (x + lean * half * 0.85, y - height * 0.26),
            (x + lean * 2, y - height * 0.26)]  # fmt: skip
    fore = [(x - lean * 2, y - height * 0.8), (x - lean * half * 0.6, y - height * 0.26),
            (x - lean * 2, y - height * 0.26)]  # fmt: skip
    draw.polygon(main, fill=mixed(_WHITE, idea.shine, 0.3))
    draw.polygon(fore, fill=idea.accent)


def fish(draw: Draw, idea: Idea, luck: random.Random, x: float, y: float, height: float) -> None:
    for _ in range(3):
        a, b, size = (
            x + luck.uniform(-1.6, 1.6) * height,
            y + luck.uniform(0.1, 0.6) * height,
            height * 0.24,
        )
        way = luck.choice((-1, 1))
        colour = luck.choice((idea.accent, (252, 190, 74), (250, 244, 236)))
        draw.ellipse((a - size, b - size * 0.5, a + size, b + size * 0.5), fill=colour)
        tail = [(a - way * size * 0.8, b), (a - way * size * 1.5, b - size * 0.5),
                (a - way * size * 1.5, b + size * 0.5)]  # fmt: skip
        draw.polygon(tail, fill=mixed(colour, _DARK, 0.15))
        _eye(draw, a + way * size * 0.55, b - size * 0.1, size * 0.15, _WHITE)


def campfire(
    draw: Draw, idea: Idea, luck: random.Random, x: float, y: float, height: float
) -> None:
    del idea
    for lean in (-1, 1):
        log = (x - lean * height * 0.3, y, x + lean * height * 0.3, y - height * 0.12)
        draw.line(log, fill=(92, 58, 40), width=round(height * 0.09) + 1)
    flames = (
        (1.0, 0.24, (232, 78, 38)),
        (0.72, 0.17, (252, 152, 44)),
        (0.42, 0.1, (255, 232, 140)),
    )
    for tall, wide, colour in flames:
        sway = luck.uniform(-0.05, 0.05) * height
        _dot(draw, x, y - height * (0.1 + wide), height * wide, colour)
        tip = [
            (x - height * wide, y - height * (0.14 + wide)),
            (x + height * wide, y - height * (0.14 + wide)),
            (x + sway, y - height * tall),
        ]
        draw.polygon(tip, fill=colour)


def bird(draw: Draw, idea: Idea, luck: random.Random, x: float, y: float, height: float) -> None:
    for _ in range(5):
        a, b = x + luck.uniform(-2, 2) * height, y + luck.uniform(-0.8, 0.8) * height
        span, width = height * luck.uniform(0.2, 0.36), max(2, round(height * 0.05))
        ink = mixed(_DARK, idea.sky[1], 0.15) if idea.light is not Light.NIGHT else idea.shine
        draw.arc((a - span, b - span * 0.4, a, b + span * 0.6), 190, 340, fill=ink, width=width)
        draw.arc((a, b - span * 0.4, a + span, b + span * 0.6), 200, 350, fill=ink, width=width)


def balloon(draw: Draw, idea: Idea, luck: random.Random, x: float, y: float, height: float) -> None:
    radius, middle = height * 0.36, y - height * 0.6
    stripes = (idea.accent, (255, 246, 226), (246, 178, 66), (255, 246, 226), idea.accent)
    for number, colour in enumerate(stripes):
        half = radius * (1 - number / 5)
        draw.ellipse((x - half, middle - radius, x + half, middle + radius), fill=colour)
    for side in (-1, 1):
        rope = (
            x + side * radius * 0.45,
            middle + radius * 0.85,
            x + side * radius * 0.2,
            y - height * 0.12,
        )
        draw.line(rope, fill=_DARK, width=max(1, round(height * 0.01)))
    basket = (x - radius * 0.24, y - height * 0.13, x + radius * 0.24, y)
    draw.rounded_rectangle(basket, radius * 0.06, fill=(150, 98, 58))
    del luck


def cloud(draw: Draw, idea: Idea, luck: random.Random, x: float, y: float, height: float) -> None:
    colour = mixed(idea.sky[2], _WHITE, 0.1 if idea.light is Light.NIGHT else 0.65)
    if idea.light in {Light.NIGHT, Light.FIRE}:
        colour = mixed(colour, idea.sky[0], 0.5)
    for step in range(-3, 4):
        radius = height * luck.uniform(0.2, 0.34) * (1 - abs(step) * 0.16)
        _dot(draw, x + step * height * 0.24, y - radius * 0.55, radius, colour)


def rainbow(draw: Draw, idea: Idea, luck: random.Random, x: float, y: float, height: float) -> None:
    bands = (
        (226, 72, 72),
        (244, 152, 60),
        (250, 220, 90),
        (98, 186, 102),
        (74, 142, 218),
        (130, 92, 190),
    )
    width = max(2, round(height * 0.045))
    for number, colour in enumerate(bands):
        r = height - number * width
        colour = mixed(colour, idea.sky[1], 0.35)
        draw.arc((x - r, y - r, x + r, y + r), 180, 360, fill=colour, width=width + 1)
    del luck


def heart(draw: Draw, idea: Idea, luck: random.Random, x: float, y: float, height: float) -> None:
    for _ in range(5):
        a, b = x + luck.uniform(-1.5, 1.5) * height, y - luck.uniform(0, 1) * height
        r = height * luck.uniform(0.1, 0.22)
        curve = [
            (a + r * math.sin(t / 20) ** 3, b - r * (13 * math.cos(t / 20) - 5 * math.cos(t / 10)
             - 2 * math.cos(3 * t / 20) - math.cos(t / 5)) / 16)
            for t in range(126)
        ]  # fmt: skip
        draw.polygon(curve, fill=mixed((232, 54, 92), idea.accent, 0.25))


STANDING: Final[Mapping[Thing, tuple[Painter, float, int]]] = {
    # painter, height as a share of the picture's shorter side, how many
    Thing.PINE: (pine, 0.34, 9),
    Thing.TREE: (tree, 0.32, 4),
    Thing.HOUSE: (house, 0.24, 2),
    Thing.BOAT: (boat, 0.26, 1),
    Thing.FISH: (fish, 0.2, 1),
    Thing.FLOWER: (flower, 0.24, 4),
    Thing.CAMPFIRE: (campfire, 0.17, 1),
    Thing.CAT: (cat, 0.32, 1),
    Thing.DOG: (dog, 0.3, 1),
}
FLYING: Final[Mapping[Thing, tuple[Painter, float, int]]] = {
    Thing.CLOUD: (cloud, 0.22, 4),
    Thing.BIRD: (bird, 0.2, 1),
    Thing.BALLOON: (balloon, 0.3, 2),
    Thing.HEART: (heart, 0.3, 1),
}
