"""Rows of orders and jobs, read back as what they are."""

from __future__ import annotations

from hamyon.kit.db import Record
from hamyon.orders.types import (
    Job,
    JobState,
    Order,
    OrderState,
    StoredOutput,
)

ORDER_COLUMNS = """
    id, user_id, product, model_key, engine, state, input, asset, price, charged, trial, deliver,
    error_code, error_message, error_retryable, created_at, started_at, finished_at, deadline_at,
    settled_at
"""
JOB_COLUMNS = "id, order_id, ordinal, state, outputs, error_code, error_message, error_retryable"


def read_order(row: Record) -> Order:
    return Order(**{**row, "state": OrderState(row["state"])})


def read_job(row: Record) -> Job:
    return Job(
        **{
            **row,
            "state": JobState(row["state"]),
            "outputs": [StoredOutput(**output) for output in row["outputs"]],
        }
    )
