#!/bin/bash
# Joins its input and output to Prometheus' port, so that whoever may execute a command here can ask it from elsewhere.
# Bash, whose /dev/tcp spares the image a program; a job of its own for each direction, as the first end is the other's.
set -eu
exec 3<>"/dev/tcp/${RUNYARD_HTTP_ADDRESS%:*}/${RUNYARD_HTTP_ADDRESS##*:}"
cat <&0 >&3 &
cat <&3 &
wait -n || true
kill $(jobs -p) 2>/dev/null || true
