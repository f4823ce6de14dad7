#!/usr/bin/env bash
# GDAL writes a raster over WebHDFS and reads it in place, by ranges.
set -euo pipefail
web=$2/webhdfs/v1 root=$3 file=$4
export WEBHDFS_USERNAME=$HADOOP_USER_NAME
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
curl -sSf -L -X PUT -T "$file" "$web$root/kept?op=CREATE&user.name=$HADOOP_USER_NAME"
printf 'P5\n1024 1024\n255\n' >"$work/grey.pgm"
head -c 1048576 "$file" >>"$work/grey.pgm"
gdal_translate -q -of GTiff -co TILED=YES "$work/grey.pgm" "$work/grey.tif"
curl -sSf -L -X PUT -T "$work/grey.tif" "$web$root/grey.tif?op=CREATE&user.name=$HADOOP_USER_NAME"
there="/vsiwebhdfs/$web$root/grey.tif"
gdalinfo "$there" | grep 'Size is 1024, 1024' >/dev/null
gdalinfo -checksum "$there" | grep Checksum >"$work/there"
gdalinfo -checksum "$work/grey.tif" | grep Checksum | cmp - "$work/there"
# Only some of its tiles.
gdal_translate -q -of PNM -srcwin 300 500 64 64 "$there" "$work/part.pgm"
gdal_translate -q -of PNM -srcwin 300 500 64 64 "$work/grey.tif" "$work/same.pgm"
cmp "$work/part.pgm" "$work/same.pgm"
