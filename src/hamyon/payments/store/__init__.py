"""The statements of payments, a file a table."""
