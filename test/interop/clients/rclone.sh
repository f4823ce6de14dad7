#!/usr/bin/env bash
# rclone's hdfs backend (the same Go library): copy, check by content, move, purge.
set -euo pipefail
namenode=${1#hdfs://} root=$3 file=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
: >"$work/none.conf"
rc() { rclone --config "$work/none.conf" --hdfs-namenode "$namenode" --hdfs-username "${HADOOP_USER_NAME:-$(id -un)}" "$@"; }
mkdir -p "$work/in/deep/er"
cp "$file" "$work/in/big"
printf 'short' >"$work/in/deep/er/short"
printf 'snow' >"$work/in/deep/snö ☃"
rc copy "$work/in" ":hdfs:$root/tree"
rc check --download "$work/in" ":hdfs:$root/tree"
[[ $(rc lsf -R ":hdfs:$root/tree" | wc -l) == 5 ]]
rc copy ":hdfs:$root/tree" "$work/out"
diff -r "$work/in" "$work/out"
rc moveto ":hdfs:$root/tree/big" ":hdfs:$root/kept"
rc purge ":hdfs:$root/tree"
[[ $(rc lsf ":hdfs:$root") == kept ]]
[[ $(rc about ":hdfs:/") == *Total* ]]
