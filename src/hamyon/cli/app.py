"""``hamyon``: what it can be told, and how failures are said."""

from __future__ import annotations

import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, Final

import typer
import uvloop
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape

from hamyon import __version__
from hamyon.cli.failure import Failure
from hamyon.kit.errors import HamyonError
from hamyon.kit.settings import Settings
from hamyon.kit.texts import text

app = typer.Typer(
    name="hamyon",
    help="A Telegram-first backend for services that people pay for in credits.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
keys_app = typer.Typer(help="Keys of services: create, rotate, revoke, list.", no_args_is_help=True)
app.add_typer(keys_app, name="keys")

errors = Console(stderr=True)

SandboxOption = Annotated[
    bool, typer.Option("--sandbox", help="Play the vendors on this machine, too.")
]


def main() -> None:
    """Run the command line; what goes wrong is one sentence, not a traceback."""
    from hamyon.cli.parts import KNOWN_FAILURES

    try:
        app()
    except (Failure, *KNOWN_FAILURES) as failure:
        _complain(str(failure))
        sys.exit(1)
    except HamyonError as refusal:
        _complain(text("en", f"error.{refusal.code}", refusal.facts))
        sys.exit(1)


def _complain(sentence: str) -> None:
    """One line, whatever its width, so that it can be searched for and copied."""
    errors.print(f"[bold red]hamyon:[/] {escape(sentence)}", highlight=False, soft_wrap=True)


def load_settings() -> Settings:
    """The settings, or a Failure that names each wrong one."""
    try:
        return Settings()
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            name = ".".join(str(part) for part in problem["loc"]).upper()
            lines.append(f"  {name}: {problem['msg'].removeprefix('Value error, ')}")
        raise Failure("some settings cannot be used:\n" + "\n".join(lines)) from None


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a command on uvloop."""
    uvloop.run(work)


@app.command()
def up(sandbox: SandboxOption = False) -> None:
    """Start everything in one process: database, migrations, API, worker and bot."""
    from hamyon.cli.serve import Roles, serve

    roles = Roles(api=True, worker=True, bot=True, banner=True)
    run(serve(load_settings(), roles, sandbox=sandbox))


@app.command()
def api() -> None:
    """Serve HTTP only."""
    from hamyon.cli.serve import Roles, serve

    run(serve(load_settings(), Roles(api=True)))


@app.command()
def worker() -> None:
    """Work on the queue and the schedules only."""
    from hamyon.cli.serve import Roles, serve

    run(serve(load_settings(), Roles(worker=True)))


@app.command()
def bot() -> None:
    """Take the updates of the Telegram bot only."""
    from hamyon.cli.serve import Roles, serve

    settings = load_settings()
    if settings.bot_token is None:
        raise Failure("BOT_TOKEN is not set: ask @BotFather for a bot, and set its token")
    run(serve(settings, Roles(bot=True)))


@app.command()
def migrate() -> None:
    """Bring the database to the newest version."""
    from hamyon.cli.operate import migrate as work

    run(work(load_settings()))


@app.command()
def audit() -> None:
    """Look for broken invariants of the money; exit with 1 when there is one."""
    from hamyon.cli.operate import audit as work

    run(work(load_settings()))


@app.command()
def reconcile(
    gateway: Annotated[
        str | None, typer.Option(help="One way to pay; every one that is set up by default.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--from", help="ISO 8601, UTC; RECONCILE_HOURS ago by default."),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", help="ISO 8601, UTC; now by default.")
    ] = None,
    report_only: Annotated[bool, typer.Option("--report-only", help="Change nothing.")] = False,
) -> None:
    """Compare the vendors' books with ours; exit with 1 when a difference stays open."""
    from hamyon.cli.reconcile import reconcile_books

    work = reconcile_books(load_settings(), gateway, since, until, report_only=report_only)
    run(work)


@app.command()
def doctor() -> None:
    """Say what is set, what works, and what to do about what does not."""
    from hamyon.cli.doctor import doctor as work

    run(work(load_settings()))


@app.command()
def demo(
    pictures: Annotated[
        list[Path] | None, typer.Argument(help="Photos that the picture is made from.")
    ] = None,
    prompt: Annotated[str, typer.Option(help="What is to be seen.")] = (
        "a red fox in a snowy forest at sunset"
    ),
    model: Annotated[str, typer.Option(help="A key of `GET /api/v1/models`.")] = "seedream-v4",
    size: Annotated[str | None, typer.Option(help="Width*height.")] = None,
    out: Annotated[Path, typer.Option(help="Where the pictures go.")] = Path("demo"),
    sandbox: SandboxOption = False,
) -> None:
    """Order a picture as a service would, and show what it cost."""
    from hamyon.cli.demo import Wish
    from hamyon.cli.demo import demo as work

    wish = Wish(tuple(pictures or ()), prompt, model, size, out)
    run(work(load_settings(), wish, sandbox=sandbox))


# --- keys of services -----------------------------------------------------------------------------

NameArgument = Annotated[str, typer.Argument(help="The key's name.")]
ScopesOption = Annotated[str, typer.Option(help="Scopes, separated by commas.")]
DEFAULT_SCOPES: Final = "users,media,orders,payments,rewards,traffic"


@keys_app.command("create")
def keys_create(
    name: NameArgument,
    scopes: ScopesOption = DEFAULT_SCOPES,
    days: Annotated[int, typer.Option(min=1, max=3650, help="Days until it expires.")] = 365,
) -> None:
    """Make a key; its secret is shown this once."""
    from hamyon.cli import keys

    run(keys.create(load_settings(), name, scopes, days))


@keys_app.command("rotate")
def keys_rotate(
    name: NameArgument,
    overlap_h: Annotated[
        int, typer.Option(min=0, max=720, help="Hours for which the old one still works.")
    ] = 24,
) -> None:
    """Make a second key of the same name; the old one ends after the overlap."""
    from hamyon.cli import keys

    run(keys.rotate(load_settings(), name, overlap_h))


@keys_app.command("revoke")
def keys_revoke(name: NameArgument) -> None:
    """End every key of this name, now and everywhere."""
    from hamyon.cli import keys

    run(keys.revoke(load_settings(), name))


@keys_app.command("list")
def keys_list() -> None:
    """Show the keys, without their secrets."""
    from hamyon.cli import keys

    run(keys.show(load_settings()))


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)
