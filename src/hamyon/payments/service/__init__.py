"""The use cases of payments, a verb a file."""
