#!/usr/bin/env bash
# rclone's hdfs backend (the same Go library): copy, check by content, sync, move, purge.
set -euo pipefail
root=$3 file=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
: >"$work/none.conf"
rc() { rclone --config "$work/none.conf" --hdfs-namenode "$namenode" --hdfs-username "$HADOOP_USER_NAME" "$@"; }
namenode=${1#hdfs://}
mkdir -p "$work/in/deep/er"
cp "$file" "$work/in/big"
printf 'short' >"$work/in/deep/er/short"
printf 'snow' >"$work/in/deep/snö ☃"
rc copy "$work/in" ":hdfs:$root/tree"
rc check --download "$work/in" ":hdfs:$root/tree"
[[ $(rc lsf -R ":hdfs:$root/tree" | wc -l) == 5 ]]
rc cat --offset 1000000 --count 5000 ":hdfs:$root/tree/big" | cmp - <(tail -c +1000001 "$file" | head -c 5000)
printf 'changed' >"$work/in/deep/er/short"
rm "$work/in/deep/snö ☃"
rc sync "$work/in" ":hdfs:$root/tree"
rc copy ":hdfs:$root/tree" "$work/out"
diff -r "$work/in" "$work/out"
[[ $(sha256sum <"$work/out/big") == "$(sha256sum <"$file")" ]]
rc moveto ":hdfs:$root/tree/big" ":hdfs:$root/kept"
rc purge ":hdfs:$root/tree"
[[ $(rc lsf ":hdfs:$root") == kept ]]
rc about ":hdfs:/" | grep Total >/dev/null
