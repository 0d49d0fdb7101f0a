"""Building the data the package ships with; never imported by the package itself."""
