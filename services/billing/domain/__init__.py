"""Domain: what usage comes to, and what is written about it; pure."""
