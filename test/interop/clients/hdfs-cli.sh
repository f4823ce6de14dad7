#!/usr/bin/env bash
# The Go client by Colin Marc: hdfs://, chunks of 512 bytes under CRC32.
set -euo pipefail
export HADOOP_NAMENODE=${1#hdfs://} HADOOP_USER_NAME=${HADOOP_USER_NAME:-$(id -un)}
root=$3 file=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
hdfs mkdir -p "$root/a/b"
hdfs put "$file" "$root/a/first"
hdfs ls "$root/a" | grep -qx 'b/\?'
hdfs ls -l "$root/a" | grep -q first
hdfs cat "$root/a/first" | cmp - "$file"
hdfs tail -c 1000 "$root/a/first" | cmp - <(tail -c 1000 "$file")
hdfs head -c 1000 "$root/a/first" | cmp - <(head -c 1000 "$file")
hdfs checksum "$root/a/first" | grep -Eq '^[0-9a-f]+'
hdfs du -s "$root" | grep -q '^'
hdfs df >/dev/null
hdfs chmod 600 "$root/a/first"
hdfs ls -l "$root/a" | grep -q -- '-rw-------'
hdfs mv "$root/a/first" "$root/kept"
hdfs get "$root/kept" "$work/back"
cmp "$work/back" "$file"
hdfs touch "$root/a/b/empty"
hdfs rm -r "$root/a"
! hdfs ls "$root/a" 2>/dev/null
