"""The Pulumi program: load the manifests, admit the plan, build it."""

import pulumi

from components.platform import build
from runyard.errors import RunyardError
from runyard.secrets import flatten_secrets
from stacks import admission

stack = pulumi.get_stack()
config = pulumi.Config("runyard")
try:
    secrets = flatten_secrets(config.get_object("secrets") or {})
    plan = admission.load_plan(stack, config.require("manifests"), secrets)
    admission.prepare_host(plan, dry_run=pulumi.runtime.is_dry_run())
except RunyardError as error:
    # Pulumi prints a RunError as it is, and anything else with a traceback.
    raise pulumi.RunError(str(error)) from None
pulumi.export("urls", build(plan, secrets))
