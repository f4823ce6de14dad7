#!/usr/bin/env bash
# WebHDFS by hand: both ways of the two steps, ranges, errors.
set -euo pipefail
web=$2/webhdfs/v1 root=$3 file=$4
user=$HADOOP_USER_NAME
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
get() { curl -sSf -L "$web$1&user.name=$user"; }
status() { curl -sS -o "$work/body" -w '%{http_code}' "$@"; }
location() { sed -n 's/.*"Location":"\([^"]*\)".*/\1/p' | sed 's#\\/#/#g'; }

curl -sSf -X PUT "$web$root/dir?op=MKDIRS&user.name=$user" | grep '"boolean":true' >/dev/null
# Follows the redirect with the body.
curl -sSf -L -X PUT -T "$file" "$web$root/kept?op=CREATE&blocksize=1048576&replication=3&user.name=$user"
[[ $(get "$root/kept?op=OPEN" | sha256sum) == "$(sha256sum <"$file")" ]]
get "$root/kept?op=OPEN&offset=1048000&length=2000" | cmp - <(tail -c +1048001 "$file" | head -c 2000)
get "$root/kept?op=GETFILESTATUS" >"$work/status"
grep -q "\"length\":$(stat -c %s "$file")" "$work/status" && grep -q '"replication":3' "$work/status"
grep -q '"blockSize":1048576' "$work/status"
get "$root/kept?op=GETFILECHECKSUM" | grep '"algorithm":"MD5-of-' >/dev/null

# The two steps apart: a redirect without a body, then the data where it says; by the header, and by the answer of noredirect.
place=$(curl -sS -i -X PUT "$web$root/dir/small?op=CREATE&user.name=$user" | tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
[[ $(status -X PUT --data-binary 'one ' "$place") == 201 ]]
place=$(curl -sSf -X POST "$web$root/dir/small?op=APPEND&noredirect=true&user.name=$user" | location)
[[ $(status -X POST --data-binary 'two' "$place") == 200 ]]
place=$(curl -sSf "$web$root/dir/small?op=OPEN&noredirect=true&user.name=$user" | location)
[[ $(curl -sSf "$place") == 'one two' ]]
# In chunks, as what curl reads from a pipe is sent.
place=$(curl -sSf -X PUT "$web$root/dir/sn%C3%B6%20%E2%98%83?op=CREATE&noredirect=true&user.name=$user" | location)
[[ $(printf 'snow' | status -X PUT -T - "$place") == 201 ]]
[[ $(get "$root/dir/sn%C3%B6%20%E2%98%83?op=OPEN") == snow ]]
[[ $(get "$root/dir?op=LISTSTATUS" | grep -o '"pathSuffix":"[^"]*"' | tr '\n' ' ') == '"pathSuffix":"small" "pathSuffix":"snö ☃" ' ]]
[[ $(status -L -X PUT -T "$file" "$web$root/dir/small?op=CREATE&user.name=$user") == 403 ]]
grep -q '"exception":"FileAlreadyExistsException"' "$work/body"
curl -sSf -L -X PUT --data-binary 'over' "$web$root/dir/small?op=CREATE&overwrite=true&user.name=$user"
[[ $(get "$root/dir/small?op=OPEN") == over ]]

get "$root?op=GETCONTENTSUMMARY" | grep '"fileCount":3' >/dev/null
curl -sSf -X PUT "$web$root/dir/small?op=RENAME&destination=$root/dir/moved&user.name=$user" | grep '"boolean":true' >/dev/null
curl -sSf -X PUT "$web$root/dir/moved?op=SETPERMISSION&permission=600&user.name=$user"
get "$root/dir/moved?op=GETFILESTATUS" | grep '"permission":"600"' >/dev/null
[[ $(status "$web$root/dir/small?op=GETFILESTATUS&user.name=$user") == 404 ]]
grep -q '"exception":"FileNotFoundException"' "$work/body"
[[ $(status -L "$web$root/dir/moved?op=OPEN&user.name=somebody-else") == 403 ]]
grep -q '"exception":"AccessControlException"' "$work/body"
[[ $(status -L "$web$root/kept?op=OPEN&offset=99999999999&user.name=$user") == 403 ]]
[[ $(status "$web$root?op=NONSENSE&user.name=$user") == 400 ]]
grep -q '"RemoteException"' "$work/body"
curl -sSf -X DELETE "$web$root/dir?op=DELETE&recursive=true&user.name=$user" | grep '"boolean":true' >/dev/null
curl -sSf -X DELETE "$web$root/dir?op=DELETE&recursive=true&user.name=$user" | grep '"boolean":false' >/dev/null
