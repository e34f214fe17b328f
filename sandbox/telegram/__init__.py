"""Telegram: the Bot API's updates, webhooks and Stars, and the people who pay, all on this machine.

Texts and rules are those of the Bot API server's own source (tdlib/telegram-bot-api) and of Bot
API 10.3. What only Telegram's closed backend decides is an assumption, and the code says so.
Not played: the limits on getUpdates and setWebhook in quick succession, and the age at which
updates are thrown away that nobody polls.
"""
