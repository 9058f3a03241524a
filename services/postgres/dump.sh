#!/bin/sh
# Write the database to a file that its next first start reads; the directory is mounted in parts that must not read it.
set -eu
umask 077
file=/var/lib/runyard/postgres/database.dump
pg_dump --host=/var/lib/runyard/postgres --format=custom --file="$file.draft" billing
mv "$file.draft" "$file"
