"""Building the embedded R = 100 opacity table from sources that pip can fetch."""
