"""The statements of rewards, a room for each kind."""
