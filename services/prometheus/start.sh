#!/bin/sh
# Becomes Prometheus with what its container is told: a changed setting is another container, on the same volume.
set -eu
printf '%s' "$RUNYARD_CONFIGURATION" > /tmp/prometheus.yml
printf '%s' "$RUNYARD_RULES" > /tmp/rules.yml
printf '%s' "$RUNYARD_ALERTS" > /tmp/alerts.yml
exec prometheus \
    --config.file=/tmp/prometheus.yml \
    --storage.tsdb.path=/var/lib/runyard/prometheus \
    --storage.tsdb.retention.time="$RUNYARD_RETENTION" \
    --storage.tsdb.retention.size=2GB \
    --web.listen-address="$RUNYARD_HTTP_ADDRESS" \
    --query.max-concurrency=8 \
    --log.level=warn
