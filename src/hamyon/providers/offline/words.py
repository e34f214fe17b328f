"""Which words of a prompt mean something to the painter, in Uzbek, Russian and English."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

Colour = tuple[int, int, int]
T = TypeVar("T", bound=StrEnum)


class Light(StrEnum):
    """The hour and the weather; it decides the colours."""

    DAY = "day"
    SUNSET = "sunset"
    NIGHT = "night"
    DAWN = "dawn"
    STORM = "storm"
    FIRE = "fire"


class Ground(StrEnum):
    """What the lower part of the picture is."""

    GRASS = "grass"
    SEA = "sea"
    SNOW = "snow"
    SAND = "sand"
    CITY = "city"


class Thing(StrEnum):
    """What stands in it, from back to front."""

    RAINBOW = "rainbow"
    CLOUD = "cloud"
    MOUNTAIN = "mountain"
    BIRD = "bird"
    BALLOON = "balloon"
    PINE = "pine"
    TREE = "tree"
    HOUSE = "house"
    BOAT = "boat"
    FISH = "fish"
    FLOWER = "flower"
    CAMPFIRE = "campfire"
    CAT = "cat"
    DOG = "dog"
    HEART = "heart"
    RAIN = "rain"
    SNOWFALL = "snowfall"


# Stems: a word counts when it begins with one.
_LIGHTS: Final[Mapping[Light, str]] = {
    Light.SUNSET: "sunset evening dusk закат вечер сумерк shom oqshom kechqurun gʻurub g'urub",
    Light.NIGHT: "night star moon dark space ноч ночн звезд звёзд луна лунн космос tun kech oy "
    "oydin "
    "yulduz koinot qorong",
    Light.DAWN: "dawn sunrise morning рассвет утр tong sahar ertalab pink роз pushti",
    Light.STORM: "storm rain cloudy fog гроз дожд бур туман yomgʻir yomg'ir yomgir bo'ron tuman",
    Light.FIRE: "fire lava volcano flame dragon огон огн пламя вулкан дракон olov vulqon ajdaho",
    Light.DAY: "day sun summer spring blue день солн лет весн quyosh kun yoz bahor",
}
_GROUNDS: Final[Mapping[Ground, str]] = {
    Ground.SEA: "sea ocean lake river water beach wave boat ship fish море морс океан озер рек "
    "речн вод водн "
    "пляж волн лодк корабл рыб dengiz okean kol ko'l koʻl daryo suv sohil qayiq kema baliq",
    Ground.SNOW: "snow winter ice arctic снег снеж зим лед лёд qor qish muz",
    Ground.SAND: "desert sand camel dune пустын песо песк верблюд sahro cho'l choʻl qum tuya",
    Ground.CITY: "city town street tower skyscraper город улиц башн небоскр shahar kocha ko'cha "
    "minora bino",
    Ground.GRASS: "grass meadow forest garden field park трав луг лес лесн сад пол парк ot o'tloq "
    "ormon o'rmon oʻrmon bogʻ bog' dala park",
}
_THINGS: Final[Mapping[Thing, str]] = {
    Thing.RAINBOW: "rainbow радуг kamalak",
    Thing.CLOUD: "cloud sky обла тучк неб bulut osmon",
    Thing.MOUNTAIN: "mountain hill alp volcano гор холм вулкан tog togʻ tog' tepalik vulqon",
    Thing.BIRD: "bird eagle parrot dove птиц орел орёл голуб qush burgut kaptar",
    Thing.BALLOON: "balloon воздушн шар шарик havo shar",
    Thing.PINE: "pine spruce fir christmas forest ель елк ёлк сосн лес лесн archa qarag'ay "
    "o'rmon ormon",
    Thing.TREE: "tree oak garden park autumn дерев дуб сад осен daraxt bogʻ bog' kuz",
    Thing.HOUSE: "house home village cottage castle дом деревн замок uy qishloq qasr",
    Thing.BOAT: "boat ship sail лодк корабл парус qayiq kema yelkan",
    Thing.FISH: "fish whale dolphin рыб кит дельфин baliq kit delfin",
    Thing.FLOWER: "flower rose tulip spring цвет роза тюльпан весн gul lola atirgul bahor",
    Thing.CAMPFIRE: "campfire bonfire fire flame костер костёр костр огон пламя gulxan olov",
    Thing.CAT: "cat kitten tiger lion кот кош тигр лев mushuk yo'lbars sher",
    Thing.DOG: "dog puppy wolf fox собак щен волк лис it kuchuk bo'ri tulki",
    Thing.HEART: "heart love wedding сердц любов свадьб yurak sevgi muhabbat to'y",
    Thing.RAIN: "rain storm дожд гроз ливен yomgʻir yomg'ir yomgir",
    Thing.SNOWFALL: "snow winter blizzard christmas снег снеж зим метел qor qish",
}
_ALL_STEMS: Final = frozenset(
    stem
    for table in (_LIGHTS, _GROUNDS, _THINGS)
    for stems in table.values()
    for stem in stems.split()
)

_PALETTES: Final[Mapping[Light, tuple[Colour, Colour, Colour, Colour]]] = {
    # the sky's top, its middle, the horizon, and what the light itself is
    Light.DAY: ((58, 134, 214), (124, 188, 236), (226, 241, 244), (255, 241, 178)),
    Light.SUNSET: ((62, 44, 110), (214, 88, 106), (255, 190, 112), (255, 232, 170)),
    Light.NIGHT: ((9, 14, 42), (26, 36, 86), (70, 82, 138), (246, 240, 214)),
    Light.DAWN: ((120, 140, 214), (246, 176, 190), (255, 226, 200), (255, 246, 214)),
    Light.STORM: ((58, 68, 84), (104, 118, 134), (172, 182, 188), (222, 226, 226)),
    Light.FIRE: ((38, 10, 22), (138, 28, 26), (250, 128, 42), (255, 222, 120)),
}
_GROUND_COLOURS: Final[Mapping[Ground, Colour]] = {
    Ground.GRASS: (92, 158, 74),
    Ground.SEA: (32, 112, 158),
    Ground.SNOW: (236, 243, 250),
    Ground.SAND: (226, 184, 112),
    Ground.CITY: (88, 94, 112),
}
_ANYWHERE: Final = (Thing.CLOUD, Thing.BIRD, Thing.BALLOON)
_USUAL: Final[Mapping[Ground, tuple[Thing, ...]]] = {
    Ground.GRASS: (Thing.MOUNTAIN, Thing.TREE, Thing.HOUSE, Thing.FLOWER, Thing.PINE, Thing.CAT),
    Ground.SEA: (Thing.BOAT, Thing.MOUNTAIN, Thing.FISH),
    Ground.SNOW: (Thing.PINE, Thing.MOUNTAIN, Thing.HOUSE),
    Ground.SAND: (Thing.MOUNTAIN, Thing.CAMPFIRE, Thing.CAT),
    Ground.CITY: (Thing.TREE, Thing.CAT),
}
"""What fills a picture whose words name little."""
THINGS_MAX: Final = 7


@dataclass(frozen=True, slots=True)
class Idea:
    """What will be painted. ``seed`` steers everything that the words leave open."""

    seed: int
    light: Light
    ground: Ground
    things: tuple[Thing, ...]
    sky: tuple[Colour, Colour, Colour]
    shine: Colour
    earth: Colour
    accent: Colour


def idea_of(prompt: str) -> Idea:
    """The idea of a prompt: by its words where they are known, by their hash where not."""
    text = " ".join(prompt.lower().replace("’", "'").replace("ʼ", "'").replace("‘", "'").split())
    seed = int.from_bytes(hashlib.sha256(text.encode("utf-8", "replace")).digest()[:8], "big")
    luck = random.Random(seed)  # noqa: S311 -- a painter's luck, which must repeat itself
    words = re.findall(r"[^\W\d_]+(?:['ʻ][^\W\d_]+)*['ʻ]?", text)
    lights, grounds = _known(words, _LIGHTS), _known(words, _GROUNDS)
    things = _known(words, _THINGS)
    light = lights[0] if lights else luck.choice((Light.DAY, Light.DAWN, Light.SUNSET))
    ground = grounds[0] if grounds else luck.choice((Ground.GRASS, Ground.GRASS, Ground.SAND))
    if len(things) < 3:
        missing = [thing for thing in (*_USUAL[ground], *_ANYWHERE) if thing not in things]
        things += luck.sample(missing, 3 - len(things))
    top, middle, low, shine = _PALETTES[light]
    accent = luck.choice(
        ((228, 76, 84), (246, 164, 58), (116, 92, 196), (32, 152, 146), (236, 110, 158))
    )
    return Idea(
        seed=seed,
        light=light,
        ground=ground,
        things=tuple(sorted(things[:THINGS_MAX], key=list(Thing).index)),
        sky=(_nudged(top, luck), _nudged(middle, luck), low),
        shine=shine,
        earth=mixed(_GROUND_COLOURS[ground], middle, 0.5 if light is Light.NIGHT else 0.18),
        accent=accent,
    )


def mixed(one: Colour, other: Colour, share: float) -> Colour:
    """``one`` with ``share`` (0 to 1) of ``other``."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _known(words: Sequence[str], table: Mapping[T, str]) -> list[T]:
    """The table's keys that some word names, in the order of the words.

    Of all stems that a word begins with only the longest counts: a rainbow is no rain.
    """
    found: list[T] = []
    for word in words:
        longest = max((len(stem) for stem in _ALL_STEMS if _names(word, stem)), default=0)
        for key, stems in table.items():
            named = any(len(stem) == longest and _names(word, stem) for stem in stems.split())
            if named and key not in found:
                found.append(key)
    return found


def _names(word: str, stem: str) -> bool:
    """Short stems take a short ending only: ``cats``, but not ``category``."""
    if len(stem) >= 4:
        return word.startswith(stem)
    return word == stem or (len(stem) == 3 and word.startswith(stem) and len(word) <= 5)


def _nudged(colour: Colour, luck: random.Random) -> Colour:
    red, green, blue = (max(0, min(255, part + luck.randint(-14, 14))) for part in colour)
    return red, green, blue
