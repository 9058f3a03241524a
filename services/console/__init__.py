"""Console: what members of tenants see of what is theirs, behind a sign-in of its own, over HTTP and as a page."""
