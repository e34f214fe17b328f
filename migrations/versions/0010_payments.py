from hamyon.kit.migrations.scripts import scripts

revision = "0010_payments"
down_revision = "0009_operations"
upgrade, downgrade = scripts(__file__)
