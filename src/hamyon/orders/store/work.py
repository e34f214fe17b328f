"""Working on a job: a claim, and writes that its lease fences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast
from uuid import UUID

from hamyon.kit.db import Connection, Pool
from hamyon.orders.types import (
    Claim,
    Held,
    JobEnd,
    JobId,
    JobState,
    OrderId,
    StoredOutput,
)


async def claim_job(
    pool: Pool,
    job_id: JobId,
    *,
    lease: UUID,
    lease_s: float,
    step: int | None,
    quiet_s: float | None = None,
) -> Claim | Held | None:
    """Take a job, committed when this returns.

    ``step`` is the number of the chain's queue entry, None for a call beside the chain. None: the
    job has ended, the entry is void, or the job was asked about in the last ``quiet_s`` seconds.
    """
    row = await pool.fetchrow(
        """
        SELECT was, held_s, sendable, (job).order_id, (job).engine, (job).provider_path,
               (job).provider_job_id, (job).attempts, (job).fetches, (job).submitted_at,
               ("order").model_key, ("order").input, ("order").priority, ("order").created_at,
               ("order").settled_at IS NOT NULL AS settled
        FROM job_claim($1, $2, $3, $4, $5)
        """,
        job_id,
        lease,
        lease_s,
        step,
        quiet_s,
    )
    if row is None:
        return None
    values = dict(row)
    held_s = values.pop("held_s")
    if held_s is not None:
        return Held(held_s)
    values["was"] = JobState(values["was"])
    return Claim(job_id=job_id, lease=lease, beside=step is None, **values)


async def renew_lease(pool: Pool, claim: Claim, *, lease_s: float) -> bool:
    """Keep a job for another ``lease_s`` from now. False: the lease was lost."""
    status = await pool.execute(
        """
        UPDATE jobs SET lease_until = clock_timestamp() + make_interval(secs => $3)
        WHERE id = $1 AND lease = $2
        """,
        claim.job_id,
        claim.lease,
        lease_s,
    )
    return status == "UPDATE 1"


async def mark_running(connection: Connection, claim: Claim, *, provider_job_id: str) -> int | None:
    """The provider has it under this id. The chain's next step; None: the lease was lost."""
    return cast(
        "int | None",
        await connection.fetchval(
            """
            UPDATE jobs SET state = 'running', provider_job_id = $3, submitted_at = now(),
                polled_at = now(), step = step + $4, lease = NULL, lease_until = NULL
            WHERE id = $1 AND lease = $2 RETURNING step
            """,
            claim.job_id,
            claim.lease,
            provider_job_id,
            0 if claim.beside else 1,
        ),
    )


async def put_back(
    connection: Connection, claim: Claim, *, state: JobState, attempts: int, fetches: int
) -> int | None:
    """Give the lease back without an end: to ask again later.

    The chain's next step; None: the lease was lost.
    """
    return cast(
        "int | None",
        await connection.fetchval(
            """
            UPDATE jobs SET state = $3, attempts = $4, fetches = $5, polled_at = now(),
                step = step + $6, lease = NULL, lease_until = NULL
            WHERE id = $1 AND lease = $2 RETURNING step
            """,
            claim.job_id,
            claim.lease,
            state,
            attempts,
            fetches,
            0 if claim.beside else 1,
        ),
    )


async def end_job(connection: Connection, claim: Claim, end: JobEnd) -> bool:
    """Write how a job ended. False: the lease was lost, and nothing was written."""
    status = await connection.execute(
        """
        UPDATE jobs SET state = $3, outputs = $4, error_code = $5, error_message = $6,
            error_retryable = $7, cost_micro_usd = coalesce($8, cost_micro_usd),
            finished_at = now(), lease = NULL, lease_until = NULL
        WHERE id = $1 AND lease = $2
        """,
        claim.job_id,
        claim.lease,
        end.state,
        [_plain(output) for output in end.outputs],
        end.error_code,
        end.error_message,
        end.error_retryable,
        end.cost_micro_usd,
    )
    return status == "UPDATE 1"


def _plain(output: StoredOutput) -> dict[str, object]:
    return {name: getattr(output, name) for name in StoredOutput.__slots__}


async def end_open_jobs(
    connection: Connection, order_id: OrderId, *, states: Sequence[JobState], end: JobEnd
) -> int:
    """End those jobs of a locked order that stand in one of ``states`` and that no worker holds."""
    status = await connection.execute(
        """
        UPDATE jobs SET state = $3, error_code = $4, error_message = $5, error_retryable = $6,
            finished_at = now(), lease = NULL, lease_until = NULL
        WHERE order_id = $1 AND state = ANY ($2) AND coalesce(lease_until < now(), true)
        """,
        order_id,
        list(states),
        end.state,
        end.error_code,
        end.error_message,
        end.error_retryable,
    )
    return int(status.rsplit(" ", 1)[1])
