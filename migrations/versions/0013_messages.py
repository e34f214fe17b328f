from hamyon.kit.migrations.scripts import scripts

revision = "0013_messages"
down_revision = "0012_drawings"
upgrade, downgrade = scripts(__file__)
