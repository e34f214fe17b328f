from hamyon.kit.migrations.scripts import scripts

revision = "0012_drawings"
down_revision = "0011_rewards"
upgrade, downgrade = scripts(__file__)
