#!/bin/sh
# The gateway's commands; without one it becomes nginx. Root here has neither CAP_CHOWN nor CAP_DAC_OVERRIDE, so
# nothing changes its owner: what the workers own is made as the workers' user.
#
#   configure                test the configuration in $RUNYARD_NGINX_CONF and, if nginx takes it, put it in place
#   confirm DIGEST SECONDS   wait until the gateway serves the configuration with this digest
#   purge JSON               forget what the cache keeps of a service or path
#   restore                  put the configuration before the last one back
set -eu

directory=${RUNYARD_DIRECTORY:-/var/lib/runyard/gateway}
temporary=${RUNYARD_TEMPORARY:-/tmp/gateway}
# One for each image: nginx.conf calls functions of the image's Lua.
configuration=$directory/${RUNYARD_CONFIGURATION:?names the configuration of this image}
user=${RUNYARD_USER:-www-data}
uid=$(id -u "$user")
gid=$(id -g "$user")

prepare() {
    # The workers write the snapshot here. The owner may give a file to a group that it is in, without CAP_CHOWN.
    mkdir -p "$directory/state"
    setpriv --groups "$gid" chgrp "$gid" "$directory/state"
    chmod 0770 "$directory/state"

    # nginx would make these and change their owner; it leaves alone what has the right one already.
    # The cache's is memory of its own, but for the container that only tests a configuration.
    mkdir -p "$temporary/cache"
    chmod 1777 "$temporary" "$temporary/cache"
    for part in body proxy fastcgi uwsgi scgi cache/kept; do
        [ -d "$temporary/$part" ] ||
            setpriv --reuid "$uid" --regid "$gid" --clear-groups mkdir -m 0700 "$temporary/$part"
    done
}

# Written beside, flushed and renamed: whoever is killed here leaves the old file or the new one, never half of it.
configure() {
    prepare
    printf '%s' "$RUNYARD_NGINX_CONF" >"$configuration.new"
    nginx -t -q -c "$configuration.new"
    sync "$configuration.new"
    [ ! -f "$configuration" ] || ln -f "$configuration" "$configuration.before"
    mv "$configuration.new" "$configuration"
}

restore() {
    mv "$configuration.before" "$configuration"
}

# perl is in every Debian image; curl would bring fifteen packages into a container that faces the network.
ask() {
    # shellcheck disable=SC2016 # perl's variables, not the shell's
    perl -MIO::Socket::UNIX -e '
        my ($path, $request, $body) = @ARGV;
        my $socket = IO::Socket::UNIX->new(Peer => $path, Timeout => 2) or exit 1;
        print $socket "$request HTTP/1.0\r\nContent-Length: ", length($body), "\r\n\r\n$body";
        print <$socket>;' "$directory/admin.sock" "$1" "${2:-}"
}

# Prints the gateway's answer; whether it was a good one is in its first line.
purge() {
    ask "POST /v1/purge" "$1"
}

confirm() {
    for _ in $(seq "$(($2 * 10))"); do
        if ask "GET /healthz" | grep -q "\"configuration\":\"$1\""; then
            return 0
        fi
        sleep 0.1
    done
    echo "the gateway does not serve the configuration $1" >&2
    return 1
}

serve() {
    if [ ! -f "$configuration" ]; then
        echo "no configuration in $configuration: pulumi refresh, then up, delivers it again" >&2
        return 1
    fi
    # A killed nginx leaves its socket behind, and a new one cannot bind to it.
    rm -f "$directory/admin.sock"
    prepare
    # nginx writes whole request lines into its error log, and a query may hold secrets. What keeps nginx from starting
    # is told before the filter is between, because its last lines go with the container.
    nginx -t -q -c "$configuration"
    rm -f "$directory/admin.sock" "$temporary/errors"
    mkfifo "$temporary/errors"
    sed -u '/, client: /s/?[^" ]*/?/g' <"$temporary/errors" >&2 &
    exec nginx -c "$configuration" 2>"$temporary/errors"
}

command=${1:-serve}
[ $# -eq 0 ] || shift
"$command" "$@"
