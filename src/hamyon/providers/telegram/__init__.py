"""Telegram's Bot API, as every part of ours that speaks with Telegram calls it."""
