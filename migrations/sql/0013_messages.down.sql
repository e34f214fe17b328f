DROP TABLE bot_drafts, bot_chats, bot_updates, news, support_messages, support_threads, broadcast_pumps,
    broadcast_recipients, broadcasts, notification_preferences, unreachable, deliveries;
ALTER TABLE users DROP COLUMN language_chosen;
