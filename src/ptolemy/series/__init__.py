"""Time series as a whole: batches of values on their way in, one series as a stream on its way out."""
