from hamyon.kit.migrations.scripts import scripts

revision = "0001_foundation"
down_revision = None
upgrade, downgrade = scripts(__file__)
