"""Examples and targets from files and arrays: read, checked, scaled."""
