"""Purchases, the inbox of gateways' events, refunds, debts, reconciliation."""
