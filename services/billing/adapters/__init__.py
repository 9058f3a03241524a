"""Adapters: the database and the meter, behind functions that speak of the domain."""
