DROP TABLE prices, models, providers;
