from hamyon.kit.migrations.scripts import scripts

revision = "0004_ledger"
down_revision = "0003_users"
upgrade, downgrade = scripts(__file__)
