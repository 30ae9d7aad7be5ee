"""Real market data through the whole product, by HTTP as a user would: loaded, backed up, restored and compared."""
