"""Structured logs with secrets masked, and Sentry with the same mask.

Everything takes one road: our own events and those of the standard library (uvicorn, asyncpg,
PgQueuer) are rendered to one line each, and the mask runs over the finished line, so that no
field, exception text or traceback can carry a secret around it.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from contextvars import ContextVar, Token
from typing import IO, Any, Final, TypeAlias
from urllib.parse import quote, urlsplit

import orjson
import sentry_sdk
import structlog
from pydantic import SecretStr
from structlog.typing import EventDict, Processor, WrappedLogger

from hamyon.kit.settings import Settings

MASK: Final = "***"
SECRET_CHARACTERS_MIN: Final = 6
_SECRET_FIELDS: Final = frozenset(
    [
        *("authorization", "api_key", "api-key", "x-api-key", "secret", "password"),
        *("token", "access_token", "refresh_token", "init_data", "signature", "hash"),
        *("cookie", "set-cookie"),
    ]
)
_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}

# Each pattern has words of which one must stand in the line before the pattern is tried: most
# lines have none, and looking for a word is a hundred times cheaper than running a pattern.
_PATTERNS: Final = (
    ((":",), re.compile(r"(?<![0-9A-Za-z])((?:bot)?)\d{6,12}:[A-Za-z0-9_-]{30,}"), rf"\1{MASK}"),
    (("bot",), re.compile(r"\bbot\d+(?::|%3[Aa])[A-Za-z0-9_-]+"), f"bot{MASK}"),
    (("bearer", "basic"), re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}"), rf"\1 {MASK}"),
    (
        ("authorization", "api-key", "api_key", "webhook-signature"),
        re.compile(
            r"(?i)\b(authorization|(?:x-)?api[-_]key|webhook-signature)"
            r"""(\\?["']?\s*[:=,]\s*b?\\?["']?)(?!bearer\b|basic\b)[^\s"'\\,;)}\]]+"""
        ),
        rf"\1\2{MASK}",
    ),
    (
        ("signature=", "token=", "sig=", "secret=", "key=", "hash=", "init_data="),
        re.compile(
            r"(?i)\b([\w-]*(?:signature|token|sig|secret|key|hash|init_data)=)[^&\s\"'\\,;)}\]]+"
        ),
        rf"\1{MASK}",
    ),
    (("eyj",), re.compile(r"\beyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*"), MASK),
    (("://",), re.compile(r"(://[^\s/:@\"']*:)[^\s/@\"']+@"), rf"\1{MASK}@"),
)

Fields: TypeAlias = Mapping[str, object]
_bound: ContextVar[Fields] = ContextVar("hamyon_log_fields", default={})  # noqa: B039 -- never changed


def bind(**fields: object) -> Token[Fields]:
    """Add ``fields`` to every event of this task from here on; ``unbind`` takes them back."""
    return _bound.set({**_bound.get(), **fields})


def unbind(token: Token[Fields]) -> None:
    """Back to what was bound before."""
    _bound.reset(token)


class Mask:
    """Takes secrets out of a text: the known ones by value, the others by how they look."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        found: set[str] = set()
        for secret in secrets:
            if len(secret) >= SECRET_CHARACTERS_MIN:
                escaped = orjson.dumps(secret).decode()[1:-1]
                found |= {secret, escaped, repr(secret)[1:-1], quote(secret, safe="")}
        # The longest first: a secret may be a part of another one.
        self._secrets = sorted(found, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, MASK)
        lowered = text.lower()
        for words, pattern, instead in _PATTERNS:
            if any(word in lowered for word in words):
                text = pattern.sub(instead, text)
        return text

    def deep(self, value: Any) -> Any:
        """A copy of a JSON-like value, with every string masked and every secret field emptied."""
        if isinstance(value, str):
            return self(value)
        if isinstance(value, bytes):
            return self(value.decode(errors="replace"))
        if isinstance(value, Mapping):
            return {
                key: MASK if str(key).lower() in _SECRET_FIELDS and item else self.deep(item)
                for key, item in value.items()
            }
        if isinstance(value, list | tuple | set | frozenset):
            return [self.deep(item) for item in value]
        return value


def secrets_of(settings: Settings) -> list[str]:
    """Every secret value of the settings, and the passwords and parts inside them."""
    found: list[str] = []
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if not isinstance(value, SecretStr):
            continue
        secret = value.get_secret_value()
        found.append(secret)
        if "://" in secret:
            found.append(urlsplit(secret).password or "")
        elif "," in secret:
            found += [part.strip() for part in secret.split(",")]
    return [secret for secret in found if secret]


