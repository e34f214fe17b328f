"""The vendor's own SDK, and a client by others, work against the simulator."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import aioyookassa
import orjson
import pytest
import yookassa
from aioyookassa.exceptions import APIError, InvalidCredentials, InvalidRequestError, NotFound
from aioyookassa.types.params import (
    CapturePaymentParams,
    CreatePaymentParams,
    CreateRefundParams,
    GetPaymentsParams,
    GetRefundsParams,
)
from yookassa.domain.common.confirmation_type import ConfirmationType
from yookassa.domain.exceptions import (
    BadRequestError,
    InternalServerError,
    NotFoundError,
    TooManyRequestsError,
    UnauthorizedError,
)
from yookassa.domain.notification import WebhookNotificationFactory
from yookassa.domain.request import PaymentRequestBuilder

from tests.fixtures.sandbox import Sandbox
from tests.sandbox.client import Hooks
from tests.sandbox.yookassa_shop import RETURN_URL, wanted

# The peer uses what its HTTP client is about to give up.
pytestmark = pytest.mark.filterwarnings("ignore:.*encode_basic_auth.*:DeprecationWarning")


@pytest.fixture
def official(sandbox: Sandbox) -> Iterator[None]:
    """The SDK keeps whose shop it is in its class."""
    shop = (sandbox.yookassa_shop_id, sandbox.yookassa_secret_key)
    yookassa.Configuration.configure(*shop, api_url=f"{sandbox.url}/v3")
    yield
    yookassa.Configuration.configure(None, None)


@pytest.fixture
async def peer(sandbox: Sandbox) -> AsyncIterator[aioyookassa.YooKassa]:
    """An asynchronous client that is not the vendor's."""

    client = aioyookassa.YooKassa(sandbox.yookassa_secret_key, sandbox.yookassa_shop_id)
    client.BASE_URL = f"{sandbox.url}/v3"
    yield client
    await client.close()


async def _call(method: Callable[..., Any], *arguments: object) -> Any:
    """The SDK blocks, so it gets a thread."""
    return await asyncio.to_thread(method, *arguments)


# --- the vendor's SDK -------------------------------------------------------------------------


@pytest.mark.usefixtures("official")
async def test_a_payment_and_its_refund(sandbox: Sandbox) -> None:
    key = str(uuid.uuid4())
    body = wanted("150.50", description="1000 credits", metadata={"payment_id": "7"})
    payment = await _call(yookassa.Payment.create, body, key)
    again = await _call(yookassa.Payment.create, body, key)
    assert payment.id == again.id
    assert (payment.status, str(payment.amount.value)) == ("pending", "150.50")
    assert payment.metadata == {"payment_id": "7", "cms_name": "yookassa_sdk_python"}
    assert payment.confirmation.return_url == RETURN_URL
    assert await sandbox.pay(payment.confirmation.confirmation_url) == RETURN_URL
    paid = await _call(yookassa.Payment.find_one, payment.id)
    assert (paid.status, paid.paid, paid.refundable) == ("succeeded", True, True)
    assert paid.payment_method.card.last4 == "4444"
    amount = {"value": "50.50", "currency": "RUB"}
    wish = {"payment_id": payment.id, "amount": amount, "metadata": {"refund_id": "9"}}
    refund = await _call(yookassa.Refund.create, wish, "refund-9")
    repeated = await _call(yookassa.Refund.create, wish, "refund-9")
    assert refund.id == repeated.id
    assert (refund.status, refund.metadata) == ("succeeded", {"refund_id": "9"})
    found = await _call(yookassa.Refund.find_one, refund.id)
    assert str(found.amount.value) == "50.50"
    listed = await _call(yookassa.Refund.list, {"payment_id": payment.id})
    assert [item.id for item in listed.items] == [refund.id]
    stats = await sandbox.stats("yookassa")
    assert (stats["payments"], stats["refunded_minor"]) == (1, {payment.id: 5_050})


@pytest.mark.usefixtures("official")
async def test_a_payment_from_the_builder_with_a_receipt() -> None:
    builder = PaymentRequestBuilder()
    builder.set_amount({"value": 100, "currency": "RUB"}).set_capture(True)
    builder.set_confirmation({"type": ConfirmationType.REDIRECT, "return_url": RETURN_URL})
    builder.set_receipt(
        {
            "customer": {"email": "a@example.com"},
            "items": [
                {
                    "description": "Credits",
                    "quantity": 2,
                    "amount": {"value": 50, "currency": "RUB"},
                    "vat_code": 1,
                    "payment_subject": "service",
                    "payment_mode": "full_payment",
                }
            ],
        }
    )
    payment = await _call(yookassa.Payment.create, builder.build())
    assert payment.receipt_registration == "pending"


@pytest.mark.usefixtures("official")
async def test_two_stages_by_sdk(sandbox: Sandbox) -> None:
    for step, status in (("capture", "succeeded"), ("cancel", "canceled")):
        payment = await _call(yookassa.Payment.create, wanted(capture=False))
        await sandbox.pay(payment.confirmation.confirmation_url)
        ended = await _call(getattr(yookassa.Payment, step), payment.id)
        assert ended.status == status
    assert ended.cancellation_details.reason == "canceled_by_merchant"


