from hamyon.kit.migrations.scripts import scripts

revision = "0008_images"
down_revision = "0007_rewards"
upgrade, downgrade = scripts(__file__)
