"""Streaming linear regression by numpy: run beside `options`, it prints the weights that printed.txt has, batch by batch."""
import pathlib
import re

import numpy

options = (pathlib.Path(__file__).parent / "options").read_text()
batches = re.search(r"training=.*?batches = (\[.*?\]\]) \}", options).group(1)
weights = numpy.zeros(2)
for batch in eval(batches):
    rows = numpy.array([[float(x) for x in line.split()] for line in batch]).reshape(-1, 3)
    for number in range(1, 51 if len(rows) else 1):
        errors = rows[:, 1:] @ weights - rows[:, 0]
        weights = weights - 0.1 / number**0.5 * (errors @ rows[:, 1:]) / len(rows)
    print(weights.tolist())
