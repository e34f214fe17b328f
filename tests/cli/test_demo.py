"""``hamyon demo`` starts what it needs, saves pictures that open, and prints the ledger."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from skimage import data

from hamyon.cli.parts import free_port
from tests.cli.terminal import Terminal


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "cat.png"
    cat = data.chelsea()  # type: ignore[no-untyped-call]  # it carries no types
    Image.fromarray(cat).save(path)
    return path


@pytest.mark.parametrize("more", [(), ("--sandbox",)])
def test_a_picture_and_the_ledger(terminal: Terminal, photo: Path, more: tuple[str, ...]) -> None:
    words = ("demo", photo.name, "--prompt", "my cat on the moon", "--size", "1024x1024", *more)
    said = terminal.run(*words, PORT=str(free_port()))
    assert said.code == 0, said.output
    assert "Balance before 1000, after 973: charged 27." in said.output
    assert "generation" in said.output
    assert "-27" in said.output
    assert max(map(len, said.output.splitlines())) <= 80
    (saved,) = (terminal.folder / "demo").iterdir()
    with Image.open(saved) as picture:
        picture.load()
        assert picture.size == (1024, 1024)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("nowhere.png",), "no such picture: nowhere.png"),
        (("--model", "oil"), "This model is not available now."),
        (("--size", "1*1"), "The model does not offer size = 1*1."),
        (("--out", "/dev/null"), "cannot write /dev/null"),
    ],
)
def test_a_refusal_is_one_sentence(
    terminal: Terminal, words: tuple[str, ...], sentence: str
) -> None:
    said = terminal.run("demo", *words, PORT=str(free_port()))
    assert said.code == 1, said.output
    assert sentence in said.output
    assert "Traceback" not in said.output