# --- one event -> one line ---------------------------------------------------------------------


def _add_bound(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    for key, value in _bound.get().items():
        event.setdefault(key, value)
    return event


def _hide_fields(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    for key in event:
        if key in _SECRET_FIELDS and event[key]:
            event[key] = MASK
    return event


def _json(_: WrappedLogger, __: str, event: MutableMapping[str, Any]) -> str:
    return orjson.dumps(event, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()


def _console(_: WrappedLogger, __: str, event: MutableMapping[str, Any]) -> str:
    head = f"{event.pop('timestamp')} {event.pop('level'):<7} {_plain(event.pop('event'))}"
    exception = event.pop("exception", None)
    event.pop("logger", None)
    tail = "".join(f" {key}={_plain(value)}" for key, value in event.items())
    return f"{head}{tail}\n{exception}" if exception else f"{head}{tail}"


def _plain(value: object) -> str:
    # Others choose some of the values; a line break among them would forge a line of the log.
    text = str(value)
    return text if text.isprintable() else repr(text)[1:-1]


def _to_sentry(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    if event.get("level") in {"error", "critical"}:
        error = event.get("exc_info")
        if error is True:
            error = sys.exc_info()[1]
        elif isinstance(error, tuple):
            error = error[1]
        if isinstance(error, BaseException):
            sentry_sdk.capture_exception(error)
        else:
            sentry_sdk.capture_message(str(event.get("event")), level="error")
    return event


def _before(with_sentry: bool) -> list[Processor]:
    head: list[Processor] = [_add_bound, structlog.stdlib.add_log_level, _hide_fields]
    if with_sentry:
        head.append(_to_sentry)
    return [
        *head,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]


class _Foreign(logging.Handler):
    """Writes the standard library's records as events of ours."""

    def __init__(self, processors: list[Processor], write: Callable[[str], object]) -> None:
        super().__init__()
        self._processors = processors
        self._write = write

    def emit(self, record: logging.LogRecord) -> None:
        try:
            event: Any = {"event": record.getMessage(), "logger": record.name}
            if record.exc_info:
                event["exc_info"] = record.exc_info
            for processor in self._processors:
                event = processor(None, record.levelname.lower(), event)
            self._write(event)
        except Exception:  # noqa: BLE001 -- a handler of logging must never raise
            self.handleError(record)


class _Lines:
    """The end of the road: one masked line a call."""

    def __init__(self, stream: IO[str], mask: Mask) -> None:
        self._stream = stream
        self._mask = mask

    def write(self, line: str) -> None:
        self._stream.write(self._mask(line) + "\n")
        self._stream.flush()

    msg = debug = info = warning = error = exception = critical = fatal = warn = log = write


def configure(settings: Settings, *, stream: IO[str] | None = None, release: str = "") -> Mask:
    """Set the process's logging up. Standard error by default: standard output is for commands.

    Replaces what was set up before, so it can run again. Answers the mask, for other outputs.
    """
    mask = Mask(secrets_of(settings))
    lines = _Lines(stream or sys.stderr, mask)
    with_sentry = settings.sentry_dsn is not None
    if settings.sentry_dsn is not None:
        _start_sentry(settings.sentry_dsn.get_secret_value(), settings.environment, release, mask)
    render: Processor = _json if settings.log_format == "json" else _console
    processors = [*_before(with_sentry), render]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[settings.log_level.lower()]),
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers = [_Foreign(processors, lines.write)]
    root.setLevel(settings.log_level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "asyncpg", "pgqueuer", "aiohttp"):
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
        # The edge writes the access line itself; clients' debug lines show whole requests.
        logger.setLevel(logging.WARNING if name == "uvicorn.access" else settings.log_level)
    for name in ("httpx", "httpcore", "urllib3", "asyncio"):
        logging.getLogger(name).setLevel(max(logging.WARNING, _LEVELS[settings.log_level.lower()]))
    logging.captureWarnings(True)
    return mask


def _start_sentry(dsn: str, environment: str, release: str, mask: Mask) -> None:
    def before(event: Any, _: Any) -> Any:
        return mask.deep(event)

    sentry_sdk.init(
        dsn=dsn,
        environment=environment,
        release=release or None,
        include_local_variables=False,
        max_request_body_size="never",
        before_send=before,
        before_send_transaction=before,
        before_breadcrumb=before,
        default_integrations=False,
        traces_sample_rate=0.0,
    )
