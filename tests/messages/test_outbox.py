"""Who learns of a notice: the person, or the operators whose business it is, each of them once."""

from __future__ import annotations

import ast
import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hamyon.kit.db import in_transaction
from hamyon.kit.texts import LANGUAGES, Language, catalogue
from hamyon.kit.web.permission import Role
from hamyon.messages import kinds
from hamyon.messages.service import letters, outbox, preferences
from hamyon.messages.types import Topic
from hamyon.orders.types import OrderState
from hamyon.rewards.service.posting import NOTICES
from tests.fixtures.sandbox import Sandbox
from tests.fixtures.service import Launch, eventually, working
from tests.messages.post import ALI, OLGA, post_of

SOURCES = Path(__file__).parents[2] / "src" / "hamyon"


async def test_a_person_is_told_in_his_language(launch: Launch, sandbox: Sandbox) -> None:
    post = await post_of(launch, sandbox)
    await post.service.person(OLGA)
    await post.speaks(OLGA, "ru")
    await post.tell("a")
    await post.tell("b", facts={"asset": "credit", "amount": 2}, user_id=OLGA)
    assert await post.ended(2) == {"sent": 2}
    assert await post.texts() == ["🎁 5 credits for you: a friend of yours has topped up."]
    assert await post.texts(OLGA) == ["🎁 Вам 2 кредита: ваш друг пополнил баланс."]


async def test_each_operator_of_the_role_is_told_once_by_any_number_of_workers(
    launch: Launch, sandbox: Sandbox
) -> None:
    post = await post_of(launch, sandbox)
    await post.operator(11, Role.SUPPORT)
    await post.operator(12, Role.FINANCE, "uz")
    await post.operator(13, Role.ADMIN, "ru")
    await post.operator(14, Role.OWNER)
    await post.operator(15, Role.OWNER)
    await post.service.as_owner("UPDATE users SET blocked_at = now() WHERE id = 15")
    facts = {"gateway": "stars", "difference": "only_theirs", "subject": "tx<1>", "id": 7}
    async with working(post.service), working(post.service):
        number = await post.tell("m", "payment_mismatch", facts, None)
        await asyncio.gather(*(outbox.pass_on(post.service.deps, number) for _ in range(20)))
        assert await post.ended(3) == {"sent": 3}
    assert await post.counts() == {12: 1, 13: 1, 14: 1}
    (text,) = await post.texts(13)
    assert text.startswith("⚠️ Звёзды Telegram и наши книги расходятся")
    assert "tx<1>" in text


async def test_what_is_switched_off_is_not_told(launch: Launch, sandbox: Sandbox) -> None:
    post = await post_of(launch, sandbox)
    await post.operator(11, Role.FINANCE)
    await post.operator(12, Role.FINANCE)
    for user_id, topic in ((11, Topic.OPERATOR_ORDERS), (ALI, Topic.REWARDS)):
        await in_transaction(
            post.service.pool, preferences.set_preference, user_id, topic, enabled=False
        )
    review = {"order_id": "o", "product": "images", "price": 27}
    await post.tell("review", "order_review", review, None)
    await post.tell("bonus")
    await post.tell("refund", "order_refunded")
    assert await post.ended(4) == {"sent": 2, "muted": 2}
    assert await post.counts() == {12: 1, ALI: 1}


async def test_a_notice_for_nobody_is_done(launch: Launch, sandbox: Sandbox) -> None:
    post = await post_of(launch, sandbox)
    await post.service.as_owner("UPDATE users SET blocked_at = now() WHERE id = $1", ALI)
    await post.tell("m", "daily_report", {}, None)
    await post.tell("blocked", "order_refunded")

    async def is_done() -> bool:
        query = "SELECT bool_and(sent_at IS NOT NULL) FROM notices"
        return bool(await post.service.pool.fetchval(query))

    await eventually(is_done)
    assert not await post.states()


