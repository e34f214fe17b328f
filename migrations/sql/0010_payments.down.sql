DROP TABLE payment_mismatches, reconcile_items, reconcile_runs, refunds, payments, packages;
-- The ledger keeps its accounts: entries may name them.
