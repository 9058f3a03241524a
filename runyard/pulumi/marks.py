"""Marks of Pulumi: how its wire format and its states tell what is more than a plain value.

They are fixed in pulumi/pulumi, sdk/go/common/resource/sig and sdk/go/common/resource/plugin/rpc.go.
"""

# The key of an object that is no plain one, and its value where the object is a secret.
SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a mark, no secret
# Stands for a text that is not known yet.
UNKNOWN_TEXT = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

# Ours: names the file of the plan that an update is to hold to. A variable, as Pulumi would keep a stack's setting.
PLAN_VARIABLE = "RUNYARD_PLAN"
