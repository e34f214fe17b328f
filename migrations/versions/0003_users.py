from hamyon.kit.migrations.scripts import scripts

revision = "0003_users"
down_revision = "0002_queue"
upgrade, downgrade = scripts(__file__)
