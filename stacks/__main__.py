"""The Pulumi program: load the manifests, admit the plan, build it."""

import pulumi

from components.platform import build
from runyard.secrets import flatten_secrets
from stacks import admission

stack = pulumi.get_stack()
config = pulumi.Config("runyard")
secrets = flatten_secrets(config.get_object("secrets") or {})
plan = admission.load_plan(stack, config.require("manifests"), secrets)
admission.prepare_host(plan, dry_run=pulumi.runtime.is_dry_run())
pulumi.export("urls", build(plan, secrets))
