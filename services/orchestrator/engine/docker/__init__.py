"""Docker: the engine behind the seam; Docker's JSON is read and written here and nowhere else."""
