"""A notice's facts as a person reads them: amounts with their word, money, times, short lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from hamyon.kit.money import SCALE, Asset
from hamyon.kit.texts import Language, Markup, catalogue, rich_text, text
from hamyon.notices.types import Notice

FACT_MAX: Final = 200
LIST_MAX: Final = 10
AMOUNTS: Final = frozenset({"amount", "taken", "debt", "price", "charged"})
"""Facts that count what the fact ``asset`` names; without it they are credits."""
MONEY: Final = frozenset({"amount_minor", "paid_minor"})
"""Facts in minor units of the fact ``currency``."""
WHOLE_CURRENCIES: Final = frozenset({"XTR"})
SYMBOLS: Final[Mapping[str, str]] = {"XTR": "⭐", "RUB": "₽", "USD": "$"}
CENTS: Final = 2
MICRO: Final = 6
NO_BREAK: Final = "\u00a0"

Facts = Mapping[str, object]


def shown(language: Language, notice: Notice, zone: ZoneInfo) -> dict[str, object]:
    """The facts for the catalogue's sentence of this kind. What is missing is left out."""
    facts = notice.facts
    made: dict[str, object] = {
        name: _shown(language, name, value, facts) for name, value in facts.items()
    }
    match notice.kind:
        case "payment_refunded":
            made["debt_line"] = _debt(language, facts)
        case "thin_margin":
            options = facts.get("options")
            made["options"] = _pairs(options if isinstance(options, Mapping) else {})
            made["cost"] = micro_usd(language, facts.get("cost_micro_usd"))
        case "payment_mismatches":
            kinds = facts.get("kinds")
            made["lines"] = _pairs(kinds if isinstance(kinds, Mapping) else {})
            made["count"] = facts.get("open")
        case "audit_findings":
            made["lines"] = _findings(language, facts.get("findings"))
        case "daily_report":
            made |= _report(language, facts, zone)
    return made


def number(language: Language, value: int) -> str:
    """A whole number, its thousands apart as the language has them."""
    return f"{value:,}".replace(",", _apart(language))


def decimal(language: Language, value: int, digits: int) -> str:
    """``value`` in units of ten to the minus ``digits``, with at least two decimals."""
    whole, rest = divmod(abs(value), 10**digits)
    behind = f"{rest:0{digits}d}".rstrip("0").ljust(CENTS, "0")
    sign = "-" if value < 0 else ""
    return f"{sign}{number(language, whole)}{'.' if language == 'en' else ','}{behind}"


def amount(language: Language, value: int, asset: str) -> str:
    """An amount with its asset's word in the right form."""
    scale = SCALE.get(Asset(asset), 0) if asset in set(Asset) else 0
    if scale:
        return _dollars(language, value, scale)
    facts = {"count": value, "amount": number(language, value)}
    if asset not in set(Asset):
        return f"{facts['amount']} {asset}"
    return text(language, f"notice.line_asset_{asset}", facts)


def money(language: Language, value: int, currency: str) -> str:
    """Minor units of a currency as people write them."""
    sign = SYMBOLS.get(currency, currency)
    if currency in WHOLE_CURRENCIES:
        return f"{number(language, value)} {sign}"
    return f"{decimal(language, value, CENTS)} {sign}"


def micro_usd(language: Language, value: object) -> str:
    """Millionths of a dollar."""
    return _dollars(language, value, MICRO) if isinstance(value, int) else "–"


def moment(language: Language, raw: object, zone: ZoneInfo) -> str:
    """A day, or a moment in ``zone``, out of what ISO 8601 says; anything else as it is."""
    if not isinstance(raw, str):
        return "–"
    try:
        if len(raw) == len("2026-01-31"):
            return _day(language, date.fromisoformat(raw))
        at = datetime.fromisoformat(raw)
    except ValueError:
        return raw
    local = at.astimezone(zone)
    return f"{_day(language, local.date())} {local:%H:%M}"


def _dollars(language: Language, value: int, digits: int) -> str:
    sign = "-" if value < 0 else ""
    return f"{sign}${decimal(language, abs(value), digits)}"


