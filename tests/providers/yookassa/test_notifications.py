"""Whose notifications are taken, and what of them."""

from __future__ import annotations

import hashlib

import orjson
import pytest

from hamyon.kit.http import HttpClient
from hamyon.kit.settings import YOOKASSA_NETWORKS
from hamyon.payments.types.gateway import Event
from hamyon.providers.yookassa.notifications import (
    event_of,
    is_about_refund,
    is_from,
    networks_of,
)
from tests.providers.yookassa.wishes import gateway_of

NETWORKS = networks_of(YOOKASSA_NETWORKS)
PAYMENT = "2f3b588d-000f-5000-8000-1d6e87c7fbde"
REFUND = "2f3b588d-0015-5000-9000-1d6e87c7fbde"


@pytest.mark.parametrize(
    "address",
    [
        *("185.71.76.0", "185.71.76.1", "185.71.76.31", "185.71.77.0", "185.71.77.31"),
        *("77.75.153.0", "77.75.153.127", "77.75.154.128", "77.75.154.255"),
        *("77.75.156.11", "77.75.156.35", "2a02:5180::", "2a02:5180::1", "2A02:5180:0:1509::7"),
        *("2a02:5180:ffff:ffff:ffff:ffff:ffff:ffff", "::ffff:185.71.76.5", "::ffff:b947:4c05"),
    ],
)
def test_the_vendors_addresses(address: str) -> None:
    assert is_from(address, NETWORKS)


@pytest.mark.parametrize(
    "address",
    [
        *("185.71.75.255", "185.71.76.32", "185.71.77.32", "185.71.78.0", "77.75.152.255"),
        *("77.75.153.128", "77.75.154.127", "77.75.155.0", "77.75.156.10", "77.75.156.12"),
        *("77.75.156.34", "77.75.156.36", "2a02:517f:ffff::1", "2a02:5181::", "::ffff:8.8.8.8"),
        *("::185.71.76.5", "64:ff9b::185.71.76.5", "2002:b947:4c05::", "127.0.0.1", "::1"),
        *("", " ", "unknown", "185.71.76.5 ", "185.71.76.5:443", "[2a02:5180::1]", "185.71.76"),
        *("185.71.76.05", "0xb9474c05", "3108457477", "185.71.76.5,8.8.8.8", "185.71.76.5/32"),
        *("testclient", "185.71.76.5\n", "١٨٥.71.76.5", "::ffff:185.71.76.32"),
    ],
)
def test_anybody_elses_addresses(address: str) -> None:
    assert not is_from(address, NETWORKS)


def test_no_networks_are_nobody() -> None:
    assert not is_from("185.71.76.5", ())


def notification(event: str, **told: object) -> bytes:
    return orjson.dumps({"type": "notification", "event": event, "object": told})


@pytest.mark.parametrize(
    "event",
    ["payment.succeeded", "payment.canceled", "payment.waiting_for_capture", "payment.later_kind"],
)
def test_a_payments_event(event: str) -> None:
    body = notification(event, id=PAYMENT, status="succeeded", amount={"value": "1.00"})
    assert event_of(body) == Event(key=hashlib.sha256(body).hexdigest(), subject=PAYMENT)
    assert not is_about_refund(body)


def test_a_refunds_event_is_about_its_payment() -> None:
    body = notification("refund.succeeded", id=REFUND, payment_id=PAYMENT, status="succeeded")
    assert event_of(body) == Event(key=hashlib.sha256(body).hexdigest(), subject=PAYMENT)
    assert is_about_refund(body)


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b" ", b"null", b"17", b'"text"', b"[]", b"{}", b"{", b"\xff\xfe", b"<html>"),
        b"[" * 5000,
        notification("payment.succeeded", id=PAYMENT)[:-1],
        notification("payment.succeeded", id=PAYMENT) + b"x",
        orjson.dumps({"event": "payment.succeeded", "object": {"id": PAYMENT}}),
        orjson.dumps({"type": "event", "event": "payment.succeeded", "object": {"id": PAYMENT}}),
        orjson.dumps({"type": "notification", "object": {"id": PAYMENT}}),
        orjson.dumps({"type": "notification", "event": 1, "object": {"id": PAYMENT}}),
        orjson.dumps({"type": "notification", "event": "payment.succeeded"}),
        orjson.dumps({"type": "notification", "event": "payment.succeeded", "object": PAYMENT}),
        orjson.dumps({"type": "notification", "event": "payment.succeeded", "object": [PAYMENT]}),
        notification("payment.succeeded"),
        notification("payment.succeeded", id=None),
        notification("payment.succeeded", id=17),
        notification("payment.succeeded", id=""),
        notification("payment.succeeded", id="a" * 65),
        notification("payment.succeeded", id="../refunds"),
        notification("payment.succeeded", id=PAYMENT + "\n"),
        notification("payment.succeeded", id="плата"),
        notification("payment.succeeded", id={"id": PAYMENT}),
        notification("payment", id=PAYMENT),
        notification("payment_method.active", id=PAYMENT),
        notification("payout.succeeded", id=PAYMENT),
        notification("deal.closed", id=PAYMENT),
        notification("PAYMENT.SUCCEEDED", id=PAYMENT),
        notification("refund.succeeded", id=REFUND),
        notification("refund.succeeded", id=REFUND, payment_id="?"),
        notification("refund.succeeded", id="?", payment_id=PAYMENT),
        notification("refund.succeeded", payment_id=PAYMENT),
    ],
)
def test_what_is_no_event(body: bytes) -> None:
    assert event_of(body) is None


@pytest.mark.parametrize("raw", [b"", b"[", notification("payment.succeeded", id=PAYMENT)])
def test_what_does_not_speak_of_a_refund(raw: bytes) -> None:
    assert not is_about_refund(raw)


async def test_the_address_decides_before_the_body(http: HttpClient) -> None:
    gateway = gateway_of(http)
    body = notification("payment.succeeded", id=PAYMENT)
    assert await gateway.receive("8.8.8.8", {}, body) is None
    assert await gateway.receive("185.71.76.5", {}, b"{}") is None
    taken = await gateway.receive("185.71.76.5", {"x-forwarded-for": "8.8.8.8"}, body)
    assert taken is not None
    assert taken.subject == PAYMENT


async def test_other_networks_by_settings(http: HttpClient) -> None:
    gateway = gateway_of(http, yookassa_notification_networks="127.0.0.0/8, ::1/128")
    body = notification("payment.succeeded", id=PAYMENT)
    assert await gateway.receive("127.0.0.9", {}, body) is not None
    assert await gateway.receive("::1", {}, body) is not None
    assert await gateway.receive("185.71.76.5", {}, body) is None
