"""The CrossGuard pack: the rules of resources, handed to Pulumi."""

from policies.pack import make_pack

make_pack()
