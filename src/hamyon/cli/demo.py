"""``hamyon demo``: the main road as a service walks it, over HTTP, with pictures at its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import aiohttp
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from hamyon.cli import parts
from hamyon.cli.failure import Failure
from hamyon.cli.serve import Roles, running
from hamyon.kit.settings import Settings

PERSON: Final = 777
CREDITS: Final = 1000
POLL_S: Final = 0.25
SHORT: Final = 18
ENDED: Final = frozenset({"completed", "failed", "canceled", "review"})
ENDINGS: Final = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp"}

console = Console()


@dataclass(frozen=True, slots=True)
class Wish:
    """What the demonstration orders."""

    pictures: tuple[Path, ...]
    prompt: str
    model: str
    size: str | None
    out: Path


async def demo(settings: Settings, wish: Wish, *, sandbox: bool = False) -> None:
    """Use the running service, or start one for as long as it takes."""
    missing = [str(path) for path in wish.pictures if not path.is_file()]
    if missing:
        raise Failure(f"no such picture: {', '.join(missing)}")
    async with AsyncExitStack() as stack:
        at = parts.address(settings)
        if sandbox or not await _is_up(at):
            quiet = settings.model_copy(update={"port": 0, "log_level": "WARNING"})
            roles = Roles(api=True, worker=True)
            started = await stack.enter_async_context(running(quiet, roles, sandbox=sandbox))
            settings = started.settings
            at = parts.address(settings)
        settings = parts.with_local_keys(settings)
        if settings.api_key is None or settings.admin_api_key is None:
            raise Failure("set API_KEY and ADMIN_API_KEY to those of the running service")
        session = await stack.enter_async_context(aiohttp.ClientSession(at))
        service = Service(session, settings.api_key.get_secret_value())
        operator = Service(session, settings.admin_api_key.get_secret_value())
        try:
            await _walk(service, operator, wish)
        except (aiohttp.ClientError, TimeoutError) as error:
            why = str(error) or type(error).__name__
            raise Failure(f"the service at {at} did not answer: {why}") from None


async def _is_up(at: str) -> bool:
    """Whether it is a Hamyon that listens there, and no other program."""
    timeout = aiohttp.ClientTimeout(total=1.0)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(f"{at}/api/v1/info") as answer,
        ):
            found = await answer.json(content_type=None)
            return isinstance(found, dict) and found.get("name") == "hamyon"
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return False


@dataclass(frozen=True, slots=True)
class Service:
    """Calls the API with one key; a refusal becomes a Failure with the API's own sentence."""

    session: aiohttp.ClientSession
    key: str

    async def call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        headers = {"api-key": self.key, **options.pop("headers", {})}
        async with self.session.request(method, path, headers=headers, **options) as answer:
            content = await answer.json(content_type=None)
            if answer.status >= 400:
                raise Failure(f"{path} answered {answer.status}: {content.get('detail', content)}")
            return cast("dict[str, Any]", content)

    async def balance(self) -> int:
        path = f"/api/v1/users/{PERSON}/balance?asset=credit"
        return int((await self.call("GET", path))["balance"])


async def _walk(service: Service, operator: Service, wish: Wish) -> None:
    person = {"telegram_id": PERSON, "first_name": "Demo", "language_code": "en"}
    await service.call("POST", "/api/v1/users/sync", json=person)
    await operator.call(
        "POST",
        "/api/v1/admin/credits",
        json={"telegram_id": PERSON, "amount": CREDITS, "reason": "demonstration"},
        headers={"Idempotency-Key": f"demo-{time.time_ns()}"},
    )
    before = await service.balance()
    console.print(f"Person {PERSON} has [bold]{before}[/] credits.")
    references = [await _upload(service, path) for path in wish.pictures]
    order = {
        "telegram_id": PERSON,
        "model": wish.model,
        "prompt": wish.prompt,
        "references": references,
        "use_trial": False,
        **({"size": wish.size} if wish.size else {}),
    }
    submitted = await service.call("POST", "/api/v1/generations/submit", json=order)
    console.print(
        f"Ordered {submitted['id']} for [bold]{submitted['price']['amount']}[/] credits, held."
    )
    generation = await _wait(service, submitted["id"])
    if generation["status"] != "completed":
        reason = (generation["error"] or {}).get("message", generation["status"])
        raise Failure(f"no picture: {reason}")
    for path in await _save(service, generation["results"], submitted["id"], wish.out):
        console.print(f"Saved [bold green]{path}[/]")
    after = await service.balance()
    console.print(f"Balance before {before}, after {after}: charged {generation['charged']}.")
    await _print_ledger(service)


async def _upload(service: Service, path: Path) -> str:
    form = aiohttp.FormData()
    form.add_field("telegram_id", str(PERSON))
    form.add_field("file", await asyncio.to_thread(path.read_bytes), filename=path.name)
    item = (await service.call("POST", "/api/v1/media/upload", data=form))["items"][0]
    size = f"{item['width']}x{item['height']}"
    console.print(f"Uploaded {path.name}: {size}, {item['bytes']} bytes.")
    return str(item["upload_id"])


async def _wait(service: Service, order_id: str) -> dict[str, Any]:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("queued", total=None)
        whole_s: float | None = None
        started = time.monotonic()
        while True:
            path = f"/api/v1/generations/{order_id}?telegram_id={PERSON}"
            generation = await service.call("GET", path)
            if whole_s is None and generation["eta_s"]:
                whole_s = float(generation["eta_s"])
                progress.update(bar, total=whole_s)
            spent_s = time.monotonic() - started
            done = min(spent_s, 0.95 * whole_s) if whole_s else 0.0
            progress.update(bar, description=generation["status"], completed=done)
            if generation["status"] in ENDED:
                progress.update(bar, total=1, completed=1)
                return generation
            await asyncio.sleep(POLL_S)


async def _save(
    service: Service, results: Sequence[Mapping[str, Any]], order_id: str, out: Path
) -> list[Path]:
    saved = []
    for number, result in enumerate(results, 1):
        path = out / f"{order_id}-{number}.{ENDINGS[result['mime']]}"
        async with service.session.get(result["url"]) as answer:
            answer.raise_for_status()
            content = await answer.read()
        try:
            await asyncio.to_thread(_write, path, content)
        except OSError as error:
            raise Failure(f"cannot write {path} ({error.strerror}); use --out") from None
        saved.append(path)
    return saved


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


async def _print_ledger(service: Service) -> None:
    page = await service.call("GET", f"/api/v1/users/{PERSON}/ledger?limit=5")
    table = Table(title="The ledger, newest first", title_justify="left")
    table.add_column("when (UTC)", no_wrap=True)
    table.add_column("kind", no_wrap=True)
    table.add_column("amount", justify="right", no_wrap=True)
    table.add_column("balance after", justify="right", no_wrap=True)
    table.add_column("reference", no_wrap=True)
    for line in page["items"]:
        table.add_row(
            line["created_at"][11:19],
            line["kind"],
            f"{line['amount']:+d}",
            str(line["balance_after"]),
            _short(line["reference"] or ""),
        )
    console.print(table)


def _short(reference: str) -> str:
    """The end of a long id: the beginning is the time, and the same for many."""
    return reference if len(reference) <= SHORT else f"…{reference[-SHORT + 1 :]}"
