"""Pictures without a key: at the asked size, the same each time, and about the words."""

from __future__ import annotations

import io
from collections.abc import Mapping

import pytest
from PIL import Image, ImageChops, ImageStat

from hamyon.kit.pictures import probe
from hamyon.kit.storage import NoSuchFile
from hamyon.orders.types import Failed, Finished, JobRequest, ProviderClass, Reference
from hamyon.providers.offline.engine import OfflineEngine, dimensions, render
from hamyon.providers.offline.words import Ground, Light, Thing, idea_of
from tests.providers.requests import job, picture_bytes, reference


@pytest.fixture
def engine() -> OfflineEngine:
    return OfflineEngine()


async def made(engine: OfflineEngine, request: JobRequest) -> bytes:
    outcome = await engine.submit(request)
    assert isinstance(outcome, Finished)
    return b"".join([piece async for piece in engine.download(outcome.outputs[0])])


def difference(one: bytes, other: bytes) -> float:
    pictures = [Image.open(io.BytesIO(content)).convert("RGB") for content in (one, other)]
    return sum(ImageStat.Stat(ImageChops.difference(*pictures)).mean) / 3


@pytest.mark.parametrize(("options", "size", "mime"), [
    ({"size": "1152*1536"}, (1152, 1536), "image/png"),
    ({"size": "1600x900", "output_format": "jpeg"}, (1600, 900), "image/jpeg"),
    ({"aspect_ratio": "16:9", "resolution": "1k"}, (1360, 768), "image/png"),
    ({"aspect_ratio": "21:9", "output_format": "png"}, (1568, 672), "image/png"),
    ({"aspect_ratio": "9:16", "resolution": "4k", "output_format": "jpeg"}, None, "image/jpeg"),
    ({}, (1024, 1024), "image/png"),
])  # fmt: skip
async def test_sizes_and_formats(
    engine: OfflineEngine, options: Mapping[str, str], size: tuple[int, int] | None, mime: str
) -> None:
    picture = await probe(await made(engine, job(options=options)))
    assert picture.mime == mime
    if size is not None:
        assert (picture.width, picture.height) == size


async def test_it_repeats_itself(engine: OfflineEngine) -> None:
    request = job("tog'lar ustida quyosh", options={"size": "320*240"})
    assert await made(engine, request) == await made(OfflineEngine(), request)
    assert engine.provider_class is ProviderClass.REPEATABLE


async def test_words_change_the_picture(engine: OfflineEngine) -> None:
    options = {"size": "320*240"}
    prompts = ("night forest", "sunset sea", "zima i sneg", "снег", "olov", "qwxz")
    pictures = [await made(engine, job(prompt, options=options)) for prompt in prompts]
    for index, one in enumerate(pictures):
        for other in pictures[index + 1 :]:
            assert difference(one, other) > 8


@pytest.mark.parametrize(("prompts", "light", "ground", "thing"), [
    (("sunset over the sea with a boat", "закат над морем и лодка", "dengizda shom, qayiq"),
     Light.SUNSET, Ground.SEA, Thing.BOAT),
    (("snow at night, mountains", "ночной снег в горах", "kechasi tun, qor va tog'lar"),
     Light.NIGHT, Ground.SNOW, Thing.MOUNTAIN),
    (("a cat in the city at dawn", "кошка в городе на рассвете", "shahar, tong, mushuk"),
     Light.DAWN, Ground.CITY, Thing.CAT),
    (("a flower in the desert, fire", "цветок в пустыне, огонь", "sahroda gul va olov"),
     Light.FIRE, Ground.SAND, Thing.FLOWER),
])  # fmt: skip
def test_three_languages_mean_the_same(
    prompts: tuple[str, ...], light: Light, ground: Ground, thing: Thing
) -> None:
    for prompt in prompts:
        idea = idea_of(prompt)
        assert (idea.light, idea.ground, thing in idea.things) == (light, ground, True), prompt


def test_words_that_only_look_alike() -> None:
    assert Thing.RAIN not in idea_of("rainbow over a meadow").things
    assert Thing.CAT not in idea_of("категория который category").things


async def test_references_are_rendered(engine: OfflineEngine) -> None:
    options = {"size": "256*256"}
    left = Image.new("RGB", (200, 200), "white")
    left.paste("black", (0, 0, 100, 200))
    out = io.BytesIO()
    left.save(out, "PNG")
    one = await made(engine, job("day", options=options, references=[reference(out.getvalue())]))
    grey = Image.open(io.BytesIO(one)).convert("L")
    dark = ImageStat.Stat(grey.crop((30, 60, 100, 200))).mean[0]
    light = ImageStat.Stat(grey.crop((156, 60, 226, 200))).mean[0]
    assert light - dark > 120

    many = [reference(picture_bytes(colour)) for colour in ("red", "green", "blue")] * 4
    for count in (2, 5, 10, 12):
        content = await made(engine, job(options=options, references=many[:count]))
        assert (await probe(content)).width == 256
        assert difference(content, await made(engine, job(options=options))) > 8


async def test_it_is_labelled() -> None:
    """The corner holds a dark strip with white letters, whatever lies below it."""
    for prompt in ("snow day", "night"):
        corner = Image.open(io.BytesIO(render(prompt, [], 840, 840, "png"))).convert("L")
        corner = corner.crop((740, 20, 830, 62))
        low, high = corner.getextrema()
        assert isinstance(low, int)
        assert isinstance(high, int)
        assert high > 225
        assert low < 120


@pytest.mark.parametrize("prompt", ["", " ", "🙂🙂", "a" * 4000, "\ud800", "مرحبا", "\n\t x"])
async def test_any_prompt_makes_a_picture(engine: OfflineEngine, prompt: str) -> None:
    assert (await probe(await made(engine, job(prompt, options={"size": "128*64"})))).height == 64


@pytest.mark.parametrize("options", [
    {"size": "big"}, {"size": "0*0"}, {"size": "9999*100"}, {"size": "-1*5"},
    {"aspect_ratio": "1:0"}, {"aspect_ratio": "x"}, {"resolution": "9k"},
])  # fmt: skip
async def test_bad_options_fail(engine: OfflineEngine, options: dict[str, str]) -> None:
    outcome = await engine.submit(job(options=options))
    assert isinstance(outcome, Failed)
    assert not outcome.retryable
    with pytest.raises(ValueError):
        dimensions(options)


async def test_bad_references_fail(engine: OfflineEngine) -> None:
    async def gone() -> bytes:
        raise NoSuchFile("a")

    lost = Reference(mime="image/png", bytes=1, url="", read=gone)
    for bad in (lost, reference(b"no picture"), reference(picture_bytes()[:60])):
        outcome = await engine.submit(job(references=[bad]))
        assert isinstance(outcome, Failed)
        assert outcome.code == "reference_unreadable"
