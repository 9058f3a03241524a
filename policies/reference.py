"""Reference of every rule, made from the rules themselves: docs/policies.md."""

from __future__ import annotations

import sys

from policies import document, exclusive
from policies.kind import KIND_FIX, KIND_RULE, KIND_SENTENCE
from policies.owner import OWNER_FIX, OWNER_RULE, OWNER_SENTENCE
from policies.resource_rules import RESOURCE_RULES
from policies.rules import RULES
from policies.stack import READABLE_FIX, READABLE_RULE, UNKNOWN_FIX, UNKNOWN_RULE
from policies.verdict import ERROR_RULE

_HEAD = """\
# Policies

Made by `python -m policies.reference`; do not edit.

Rules run twice: over the manifests and their plan, before anything registers, and over each resource as it registers,
before it is made. Reviews and the program ask the rules of manifests, and the pack in `policies/` asks all of them, in
every preview and update with `--policy-pack policies`. A *mandatory* finding refuses the change; an *advisory* one is
shown. A rule that throws refuses the change too, as do manifests that cannot be read and a pack that does not start.

*Production* rules hold in stacks with `prod`, `production`, `prd` or `live` as a word of their name, in whatever case:
`prod`, `eu-prod`, `Production`, `prod1`, `shopProd`, and `pre-prod` too. Any other name is development's, one that
nobody foresaw too: give a stack that serves customers one of these words.

A service sets a rule that it breaks aside until a day, that day included, with an annotation; reports list it, and
after that day it counts no longer. A waiver of a rule that *cannot be waived* refuses the change:

```yaml
metadata:
  annotations:
    runyard.dev/waive: image-tagged until 2027-01-31 because the vendor has no tags
```

Quotas, budget and registries are of the Tenant that a service's `namespace` names. As soon as one Tenant is declared,
every other namespace must be declared too, in every stack. Only `default`, where services without a namespace are, may
go without: nothing bounds it then, until a Tenant named `default` does.
"""

_RESOURCES = """
## Rules of resources

None of these can be waived. The platform's gateway and orchestrator are excepted where they must be: by role, name and
image together, as this checkout builds it.

What is written by hand is held to the rules of manifests too. A Service resource that is not what the manifests make is
read back into a manifest and judged as one; a container counts to the host, and with the label `runyard.dev/tenant` to
that tenant's quotas: [quota-kept](#quota-kept) and [host-large-enough](#host-large-enough) are asked again with each.

A program of another project names the pack's place in its own Pulumi.yaml, with an absolute path:

```yaml
plugins:
  analyzers:
    - name: policy-runyard
      path: /home/me/runyard/policies
```
"""
_OTHERS = (
    (KIND_RULE, f"{KIND_SENTENCE} (mandatory)", KIND_FIX),
    (OWNER_RULE, f"{OWNER_SENTENCE} (mandatory)", OWNER_FIX),
    (
        READABLE_RULE,
        "A Service holds a document, a rollout and a route of its own. (mandatory)",
        READABLE_FIX,
    ),
    (
        UNKNOWN_RULE,
        "A preview cannot ask a rule about a value that only the update will know. (advisory, in an update mandatory)",
        UNKNOWN_FIX,
    ),
)


def render_reference() -> str:
    """Render the whole reference as Markdown."""
    parts = [_HEAD, "\n## Rules of manifests\n"]
    for rule in RULES:
        words: list[str] = [rule.severity]
        words += ["production only"] if rule.production_only else []
        words += [] if rule.waivable else ["cannot be waived"]
        parts.append(f"\n### {rule.id}\n\n{rule.sentence} ({', '.join(words)})\n\nFix: {rule.fix}.\n")
    parts.append(
        f"\n### {ERROR_RULE}\n\nA rule could not be asked, so the change is refused. (mandatory, cannot be waived)\n"
    )
    parts.append(_RESOURCES)
    for each in RESOURCE_RULES:
        parts.append(f"\n### {each.id}\n\n{each.sentence} ({each.severity})\n\nFix: {each.fix}.\n")
    for one in (*exclusive.RULES, *document.RULES):
        parts.append(f"\n### {one.id}\n\n{one.sentence} (mandatory)\n\nFix: {one.fix}.\n")
    for rule_, sentence, fix in _OTHERS:
        parts.append(f"\n### {rule_}\n\n{sentence}\n\nFix: {fix}.\n")
    return "".join(parts)


if __name__ == "__main__":
    sys.stdout.write(render_reference())
