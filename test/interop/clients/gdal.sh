#!/usr/bin/env bash
# GDAL reads a raster in place, by ranges, over WebHDFS.
set -euo pipefail
web=$2/webhdfs/v1 root=$3 file=$4
user=${HADOOP_USER_NAME:-$(id -un)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
printf 'P5\n64 32\n255\n' >"$work/grey.pgm"
head -c 2048 "$file" >>"$work/grey.pgm"
gdal_translate -q -of GTiff "$work/grey.pgm" "$work/grey.tif"
curl -sSf -L -X PUT -T "$work/grey.tif" "$web$root/grey.tif?op=CREATE&user.name=$user"
curl -sSf -L -X PUT -T "$file" "$web$root/kept?op=CREATE&user.name=$user"
export WEBHDFS_USERNAME=$user
gdalinfo "/vsiwebhdfs/$web$root/grey.tif" | grep -q 'Size is 64, 32'
gdalinfo -checksum "/vsiwebhdfs/$web$root/grey.tif" | grep Checksum >"$work/there"
gdalinfo -checksum "$work/grey.tif" | grep Checksum | cmp - "$work/there"
