from hamyon.kit.migrations.scripts import scripts

revision = "0002_queue"
down_revision = "0001_foundation"
upgrade, downgrade = scripts(__file__)
