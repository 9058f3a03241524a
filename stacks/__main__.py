"""The Pulumi program: load the manifests, admit the plan, build it."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor

import pulumi

from components.platform import Given, build, close
from runyard import contracts
from runyard.errors import RunyardError
from runyard.pulumi.export import Export
from runyard.secrets import flatten_certificates, flatten_secrets, with_manifests
from runyard.uptodate.reads import told_reads
from stacks import admission, binding, preparation
from stacks.ending import tell_ending
from stacks.outlook import tell_effects, tell_observability
from stacks.traces import drop_debug_lines, short_stack_traces, shorten_failures

stack = pulumi.get_stack()
config = pulumi.Config("runyard")
dry_run = pulumi.runtime.is_dry_run()
drop_debug_lines()
shorten_failures()
try:
    with Export(stack) as export:
        secrets = flatten_secrets(config.get_object("secrets") or {}, config.get_object("receiverSecrets") or {})
        certificates = flatten_certificates(config.get_object("certificates") or {})
        with told_reads(os.environ):
            admitted = admission.load_plan(admission.declared(stack, config), secrets, export)
        binding.check_plan(os.environ, admitted, export.read())
    preparation.prepare_host(admitted, dry_run=dry_run)
    tell_observability(admitted.plan.platform)
except RunyardError as error:
    tell_ending(os.environ, error)
    # Pulumi prints a RunError as it is, and anything else with a traceback.
    raise pulumi.RunError(str(error)) from None
given = Given(contracts.encode(admitted.claim), with_manifests(admitted.manifests, secrets), certificates)


async def declare() -> pulumi.Inputs:
    """Declare the plan and wait until Pulumi is through with it."""
    if dry_run:
        # One registration at a time, in the order of the plan, so that two previews of one change are the same text.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(max_workers=1))
    with short_stack_traces():
        built = build(admitted.plan, given)
    # An update says first what it will do; a preview last, below all that it shows.
    if not dry_run:
        tell_effects(admitted.deployment, built.facts)
    # Pulumi's own wait at a program's end looks at every output of every resource each time one of them comes:
    # with a hundred services, seconds of computing. What failed is raised there; here it only has to be over.
    with short_stack_traces():
        await close(built, admitted.plan, given)
    if dry_run:
        tell_effects(admitted.deployment, built.facts)
    return {"urls": built.urls}


pulumi.run(declare)
