"""What lowtide costs, measured and printed."""
