"""The one billion row challenge by others: `peers.py duckdb|polars FILE` prints a line of JSON with what came out and what it took;
`peers.py run COMMAND...` the same of a command, which prints its rows itself."""
import json
import resource
import subprocess
import sys

MIB = 1024


def duckdb_rows(path):
    import duckdb

    columns = "{'s': 'VARCHAR', 't': 'DOUBLE'}"
    table = f"read_csv('{path}', delim=';', header=false, columns={columns})"
    return duckdb.sql(f"select s, min(t), avg(t), max(t) from {table} group by s order by s").fetchall()


def polars_rows(path):
    import polars as pl

    lines = pl.scan_csv(path, separator=";", has_header=False, new_columns=["s", "t"])
    means = pl.min("t").alias("a"), pl.mean("t").alias("b"), pl.max("t").alias("c")
    return lines.group_by("s").agg(*means).sort("s").collect(engine="streaming").rows()


def main(who, *arguments):
    if who == "run":
        done = subprocess.run(arguments, check=True, stdout=subprocess.PIPE, text=True)
        usage, rows = resource.getrusage(resource.RUSAGE_CHILDREN), done.stdout
    else:
        rows = {"duckdb": duckdb_rows, "polars": polars_rows}[who](*arguments)
        usage = resource.getrusage(resource.RUSAGE_SELF)
    took = {"cpu_seconds": usage.ru_utime + usage.ru_stime, "rss_mib": usage.ru_maxrss / MIB}
    print(json.dumps({**took, "rows": rows}, ensure_ascii=False))


main(*sys.argv[1:])
