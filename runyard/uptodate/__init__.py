"""Up to date: whether an update would find everything as the last one left it, told without asking Pulumi.

It runs before everything else in `make up`, so it imports the standard library, the engine's transport and little more.
"""
