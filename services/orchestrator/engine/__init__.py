"""Engine: the seam to whatever runs containers; nothing above it knows how an engine describes them."""
