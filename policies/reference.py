"""Reference of every rule, made from the rules themselves: docs/policies.md."""

from __future__ import annotations

import sys

from policies.handwritten import HANDWRITTEN_RULES
from policies.resource import RESOURCE_RULES
from policies.rules import RULES
from policies.stack import STACK_RULES
from policies.verdict import ERROR_RULE

_HEAD = """\
# Policies

Made by `python -m policies.reference`; do not edit.

Rules run twice: over the manifests, before Pulumi registers anything, and over Pulumi's resources, as the CrossGuard
pack in `policies/`. A *mandatory* finding refuses the change; an *advisory* one is shown. A rule that throws refuses
the change too.

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
    parts.append("\n## Rules of resources\n\nNone of these can be waived, nor can those of whole stacks.\n")
    for each in (*RESOURCE_RULES, *HANDWRITTEN_RULES):
        parts.append(f"\n### {each.id}\n\n{each.sentence} ({each.severity})\n\nFix: {each.fix}.\n")
    parts.append("\n## Rules of whole stacks\n\nPulumi asks these when a preview or an update ends.\n")
    for rule_ in STACK_RULES:
        parts.append(f"\n### {rule_.id}\n\n{rule_.sentence} (mandatory)\n\nFix: {rule_.fix}.\n")
    return "".join(parts)


if __name__ == "__main__":
    sys.stdout.write(render_reference())
