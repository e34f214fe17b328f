from hamyon.kit.migrations.scripts import scripts

revision = "0006_orders"
down_revision = "0005_catalog"
upgrade, downgrade = scripts(__file__)
