from hamyon.kit.migrations.scripts import scripts

revision = "0011_rewards"
down_revision = "0010_payments"
upgrade, downgrade = scripts(__file__)
