"""A Spark cluster of this machine's own, from the pyspark wheel: a master, two workers, and the Thrift server."""

import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pyspark

from iterable_pipelines_tests.spark.quick_plans import QUICKLY

_HOME = Path(pyspark.__file__).parent
_WORKERS = 2
_PATIENCE_SECONDS = 180
_MASTER, _WORKER, _THRIFT = (
    "org.apache.spark.deploy.master.Master",
    "org.apache.spark.deploy.worker.Worker",
    "org.apache.spark.sql.hive.thriftserver.HiveThriftServer2",
)
_DEFAULTS = """\
spark.driver.host 127.0.0.1
spark.driver.bindAddress 127.0.0.1
spark.executor.memory 600m
spark.ui.enabled false
spark.local.dir {folder}/scratch
spark.sql.warehouse.dir {folder}/warehouse
spark.hadoop.javax.jdo.option.ConnectionURL jdbc:derby:;databaseName={folder}/metastore;create=true
spark.driver.extraJavaOptions -Dderby.system.home={folder} -Djava.io.tmpdir={folder}/scratch
"""


@contextmanager
def running_cluster(folder: Path) -> Iterator[int]:
    """The port of the Thrift server, as long as the block lasts; logs lie in the folder."""
    (folder / "scratch").mkdir(parents=True)
    (folder / "spark-defaults.conf").write_text(_DEFAULTS.format(folder=folder) + QUICKLY)
    here = ("--host", "127.0.0.1", "--webui-port", "0")
    with ExitStack() as running:
        master = running.enter_context(_spark(folder, "master", "spark-class", _MASTER, *here, "--port", "0"))
        (address,) = _said(master, r"Starting Spark master at (spark://\S+)")
        for number in range(_WORKERS):
            told = (*here, "--cores", "1", "--memory", "1g", "--work-dir", str(folder / "work"), address)
            running.enter_context(_spark(folder, f"worker-{number}", "spark-class", _WORKER, *told))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = int(free.getsockname()[1])
        options = (f"hive.server2.thrift.port={port}", "hive.server2.thrift.bind.host=127.0.0.1")
        command = ("spark-submit", "--master", address, "--class", _THRIFT, "spark-internal")
        hive = (each for option in options for each in ("--hiveconf", option))
        log = running.enter_context(_spark(folder, "thrift", *command, *hive))
        _said(log, r"(ThriftBinaryCLIService on port|HiveThriftServer2 started)")
        yield port


@contextmanager
def _spark(folder: Path, name: str, program: str, *arguments: str) -> Iterator[Path]:
    """One process of the cluster, and its log."""
    log = folder / f"{name}.log"
    environment = os.environ | {
        "SPARK_HOME": str(_HOME),
        "SPARK_CONF_DIR": str(folder),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_DAEMON_MEMORY": "1g",
    }
    with log.open("wb") as written:
        # the program becomes the Java that it starts
        process = subprocess.Popen(
            [_HOME / "bin" / program, *arguments], cwd=folder, env=environment, stdout=written, stderr=written
        )
    try:
        yield log
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _said(log: Path, pattern: str) -> tuple[str, ...]:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not (found := re.search(pattern, log.read_text())):
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.1)
    return found.groups()
