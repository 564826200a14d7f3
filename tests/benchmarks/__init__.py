"""What lowtide costs and reaches, measured: ``make bench`` prints the table."""
