"""Telegram: the Bot API as a bot uses it, and the people who talk to it and pay, on this machine.

Texts and rules are those of the Bot API server's own source (tdlib/telegram-bot-api) and of Bot
API 10.3. What only Telegram's closed backend decides is an assumption, and the code says so.
Not played: the limits on getUpdates and setWebhook in quick succession, the age at which updates
are thrown away that nobody polls, a webhook's end after a day of 410, links and commands that
Telegram finds in a text by itself, legacy Markdown, inline mode, channels, files by URL, and the
48 hours after which a message can no longer be edited.
"""
