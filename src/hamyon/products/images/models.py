"""The shapes of images' requests and answers (contract/images.md)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from hamyon.kit.web.models import AnswerModel, Int64, StrictModel, TelegramId
from hamyon.products.images.types import Submit
from hamyon.users.routes.request import TEXT

Prompt = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=4000, pattern=TEXT),
]
References = Annotated[list[UUID], Field(max_length=100)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=TEXT)]


class Deliver(StrictModel):
    """Where the bot brings the result."""

    chat_id: Int64
    reply_to_message_id: Annotated[int, Field(ge=1, le=2**63 - 1)] | None = None
    status_message_id: Annotated[int, Field(ge=1, le=2**63 - 1)] | None = None


class ModelChoice(StrictModel):
    """A model and its options; ``model_id`` is another name of ``model``."""

    telegram_id: TelegramId
    model: Word
    size: Word | None = None
    aspect_ratio: Word | None = None
    resolution: Word | None = None
    output_format: Word | None = None

    @model_validator(mode="before")
    @classmethod
    def _other_name(cls, value: Any) -> Any:
        if isinstance(value, Mapping) and "model_id" in value and "model" not in value:
            others = {name: given for name, given in value.items() if name != "model_id"}
            return {**others, "model": value["model_id"]}
        return value

    def options(self) -> dict[str, str | None]:
        """What was named of the options."""
        named = {
            "size": self.size,
            "aspect_ratio": self.aspect_ratio,
            "resolution": self.resolution,
            "output_format": self.output_format,
        }
        return {name: value for name, value in named.items() if value is not None}


class SubmitBody(ModelChoice):
    """An order for a picture."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "telegram_id": 777,
                "model": "seedream-v4",
                "prompt": "a red fox in the snow at sunset",
                "size": "1024*1024",
            }
        }
    )

    prompt: Prompt
    references: References = Field(default_factory=list)
    use_trial: bool = True
    deliver: Deliver | None = None

    def wish(self) -> Submit:
        """The order as the service takes it."""
        return Submit(
            user_id=self.telegram_id,
            model=self.model,
            prompt=self.prompt,
            options=self.options(),
            references=self.references,
            use_trial=self.use_trial,
            deliver=self.deliver.model_dump() if self.deliver else None,
        )


class PriceBody(ModelChoice):
    """What an order would cost. ``references`` is how many pictures, or their ids."""

    references: Annotated[int, Field(ge=0, le=100)] | References = 0
    use_trial: bool = True

    def wish(self) -> Submit:
        """The order that is asked about; only the number of its references matters."""
        given = self.references
        references = [UUID(int=n) for n in range(given)] if isinstance(given, int) else given
        return Submit(
            user_id=self.telegram_id,
            model=self.model,
            prompt="",
            options=self.options(),
            references=references,
            use_trial=self.use_trial,
            deliver=None,
        )


class OwnerBody(StrictModel):
    """Whose generation it is; a signed-in person may leave it out."""

    telegram_id: TelegramId | None = None


class PriceAnswer(AnswerModel):
    asset: str
    amount: int


class SubmitAnswer(AnswerModel):
    id: UUID
    status: Literal["queued"]
    model: str
    price: PriceAnswer
    trial_used: bool
    balance: int
    position: int
    created_at: datetime


class QuoteAnswer(AnswerModel):
    asset: str
    amount: int
    trial_applies: bool
    balance_after: int
    enough: bool


class ResultAnswer(AnswerModel):
    url: str
    width: int
    height: int
    mime: str
    bytes: int


class ExpiringResultAnswer(ResultAnswer):
    expires_at: datetime


class ResultsAnswer(AnswerModel):
    items: list[ExpiringResultAnswer]


class ErrorAnswer(AnswerModel):
    code: str
    message: str
    retryable: bool


class GenerationAnswer(AnswerModel):
    id: UUID
    status: Literal["queued", "running", "review", "completed", "failed", "canceled"]
    model: str
    engine: str
    prompt: str
    options: dict[str, str]
    references: list[UUID]
    price: PriceAnswer
    charged: int | None
    trial_used: bool
    error: ErrorAnswer | None
    results: list[ResultAnswer]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    queue_position: int | None
    eta_s: int | None


class ActiveAnswer(AnswerModel):
    has_active: bool
    items: list[GenerationAnswer]


class OptionAnswer(AnswerModel):
    values: list[str]
    default: str


class SupportsAnswer(AnswerModel):
    text_to_image: bool
    image_to_image: bool
    reference: bool


class OptionPriceAnswer(AnswerModel):
    when: dict[str, str]
    amount: int


class ModelPriceAnswer(AnswerModel):
    asset: str
    amount: int
    unit: Literal["order", "picture"]
    by_option: list[OptionPriceAnswer]


class DurationAnswer(AnswerModel):
    min: int
    max: int


class ModelAnswer(AnswerModel):
    key: str
    name: str
    product: str
    engine: str
    supports: SupportsAnswer
    max_references: int
    options: dict[str, OptionAnswer]
    price: ModelPriceAnswer
    quality_stars: int
    duration_s: DurationAnswer
    active: bool
