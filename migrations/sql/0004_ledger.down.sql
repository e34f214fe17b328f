DROP FUNCTION ledger_reverse, ledger_claw_back, ledger_post, ledger_capture, ledger_open_hold,
    ledger_apply, ledger_pay_debt, ledger_write, ledger_check_amount, ledger_lock, ledger_account;
DROP VIEW transfer_totals, hold_outcomes;
DROP TABLE holds, ledger_entries, transfers, accounts, assets;
DROP FUNCTION ledger_check_balanced, ledger_forbid;
