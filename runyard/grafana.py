"""Grafana's files: our dashboards as its JSON, and what provisions them and the data source in a Grafana of the user's.

They are made of the types of Grafana's Foundation SDK; nothing of Grafana itself is here or runs here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import yaml
from grafana_foundation_sdk.builders import common, dashboard, prometheus, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.common import DataSourceRef, StackingMode

from runyard.dashboards import INTERVAL_S, Dashboard, Panel, Query, Unit

# Where the data source and the dashboards are among a Grafana's own.
_SOURCE = DataSourceRef(type_val="prometheus", uid="runyard")
_FOLDER = "Runyard"
# Where a Grafana finds the dashboards, as docs/guides/grafana.md mounts them.
DASHBOARDS_MOUNT = "/var/lib/grafana/dashboards"
# A series that every revision has, so that its labels are those to choose from.
_LISTED = "runyard_revision_desired_instances"
# Services come and go while somebody looks.
_ALWAYS = models.VariableRefresh.ON_TIME_RANGE_CHANGED
# A revision that there was not a minute ago.
_DEPLOYED = f"{_LISTED}{{$scope}} unless {_LISTED}{{$scope}} offset 1m"
# Of a row's 24 columns, and as high as Grafana makes panels itself.
_WIDTH, _HEIGHT = 12, 8
_UNITS: Mapping[Unit, str] = {
    "requests/s": units.RequestsPerSecond,
    "requests": units.Short,
    "ratio": units.PercentUnit,
    "s": units.Seconds,
    "instances": units.Short,
    "cores": units.Short,
    "bytes": units.BytesIEC,
    "bytes/s": units.BytesPerSecondIEC,
    "count": units.Short,
    "money": units.Short,
}


def render_files(dashboards: Iterable[Dashboard], url: str) -> dict[str, str]:
    """Render all files by their paths below one directory; Grafana reaches Prometheus at `url`."""
    source = {
        "name": "Runyard",
        "type": _SOURCE.type_val,
        "uid": _SOURCE.uid,
        "url": url,
        "access": "proxy",
        "jsonData": {"timeInterval": f"{INTERVAL_S}s"},
    }
    provider = {"name": "runyard", "folder": _FOLDER, "type": "file", "options": {"path": DASHBOARDS_MOUNT}}
    return {
        "provisioning/datasources/runyard.yaml": _yaml({"apiVersion": 1, "datasources": [source]}),
        "provisioning/dashboards/runyard.yaml": _yaml({"apiVersion": 1, "providers": [provider]}),
        **{f"dashboards/runyard-{each.id}.json": render_dashboard(each) for each in dashboards},
    }


def render_dashboard(found: Dashboard) -> str:
    """Render a dashboard as Grafana's JSON; each label of its scope is a variable to choose."""
    made = (
        dashboard.Dashboard(f"Runyard: {found.title}")
        .uid(f"runyard-{found.id}")
        .tags(["runyard"])
        .time("now-30m", "now")
        .refresh(f"{INTERVAL_S}s")
        .readonly()
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
    )
    chosen: dict[str, str] = {}
    for label in found.scope:
        # Those of what was chosen before: a tenant's services.
        listed = Query(f"label_values({_LISTED}{{$scope}}, {label})", label).ask(chosen)
        made.with_variable(dashboard.QueryVariable(label).query(listed).datasource(_SOURCE).refresh(_ALWAYS))
        chosen[label] = f"${label}"
    if "service" in found.scope:
        made.annotation(_deploys(chosen))
    for panel in found.panels:
        made.with_panel(_panel(panel, chosen))
    return JSONEncoder(sort_keys=True, indent=2).encode(made.build()) + "\n"


def _panel(panel: Panel, labels: Mapping[str, str]) -> timeseries.Panel:
    made = (
        timeseries.Panel()
        .title(panel.title)
        .description(panel.about)
        .unit(_UNITS[panel.unit])
        .datasource(_SOURCE)
        .span(_WIDTH)
        .height(_HEIGHT)
        .legend(common.VizLegendOptions().show_legend(True))
    )
    if panel.unit != "s":
        # A certificate may have ended; there is less than nothing of no other thing.
        made.min(0)
    if panel.kind == "stack":
        made.stacking(common.StackingConfig().mode(StackingMode.NORMAL)).fill_opacity(30)
    for at, query in enumerate(panel.queries):
        legend = query.legend.replace("{", "{{").replace("}", "}}")
        target = prometheus.Dataquery().expr(query.ask(labels)).legend_format(legend).ref_id(chr(ord("A") + at))
        made.with_target(target.datasource(_SOURCE))
    return made


def _deploys(labels: Mapping[str, str]) -> dashboard.AnnotationQuery:
    """Mark the moments at which a service has a new revision."""
    return (
        dashboard.AnnotationQuery()
        .name("Revisions")
        .datasource(_SOURCE)
        .enable(True)
        .icon_color("blue")
        .expr(Query(_DEPLOYED, "{revision}").ask(labels))
        .title_format("{{revision}}")
    )


def _yaml(document: object) -> str:
    return yaml.safe_dump(document, sort_keys=False)
