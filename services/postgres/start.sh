#!/bin/sh
# Make the database where there is none, as a backup has it if there is one, and become its server.
set -eu
directory=/var/lib/runyard/postgres
data="$directory/data"
dump="$directory/database.dump"

if [ ! -e "$data/PG_VERSION" ]; then
    # Whoever is killed half way begins anew: what is in place is whole.
    rm -rf "$directory/new"
    initdb --pgdata="$directory/new" --username=postgres --auth-local=peer --auth-host=reject \
        --encoding=UTF8 --locale=C.UTF-8 --data-checksums
    printf 'CREATE ROLE billing LOGIN;\n\nCREATE DATABASE billing OWNER billing;\n\n' |
        postgres --single -j -D "$directory/new" postgres
    if [ -e "$dump" ]; then
        # At a socket that nobody else has, so that the ledger finds all of it or no server.
        printf 'CREATE ROLE console LOGIN;\n\n' | postgres --single -j -D "$directory/new" postgres
        pg_ctl start --pgdata="$directory/new" --silent --wait --log=/dev/stderr \
            --options="-c unix_socket_directories=/tmp -c listen_addresses="
        pg_restore --host=/tmp --dbname=billing --single-transaction --exit-on-error "$dump"
        pg_ctl stop --pgdata="$directory/new" --silent --wait
    fi
    mv "$directory/new" "$data"
fi
# Of a backup that is done with, or was cut short: its reader has it by now, or never will.
rm -f "$dump" "$dump.draft"
# A server that was killed has left its number, and in another container that may be somebody else's.
rm -f "$data/postmaster.pid" "$directory/.s.PGSQL.5432" "$directory/.s.PGSQL.5432.lock"
# The console's own schema: it sees nothing of the ledger's, which has no schema of that name. In a database that was
# made before there was a console, too.
if [ ! -e "$data/console.made" ]; then
    printf '%s\n\n' "DO 'BEGIN IF to_regrole(''console'') IS NULL THEN CREATE ROLE console LOGIN; END IF; END';" \
        'CREATE SCHEMA IF NOT EXISTS console AUTHORIZATION console;' |
        postgres --single -j -D "$data" billing
    touch "$data/console.made"
fi
exec postgres -D "$data" -c config_file=/opt/runyard/postgresql.conf
