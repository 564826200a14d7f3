"""What lowtide costs, measured: ``make bench`` prints the table."""
