"""Services that the platform itself runs, one folder each."""
