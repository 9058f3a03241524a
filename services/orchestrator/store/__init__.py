"""Store: what is kept on disk, each fact in files of its own."""
