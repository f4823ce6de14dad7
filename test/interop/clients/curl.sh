#!/usr/bin/env bash
# WebHDFS by hand: both ways of the two steps, ranges, errors.
set -euo pipefail
web=$2/webhdfs/v1 root=$3 file=$4
user=${HADOOP_USER_NAME:-$(id -un)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
get() { curl -sSf -L "$web$1&user.name=$user"; }
status() { curl -sS -o "$work/body" -w '%{http_code}' "$@"; }

curl -sSf -X PUT "$web$root/dir?op=MKDIRS&user.name=$user" | grep -q '"boolean":true'
# Follows the redirect with the body.
curl -sSf -L -X PUT -T "$file" "$web$root/kept?op=CREATE&blocksize=1048576&replication=3&user.name=$user"
get "$root/kept?op=OPEN" | cmp - "$file"
get "$root/kept?op=OPEN&offset=1048000&length=2000" | cmp - <(tail -c +1048001 "$file" | head -c 2000)
get "$root/kept?op=GETFILESTATUS" | grep -q "\"length\":$(stat -c %s "$file")"
get "$root/kept?op=GETFILECHECKSUM" | grep -q '"algorithm":"MD5-of-'
# Asks for the place first, sends the body there.
place=$(curl -sSf -X PUT "$web$root/dir/small?op=CREATE&noredirect=true&user.name=$user" | sed -n 's/.*"Location":"\([^"]*\)".*/\1/p' | sed 's#\\/#/#g')
[[ $(status -X PUT --data-binary 'one ' "$place") == 201 ]]
place=$(curl -sSf -X POST "$web$root/dir/small?op=APPEND&noredirect=true&user.name=$user" | sed -n 's/.*"Location":"\([^"]*\)".*/\1/p' | sed 's#\\/#/#g')
[[ $(status -X POST --data-binary 'two' "$place") == 200 ]]
[[ $(get "$root/dir/small?op=OPEN") == 'one two' ]]
get "$root?op=LISTSTATUS" | grep -q '"pathSuffix":"kept"'
get "$root?op=GETCONTENTSUMMARY" | grep -q '"fileCount":2'
curl -sSf -X PUT "$web$root/dir/small?op=RENAME&destination=$root/dir/moved&user.name=$user" | grep -q '"boolean":true'
[[ $(status "$web$root/dir/small?op=GETFILESTATUS&user.name=$user") == 404 ]]
grep -q '"exception":"FileNotFoundException"' "$work/body"
[[ $(status -X PUT "$web$root/kept?op=MKDIRS&user.name=$user") == 403 ]]
grep -q '"RemoteException"' "$work/body"
[[ $(status "$web$root?op=NONSENSE&user.name=$user") == 400 ]]
curl -sSf -X DELETE "$web$root/dir?op=DELETE&recursive=true&user.name=$user" | grep -q '"boolean":true'
