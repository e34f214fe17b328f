"""Pictures in the chat: from a wish through its panel to an order, its status and its result."""
