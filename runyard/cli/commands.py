"""Commands of the program: each by its name, where it is, and what it does in a line."""

from __future__ import annotations

# Name of a command -> "module:function" of a click command, and the line that `runyard --help` shows for it.
COMMANDS: dict[str, tuple[str, str]] = {
    "backup": ("runyard.cli.backup:backup", "Write everything that makes a stack to one file, while it runs."),
    "budget": ("runyard.cli.budget:budget", "Show what tenants have spent of their budgets, and what that does."),
    "cost": ("runyard.cli.cost:cost", "Show what manifests cost in a month, by service and tenant."),
    "completion": ("runyard.cli.completion:completion", "Write what makes a shell complete commands and options."),
    "console": ("runyard.cli.console:console", "Say who may sign in to the console."),
    "dash": ("runyard.cli.dash:dash", "Show what a service or the platform does, live in a terminal."),
    "doctor": ("runyard.cli.doctor:doctor", "Say what host and checkout lack for a stack, and what mends it."),
    "down": ("runyard.cli.update:down", "Take a stack away, and all that carries its label."),
    "drain": ("runyard.cli.drain:drain", "Take instances from the traffic at once, and replace them."),
    "exec": ("runyard.cli.exec:execute", "Run a program in an instance of a service."),
    "init": ("runyard.cli.init:init", "Write a repository that deploys."),
    "invoice": ("runyard.cli.invoice:invoice", "Show, issue and verify what a tenant pays for a month."),
    "load": ("runyard.cli.load:load", "Send load to services, hold it to thresholds, and compare two runs."),
    "logs": ("runyard.cli.logs:logs", "Show what the instances of a service write, and go on with -f."),
    "pause": ("runyard.cli.pause:pause", "Keep a service's requests from its instances for a while."),
    "preview": ("runyard.cli.update:preview", "Show what an update would change, changing nothing."),
    "ps": ("runyard.cli.ps:ps", "List the instances of a live stack: their states, and where they are."),
    "release": ("runyard.cli.release:release", "Give back what a stack has claimed of its host and does not use."),
    "review": ("runyard.cli.review:review", "Compare two sides of manifests: changes, policies, quotas and cost."),
    "purge": ("runyard.cli.purge:purge", "Forget what the gateway's cache keeps of a service."),
    "resume": ("runyard.cli.pause:resume", "Send a paused service's requests on again."),
    "restore": ("runyard.cli.backup:restore", "Put back what `backup` wrote, where nothing of the stack is left."),
    "rollback": ("runyard.cli.rollback:rollback", "Move a service's traffic back to an earlier revision."),
    "restart": ("runyard.cli.restart:restart", "Replace a service's instances, one after the other."),
    "revisions": ("runyard.cli.revisions:revisions", "List what is kept of a service, and its traffic and instances."),
    "run": ("runyard.cli.run:run", "Run a command once, as an instance of a service: a migration."),
    "scale": ("runyard.cli.scale:scale", "Have a number of instances of a service for a while."),
    "secret": ("runyard.cli.secret:secret", "Set, import, list and remove the values of a stack's secrets."),
    "simulate": ("runyard.cli.simulate:simulate", "Show how manifests scale under a trace, and what that costs."),
    "status": ("runyard.cli.status:status", "Show what runs: services, traffic, revisions and why they failed."),
    "trust": ("runyard.cli.trust:trust", "Trust the local CA of a stack, so that its https:// addresses work."),
    "up": ("runyard.cli.update:up", "Run the manifests: make what changes, and move to it when it is ready."),
    "validate": ("runyard.cli.validate:validate", "Check manifests; needs neither Docker nor Pulumi."),
    "verify": ("runyard.cli.verify:verify", "Prove that what runs is what was asked for, or advise on its host."),
    "why": ("runyard.cli.why:why", "Say why a service has as many instances as it has."),
}

# What other tools call the same.
ALIASES = {"apply": "up", "deploy": "up", "plan": "preview", "diff": "preview", "destroy": "down"}
