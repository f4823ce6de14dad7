"""Spark on hdfs://: Parquet, ORC, CSV and text under both commit algorithms, append, overwrite, partitions, a stream with a checkpoint."""
import sys
import time

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

_, hdfs, _, root, file = sys.argv
spark = (
    SparkSession.builder.master("local[2]")
    .appName("round-trip")
    .config("spark.ui.enabled", "false")
    .config("spark.driver.memory", "768m")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.sql.shuffle.partitions", "2")
    .config("spark.hadoop.fs.defaultFS", hdfs)
    .config("spark.hadoop.dfs.blocksize", "1048576")
    .config("spark.log.level", "ERROR")
    .getOrCreate()
)
base = f"{hdfs}{root}"
rows = spark.range(0, 20_000, 1, 2).select(
    "id", (F.col("id") % 5).alias("part"), F.concat(F.lit("snö "), F.col("id")).alias("name"), (F.col("id") * 0.5).alias("half")
)
total = rows.agg(F.sum("id"), F.count("*")).first()


def same(frame, times=1):
    found = frame.agg(F.sum(F.col("id").cast("bigint")), F.count("*")).first()
    assert (found[0], found[1]) == (total[0] * times, total[1] * times), found


for algorithm in ("1", "2"):
    spark.conf.set("mapreduce.fileoutputcommitter.algorithm.version", algorithm)
    for kind in ("parquet", "orc", "csv"):
        place = f"{base}/{kind}{algorithm}"
        rows.write.format(kind).option("header", True).save(place)
        reader = spark.read.format(kind).option("header", True)
        same(reader.load(place))
        rows.write.format(kind).option("header", True).mode("append").save(place)
        same(reader.load(place), 2)
        rows.write.format(kind).option("header", True).mode("overwrite").save(place)
        same(reader.load(place))
    rows.select("name").write.text(f"{base}/text{algorithm}")
    assert spark.read.text(f"{base}/text{algorithm}").count() == total[1]

partitioned = f"{base}/partitioned"
rows.write.partitionBy("part").parquet(partitioned)
same(spark.read.parquet(partitioned))
assert spark.read.parquet(partitioned).where("part = 3").count() == total[1] // 5
spark.conf.set("spark.sql.sources.partitionOverwriteMode", "dynamic")
rows.where("part = 3").write.mode("overwrite").partitionBy("part").parquet(partitioned)
same(spark.read.parquet(partitioned))

# A stream that stops and goes on from its checkpoint: every row once.
source, sink = f"{base}/stream-in", f"{base}/stream-out"
rows.repartition(3).write.parquet(source)
schema = spark.read.parquet(source).schema


def drain():
    query = (
        spark.readStream.schema(schema).option("maxFilesPerTrigger", 2).parquet(source)
        .writeStream.format("parquet").option("path", sink).option("checkpointLocation", f"{base}/stream-checkpoint")
        .trigger(availableNow=True).start()
    )
    query.awaitTermination(120)
    assert query.exception() is None, query.exception()


drain()
same(spark.read.parquet(sink))
rows.repartition(2).write.mode("append").parquet(source)
drain()
same(spark.read.parquet(sink), 2)

# Hadoop's own calls from the same JVM: what jobs do beside their data.
jvm = spark._jvm
path = jvm.org.apache.hadoop.fs.Path
fs = path(base).getFileSystem(spark._jsc.hadoopConfiguration())
fs.copyFromLocalFile(path(f"file://{file}"), path(f"{root}/kept"))
assert fs.getFileChecksum(path(f"{root}/kept")) is not None
assert not fs.exists(path(f"{base}/parquet1/_temporary"))
spark.stop()
