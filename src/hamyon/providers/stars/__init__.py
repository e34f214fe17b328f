"""Telegram Stars: invoices by link, refunds, and the bot's own statement of transactions."""
