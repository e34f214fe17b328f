"""What can be refused about messages."""

from __future__ import annotations

from hamyon.kit.errors import HamyonError, NotFound


class BroadcastNotFound(NotFound):
    """There is no broadcast of this number."""

    code = "broadcast_not_found"


class InvalidBroadcast(HamyonError):
    """What an operator wrote makes no message; ``problem`` says why."""

    code = "invalid_broadcast"
    status = 422


class InvalidSegment(HamyonError):
    """Nobody knows who is meant; ``problem`` says why. It is never taken for everybody."""

    code = "invalid_segment"
    status = 422


class BroadcastClosed(HamyonError):
    """In its ``state`` a broadcast cannot do this."""

    code = "broadcast_closed"
    status = 409


class ChannelNotConnected(HamyonError):
    """No bot is set up that could send anything."""

    code = "channel_not_connected"
    status = 409


class PreviewImpossible(HamyonError):
    """Who asks is no person with a chat, but a service's key."""

    code = "preview_impossible"
    status = 409


class PreviewFailed(HamyonError):
    """The channel did not take the preview; ``problem`` is what it said."""

    code = "preview_failed"
    status = 409


class SupportThreadNotFound(NotFound):
    code = "support_thread_not_found"


class SupportThreadClosed(HamyonError):
    """A closed thread takes no answer; the person's next message opens another one."""

    code = "support_thread_closed"
    status = 409


class SupportTextTooLong(HamyonError):
    """More than ``limit`` characters."""

    code = "support_text_too_long"
    status = 422


class TooManySupportPhotos(HamyonError):
    """More than ``limit`` pictures with one message."""

    code = "too_many_support_photos"
    status = 422


class NewsNotFound(NotFound):
    code = "news_not_found"
