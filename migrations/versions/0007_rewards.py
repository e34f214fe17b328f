from hamyon.kit.migrations.scripts import scripts

revision = "0007_rewards"
down_revision = "0006_orders"
upgrade, downgrade = scripts(__file__)
