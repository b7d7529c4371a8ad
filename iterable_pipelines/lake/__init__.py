"""The lake: where events lie as Parquet with engine `spark`, beside what Spark makes of them (docs/spark.md)."""
