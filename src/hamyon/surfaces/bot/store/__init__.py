"""The bot's own statements: updates that were taken, what a chat is about, drafts of pictures."""