async def test_without_a_bot_notices_wait_and_old_ones_are_not_told(
    launch: Launch, sandbox: Sandbox
) -> None:
    post = await post_of(launch, sandbox, worker=False)
    mute = replace(post.service.deps, senders={})
    fresh, days_old, too_old = [await post.tell(key) for key in ("fresh", "old", "too old")]
    order = await post.tell("order", "order_refunded")
    answer = await post.tell("answer", "support_reply", {"thread_id": 1, "text": "yes"})
    old_order = await post.tell("old order", "order_refunded")
    for number in (fresh, days_old, too_old, order, answer, old_order):
        await outbox.pass_on(mute, number)
    await outbox.sweep(mute)
    assert not await post.states()
    await post.service.as_owner("DELETE FROM pgqueuer")
    ages = {
        days_old: "2 days",
        too_old: "73 hours",
        order: "6 days",
        answer: "6 days",
        old_order: "8 days",
    }
    for number, age in ages.items():
        await post.service.as_owner(
            f"UPDATE notices SET created_at = now() - interval '{age}' WHERE id = $1", number
        )
    for _ in range(3):
        await outbox.sweep(post.service.deps)
    queued = await post.service.pool.fetch("SELECT payload FROM pgqueuer ORDER BY id")
    # What is a moment old has its own entry still; here that was taken away, so it stays.
    passed_on = [row["payload"].decode() for row in queued]
    assert passed_on == [str(number) for number in (days_old, order, answer)]
    async with working(post.service):
        assert await post.ended(3) == {"sent": 3}
    rows = await post.service.pool.fetch("SELECT key FROM notices WHERE sent_at IS NULL")
    assert [row["key"] for row in rows] == ["fresh"]


async def test_a_long_outbox_is_worked_off_in_parts(
    launch: Launch, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "BATCH", 3)
    monkeypatch.setattr(outbox, "BATCHES_MAX", 2)
    post = await post_of(launch, sandbox, worker=False)
    for number in range(8):
        await post.tell(f"n{number}")
    await post.service.as_owner("DELETE FROM pgqueuer")
    await post.service.as_owner("UPDATE notices SET created_at = now() - interval '4 days'")
    count = "SELECT count(*) FROM notices WHERE sent_at IS NULL"
    left = []
    for _ in range(3):
        await outbox.sweep(post.service.deps)
        left.append(await post.service.pool.fetchval(count))
    assert left == [2, 0, 0]


# --- kinds ----------------------------------------------------------------------------------------


def kinds_written() -> Iterator[str]:
    """The kind of every ``Notice(...)`` in the sources, where it is written as a text.

    Kinds that a table or a name holds are found as texts beside the call's module: the tables below
    are those of the sources.
    """
    for path in SOURCES.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        named = {
            target.id: node.value.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant)
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            if node.func.id != "Notice" or path.parts[-2] == "notices":
                continue
            given = {keyword.arg: keyword.value for keyword in node.keywords}
            kind = given.get("kind") or node.args[1]
            if isinstance(kind, ast.Constant):
                yield str(kind.value)
            elif isinstance(kind, ast.Name) and kind.id in named:
                yield str(named[kind.id])
            else:
                yield f"{path.relative_to(SOURCES)}: {ast.unparse(kind)}"


COMPUTED = {
    "orders/service/settle.py: f'order_{order.state}'": {
        f"order_{state}" for state in (OrderState.COMPLETED, OrderState.FAILED, OrderState.CANCELED)
    },
    "rewards/service/posting.py: NOTICES[bonus.kind]": set(NOTICES.values()),
    "payments/service/settle.py: kind": {"payment_received", "payment_canceled"},
    "surfaces/bot/pictures/ended.py: COMPLETED": {"order_completed"},
}
"""Kinds that are not written where the notice is: by place, with what they can be."""


def test_every_kind_that_is_written_is_known() -> None:
    written = set(kinds_written())
    assert len(written) > 10
    computed = {one for one in written if ":" in one}
    assert computed == set(COMPUTED), "say in COMPUTED what these kinds can be"
    every = (written - computed).union(*COMPUTED.values())
    assert every == {*kinds.PEOPLE, *kinds.OPERATORS}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_has_a_sentence_for_whom_it_is_told(language: Language) -> None:
    wanted = {letters.text_key(kind, for_operators=False) for kind in kinds.PEOPLE}
    wanted |= {letters.text_key(kind, for_operators=True) for kind in kinds.OPERATORS}
    known = {key.removesuffix(".other") for key in catalogue(language)}
    assert wanted - known == set()
    assert {f"topic.title_{topic}" for topic in Topic} - known == set()


def test_topics_are_of_one_audience() -> None:
    assert {kind.topic for kind in kinds.PEOPLE.values()} - {None} <= set(kinds.PEOPLES_TOPICS)
    theirs = {topic for topic in Topic if topic.startswith("operator_")}
    assert {kind.topic for kind in kinds.OPERATORS.values()} - {None} == theirs
