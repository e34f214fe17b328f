"""What people want to be told: everything, until they say otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hamyon.kit.db import Connection, Pool
from hamyon.kit.web.permission import Role
from hamyon.messages.kinds import PEOPLES_TOPICS, kind_of, operator_topics
from hamyon.messages.store import preferences as store
from hamyon.messages.types import Topic
from hamyon.notices.types import Notice
from hamyon.users.service import operators
from hamyon.users.types import User


def topics_for(role: Role | None) -> Sequence[Topic]:
    """What somebody can switch on and off; ``role`` None: he is no operator."""
    return PEOPLES_TOPICS + (operator_topics(role) if role is not None else ())


async def read(
    connection: Connection | Pool, user_id: int, role: Role | None
) -> Mapping[Topic, bool]:
    """Each topic that is his, and whether he wants to be told of it."""
    disabled = await store.disabled_topics(connection, user_id)
    return {topic: topic not in disabled for topic in topics_for(role)}


async def set_preference(
    connection: Connection, user_id: int, topic: Topic, *, enabled: bool
) -> None:
    """Switch a topic on or off for somebody; one that is not his has no effect."""
    if enabled:
        await store.enable(connection, user_id, topic)
    else:
        await store.disable(connection, user_id, topic)


async def is_told(connection: Connection | Pool, notice: Notice, user: User) -> bool:
    """Whether somebody is to hear of a notice as things stand now: nobody who is blocked, of what
    is for operators only who is still one of the role, and of no topic that is switched off."""
    kind = kind_of(notice)
    if user.is_blocked:
        return False
    if notice.user_id is None:
        role = await operators.role_of(connection, user.id)
        if role is None or role < kind.role:
            return False
    return not await muted(connection, [user.id], kind.topic)


async def muted(
    connection: Connection | Pool, user_ids: Sequence[int], topic: Topic | None
) -> frozenset[int]:
    """Who of these does not want to be told of a topic; None is what everybody is told."""
    if topic is None:
        return frozenset()
    return await store.muted(connection, user_ids, topic)