@pytest.mark.usefixtures("official")
async def test_pages_of_a_list() -> None:
    made = [(await _call(yookassa.Payment.create, wanted())).id for _ in range(5)]
    since = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    query = {"limit": 2, "created_at.gte": since, "status": "pending"}
    seen = []
    while True:
        page = await _call(yookassa.Payment.list, query)
        assert page.type == "list"
        seen += [item.id for item in page.items]
        if page.next_cursor is None:
            break
        query["cursor"] = page.next_cursor
    assert seen == made[::-1]


@pytest.mark.usefixtures("official")
async def test_errors_are_understood(sandbox: Sandbox) -> None:
    with pytest.raises(NotFoundError) as missing:
        await _call(yookassa.Payment.find_one, "none")
    assert missing.value.content["code"] == "not_found"
    with pytest.raises(BadRequestError) as bad:
        await _call(yookassa.Payment.create, wanted(payment_method_data={"type": "sbp"}))
    assert bad.value.content["parameter"] == "payment_method_data.type"
    await _call(yookassa.Payment.create, wanted("1.00"), "a")
    with pytest.raises(BadRequestError, match="Idempotence key duplicated"):
        await _call(yookassa.Payment.create, wanted("2.00"), "a")
    match = {"vendor": "yookassa", "operation": "get_payment", "times": 1}
    for status, error in ((500, InternalServerError), (429, TooManyRequestsError)):
        await sandbox.fault("status", match, status=status)
        with pytest.raises(error):
            await _call(yookassa.Payment.find_one, "none")
    yookassa.Configuration.secret_key = "wrong"
    with pytest.raises(UnauthorizedError):
        await _call(yookassa.Payment.find_one, "none")


@pytest.mark.usefixtures("official")
async def test_the_shop_by_sdk() -> None:
    me = await _call(yookassa.Settings.get_account_settings)
    assert (me.account_id, me.test) == ("100500", True)


@pytest.mark.usefixtures("official")
async def test_notifications_are_understood(sandbox: Sandbox, hooks: Hooks) -> None:
    await sandbox.vendor_settings("yookassa", notification_url=hooks.url)
    payment = await _call(yookassa.Payment.create, wanted())
    await sandbox.pay(payment.confirmation.confirmation_url)
    await hooks.wait_for(1)
    refund_id = await sandbox.refund_by_hand(payment.id, "10.00")
    await hooks.wait_for(2)
    read = WebhookNotificationFactory().create
    succeeded, refunded = [read(orjson.loads(hook.body)) for hook in hooks.received]
    assert (succeeded.event, succeeded.object.id) == ("payment.succeeded", payment.id)
    assert (refunded.event, refunded.object.id) == ("refund.succeeded", refund_id)
    assert refunded.object.payment_id == payment.id


# --- a client by others -----------------------------------------------------------------------


def _params(**more: Any) -> CreatePaymentParams:
    return CreatePaymentParams.model_validate(wanted() | more)


async def test_the_road_of_a_peer(peer: aioyookassa.YooKassa, sandbox: Sandbox) -> None:
    payment = await peer.payments.create_payment(_params(metadata={"payment_id": "7"}))
    assert payment.confirmation is not None
    assert payment.confirmation.url is not None
    await sandbox.pay(payment.confirmation.url)
    paid = await peer.payments.get_payment(payment.id)
    assert (paid.status, paid.paid) == ("succeeded", True)
    assert paid.captured_at is not None
    wish = {"payment_id": payment.id, "amount": {"value": "40.00", "currency": "RUB"}}
    refund = await peer.refunds.create_refund(CreateRefundParams.model_validate(wish))
    assert refund.status == "succeeded"
    assert (await peer.refunds.get_refund(refund.id)).payment_id == payment.id
    refunds = await peer.refunds.get_refunds(GetRefundsParams(payment_id=payment.id))
    assert refunds.list is not None
    assert [item.id for item in refunds.list] == [refund.id]
    payments = await peer.payments.get_payments(GetPaymentsParams(limit=5))
    assert payments.list is not None
    assert [item.id for item in payments.list] == [payment.id]
    assert (await peer.get_me()).account_id == "100500"


async def test_two_stages_of_a_peer(peer: aioyookassa.YooKassa, sandbox: Sandbox) -> None:
    for step in ("capture", "cancel"):
        payment = await peer.payments.create_payment(_params(capture=False))
        assert payment.confirmation is not None
        await sandbox.pay(str(payment.confirmation.url))
        if step == "capture":
            part = CapturePaymentParams.model_validate(
                {"amount": {"value": "60.00", "currency": "RUB"}}
            )
            captured = await peer.payments.capture_payment(payment.id, part)
            assert (captured.status, captured.amount.value) == ("succeeded", "60.00")
        else:
            canceled = await peer.payments.cancel_payment(payment.id)
            assert canceled.cancellation_details is not None
            assert canceled.cancellation_details.reason == "canceled_by_merchant"


async def test_errors_of_a_peer(peer: aioyookassa.YooKassa, sandbox: Sandbox) -> None:
    with pytest.raises(NotFound):
        await peer.payments.get_payment("none")
    with pytest.raises(InvalidRequestError, match=r"amount\.value"):
        await peer.payments.create_payment(_params(amount={"value": "0.00", "currency": "RUB"}))
    await sandbox.fault("accepted_then_cut", {"vendor": "yookassa", "operation": "create_payment"})
    with pytest.raises(APIError, match="Network error"):
        await peer.payments.create_payment(_params())
    assert (await sandbox.stats("yookassa"))["payments"] == 1
    peer.api_key = "wrong"
    with pytest.raises(InvalidCredentials):
        await peer.get_me()
