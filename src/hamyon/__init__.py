"""Hamyon: a Telegram-first backend for services paid in credits."""

__version__ = "0.1.0"
