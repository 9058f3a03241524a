#!/bin/sh
# Prepares what nginx needs and becomes nginx. Root here has neither CAP_CHOWN nor CAP_DAC_OVERRIDE, so nothing
# changes its owner: what the workers own is made as the workers' user.
set -eu

directory=${1:-/var/lib/runyard/gateway}
temporary=${2:-/tmp/gateway}
user=www-data
uid=$(id -u "$user")
gid=$(id -g "$user")

# The engine takes no files into a container whose root is read-only, so the configuration comes as a variable. It
# is written beside and renamed, so that a container killed here starts again from a whole file.
if [ -n "${RUNYARD_NGINX_CONF:-}" ]; then
    printf '%s' "$RUNYARD_NGINX_CONF" >"$directory/nginx.conf.new"
    mv "$directory/nginx.conf.new" "$directory/nginx.conf"
    unset RUNYARD_NGINX_CONF
fi

# A killed nginx leaves its socket behind, and a new one cannot bind to it.
rm -f "$directory/admin.sock"

# The workers write the snapshot here. The owner may give a file to a group that it is in, without CAP_CHOWN.
mkdir -p "$directory/state"
setpriv --groups "$gid" chgrp "$gid" "$directory/state"
chmod 0770 "$directory/state"

# nginx would make these and change their owner; it leaves alone what has the right one already.
mkdir -p "$temporary"
chmod 1777 "$temporary"
for part in body proxy fastcgi uwsgi scgi; do
    [ -d "$temporary/$part" ] || setpriv --reuid "$uid" --regid "$gid" --clear-groups mkdir -m 0700 "$temporary/$part"
done

exec nginx -c "$directory/nginx.conf"
