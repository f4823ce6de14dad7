#!/usr/bin/env bash
# The Go client by Colin Marc: hdfs://, chunks of 512 bytes under CRC32.
set -euo pipefail
export HADOOP_NAMENODE=${1#hdfs://}
root=$3 file=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
hdfs mkdir -p "$root/a/b"
hdfs put "$file" "$root/a/first"
hdfs ls "$root/a" | grep -x 'b/\?' >/dev/null
hdfs ls -l "$root/a" | grep first >/dev/null
hdfs cat "$root/a/first" | cmp - "$file"
hdfs tail -c 1000 "$root/a/first" | cmp - <(tail -c 1000 "$file")
hdfs head -c 1000 "$root/a/first" | cmp - <(head -c 1000 "$file")
hdfs put "$file" "$root/a/same"
hdfs put - "$root/a/snö ☃" <<<snow
[[ $(hdfs cat "$root/a/snö ☃") == snow ]]
checksum() { hdfs checksum "$root/a/$1" | cut -d ' ' -f 1; }
[[ $(checksum first) =~ ^[0-9a-f]{32,}$ && $(checksum first) == "$(checksum same)" && $(checksum first) != "$(checksum snö*)" ]]
hdfs du -s "$root" | grep '^[0-9]' >/dev/null
hdfs df | grep '[0-9]' >/dev/null
hdfs chmod 600 "$root/a/first"
hdfs ls -l "$root/a" | grep -- '-rw-------' >/dev/null
hdfs mv "$root/a/first" "$root/kept"
hdfs get "$root/kept" "$work/back"
cmp "$work/back" "$file"
hdfs touch "$root/a/b/empty"
[[ $(hdfs cat "$root/a/b/empty" | wc -c) == 0 ]]
hdfs rm -r "$root/a"
if hdfs ls "$root/a" 2>/dev/null; then
  echo "a deleted directory is there"
  exit 1
fi
