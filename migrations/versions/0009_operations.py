from hamyon.kit.migrations.scripts import scripts

revision = "0009_operations"
down_revision = "0008_images"
upgrade, downgrade = scripts(__file__)
