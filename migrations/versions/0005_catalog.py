from hamyon.kit.migrations.scripts import scripts

revision = "0005_catalog"
down_revision = "0004_ledger"
upgrade, downgrade = scripts(__file__)