def _day(language: Language, day: date) -> str:
    return f"{day:%Y-%m-%d}" if language == "en" else f"{day:%d.%m.%Y}"


def _apart(language: Language) -> str:
    return "," if language == "en" else NO_BREAK


def _shown(language: Language, name: str, value: object, facts: Facts) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        if name in AMOUNTS:
            return amount(language, value, str(facts.get("asset", Asset.CREDIT)))
        if name in MONEY:
            return money(language, value, str(facts.get("currency", "")))
    if name == "gateway":
        key = f"notice.label_gateway_{value}"
        return text(language, key) if key in catalogue(language) else value
    return _clipped(value) if isinstance(value, str) else value


def _debt(language: Language, facts: Facts) -> Markup:
    debt = facts.get("debt")
    if not isinstance(debt, int) or debt <= 0:
        return Markup("")
    words = amount(language, debt, str(facts.get("asset", Asset.CREDIT)))
    return Markup("\n" + rich_text(language, "notice.line_debt", {"debt": words}))


def _findings(language: Language, findings: object) -> Markup:
    return _lines(language, "notice.operators.line_finding", _rows(findings))


def _report(language: Language, facts: Facts, zone: ZoneInfo) -> dict[str, object]:
    users, orders = _table(facts, "users"), _table(facts, "generations")
    by_status = _table(orders, "by_status")
    revenue = [
        money(language, value, currency)
        for currency, value in _table(facts, "revenue").items()
        if isinstance(value, int)
    ]
    rate = orders.get("success_rate")
    counts = {
        "people": users.get("total"),
        "new": users.get("new_today"),
        "active": users.get("active_1d"),
        "orders": orders.get("total"),
        "ready": by_status.get("completed", 0),
        "sold": facts.get("sold"),
        "granted": facts.get("granted"),
        "spent": facts.get("spent"),
        "refunded": facts.get("refunded"),
    }
    return {
        **{name: _counted(language, value) for name, value in counts.items()},
        "day": moment(language, facts.get("day"), zone),
        "success": f"{round(rate * 100)} %" if isinstance(rate, int | float) else "–",
        "revenue": ", ".join(revenue) or "0",
        "cost": micro_usd(language, facts.get("provider_cost_micro_usd")),
        "margin": micro_usd(language, facts.get("margin_micro_usd")),
        "models": _lines(language, "notice.operators.line_model", _rows(facts.get("top_models"))),
        "odd": _odd(language, _table(facts, "odd"), zone),
    }


def _odd(language: Language, odd: Facts, zone: ZoneInfo) -> Markup:
    told = []
    for name, value in odd.items():
        key = f"notice.operators.line_odd_{name}"
        if key not in catalogue(language):
            continue
        words = ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
        if name == "last_audit_at":
            never = text(language, "notice.operators.line_never")
            words = never if value == "never" else moment(language, value, zone)
        told.append(rich_text(language, key, {"value": words}))
    return Markup("".join(f"\n{line}" for line in told))


def _lines(language: Language, key: str, rows: Sequence[Facts]) -> Markup:
    """A line for each of the first rows."""
    told = [
        rich_text(language, key, {name: _clipped(str(value)) for name, value in row.items()})
        for row in rows[:LIST_MAX]
    ]
    return Markup("".join(f"\n{line}" for line in told))


def _pairs(given: Facts) -> str:
    """Names and values in a row."""
    return _clipped(", ".join(f"{name}: {value}" for name, value in given.items()) or "–")


def _table(facts: Facts, name: str) -> Facts:
    found = facts.get(name)
    return found if isinstance(found, Mapping) else {}


def _counted(language: Language, value: object) -> str:
    return number(language, value) if isinstance(value, int) else "–"


def _rows(value: object) -> list[Facts]:
    listed = value if isinstance(value, list | tuple) else []
    return [one for one in listed if isinstance(one, Mapping)]


def _clipped(value: str) -> str:
    return value if len(value) <= FACT_MAX else f"{value[: FACT_MAX - 1]}…"
