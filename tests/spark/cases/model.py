#!/usr/bin/env python3
"""Writes the cases of this folder: pipelines and inputs stand below, what is expected is computed here, in plain Python.

It knows nothing of Tidemill. A stream is a list of batches; a batch is a list of lanes, or None where there is none.
"""
import json
import pathlib

HERE = pathlib.Path(__file__).parent


def key(value):
    return json.dumps(value, ensure_ascii=False)


def add(a, b):
    return a + b


NAMES = {
    "identity": lambda v: [v], "to_string": lambda v: [str(v)], "parse_int": lambda v: [int(v)],
    "strlen": lambda v: [len(v)], "x_and_2x": lambda v: [v, 2 * v], "pair_with_1": lambda v: [[v, 1]],
    "pair_with_x": lambda v: [[v, "x"]], "pair_with_self": lambda v: [[v, v]], "word_and_len": lambda v: [[v, len(v)]],
    "plus_2": lambda v: [v + 2], "plus_4": lambda v: [v + 4], "plus_8": lambda v: [v + 8], "plus_10": lambda v: [v + 10],
    "v_and_v_plus_10": lambda v: [v, v + 10], "v1_v2": lambda v: [v + "1", v + "2"], "upper": lambda v: [v.upper()],
    "split_space": lambda v: v.split(" "), "split_chars": list, "len_and_chars": lambda v: [[len(v), c] for c in v],
    "swap": lambda v: [[v[1], v[0]]], "swap_each": lambda v: [[v[1], v[0]]], "key_of_pair": lambda v: [v[0]],
    "value_of_pair": lambda v: [v[1]], "value_and_key_chars": lambda v: [[v[1], c] for c in v[0]],
    "state_counter": lambda v: [v[0]], "mod10_pair_1": lambda v: [[v % 10, 1]],
}
TESTS = {
    "is_even": lambda v: v % 2 == 0, "contains_a": lambda v: "a" in v, "key_contains_a": lambda v: "a" in v[0],
    "value_positive": lambda v: v[1] > 0, "value_nonzero": lambda v: v[1] != 0,
}
TWO = {"add": add, "sub": lambda a, b: a - b, "concat_string": lambda a, b: a + str(b)}
WHOLE = {"sum": sum, "concat_upper": lambda lane: "".join(lane).upper()}


def expire(_, new, state):
    count, idle = state or [0, 0]
    count, idle = (count, idle + 1) if sum(new) == 0 else (count + sum(new), 0)
    return None if idle == 2 else [count, idle]


UPDATES = {
    "running_sum": lambda time, new, state: sum(new) + (state or 0),
    "append_values": lambda time, new, state: (state or []) + new,
    "add_batch_time_if_values": lambda time, new, state: (time if new else 0) + (state or 0),
    "count_expire_after_2_idle": expire,
}


def mapped(function, k, value, state):
    """What is emitted, as a list, and the next state."""
    if function == "remove_if_exists_emit_key":
        return ([k], None) if state is not None else ([], value)
    if function == "emit_key_on_timeout":
        return [], 1
    new = value + (state or 0)
    emitted = {"emit_running_count": [new], "emit_key_doubled": [k + k], "emit_key_and_running_count": [[k, new]]}
    return emitted.get(function, []), new


class Model:
    def __init__(self, case):
        self.case, self.interval = case, case["params"]["batch_interval_ms"]
        self.python = case.get("dialect") == "pyspark"
        self.ticks = case["params"].get("run_batches") or max(
            len(case["input_batches"]), len(case.get("input_batches_2") or []))
        self.slides = {}
        self.states = None

    def source(self, name):
        lanes, batches = self.case["params"]["input_partitions"], list(self.case[name])
        batches += [[]] * (self.ticks - len(batches))
        cut = lambda b: [b[i * len(b) // lanes:(i + 1) * len(b) // lanes] for i in range(lanes)]
        return [None if batch is None else cut(batch) for batch in batches], self.interval

    def run(self):
        pipeline, last = list(self.case["pipeline"]), self.case["pipeline"][-1]
        if last["op"] == "slice":
            pipeline.pop()
        stream, slide = self.steps(pipeline, self.source("input_batches"))
        if last["op"] == "slice":
            first, to = (last[end] // slide * slide for end in ("from_ms", "to_ms"))
            times = [t for t in range(first, to + 1, slide) if 0 < t <= self.ticks * self.interval]
            return [[v for t in times for v in sum(stream[t // self.interval - 1] or [], [])]]
        out = [stream[t] for t in range(self.ticks) if (t + 1) * self.interval % slide == 0]
        return [None if batch is None else sum(batch, []) for batch in out]

    def steps(self, steps, stream):
        for step in steps:
            stream = self.step(step, stream)
        return stream

    def step(self, step, stream):
        batches, slide = stream
        op, fn = step["op"], step.get("fn")
        if op == "transform":
            return self.step({**step, "op": step["rdd_op"]}, stream)
        each = lambda f: ([None if b is None else [f(lane) for lane in b] for b in batches], slide)
        flat = lambda f: each(lambda lane: [out for v in lane for out in f(v)])
        whole = lambda f: ([None if b is None else [f(sum(b, []))] for b in batches], slide)
        if op in ("map", "flatMap", "mapToPair", "flatMapToPair"):
            return flat(NAMES[fn])
        if op == "filter":
            return flat(lambda v: [v] if TESTS[fn](v) else [])
        if op in ("mapValues", "flatMapValues"):
            return flat(lambda v: [[v[0], out] for out in NAMES[fn](v[1])])
        if op == "mapPartitions":
            return each(lambda lane: [WHOLE[fn](lane)] if fn in WHOLE else [o for v in lane for o in NAMES[fn](v)])
        if op == "glom":
            return each(lambda lane: [lane])
        if op == "count":
            return whole(lambda all: [len(all)])
        if op == "reduce":
            return whole(lambda all: [self.fold(fn, all)] if all else [])
        if op == "countByValue":
            return whole(lambda all: self.by_key([[v, 1] for v in all], sum))
        if op == "reduceByKey":
            return whole(lambda all: self.by_key(all, lambda vs: self.fold(fn, vs)))
        if op == "groupByKey":
            return whole(lambda all: self.by_key(all, list))
        if op == "combineByKey":
            start, merge = NAMES[step["create"]], TWO[step["merge_value"]]
            return whole(lambda all: self.by_key(all, lambda vs: self.fold_with(merge, start(vs[0])[0], vs[1:])))
        if op == "repartition":
            return batches, slide
        if op == "union":
            right, other = self.right(step)
            assert slide == other
            return [None if a is None or b is None else a + b for a, b in zip(batches, right)], slide
        if op == "cogroup" or op.lower().endswith("join"):
            return self.joined(op, batches, self.right(step)[0]), slide
        if op == "updateStateByKey":
            return self.updated(step, stream)
        if op == "mapWithState":
            return self.with_state(step, stream)
        return self.windowed(step, stream)

    def right(self, step):
        if "right_self" in step:
            return self.steps(step["right_self"], self.source("input_batches"))
        return self.steps(step["right"], self.source("input_batches_2"))

    def fold(self, fn, values):
        return self.fold_with(TWO[fn], values[0], values[1:])

    def fold_with(self, merge, first, values):
        for value in values:
            first = merge(first, value)
        return first

    def groups(self, pairs):
        groups = {}
        for k, v in pairs:
            groups.setdefault(key(k), (k, []))[1].append(v)
        return groups

    def by_key(self, pairs, f):
        return [[k, f(values)] for k, values in self.groups(pairs).values()]

    def joined(self, op, left, right):
        out = []
        for a, b in zip(left, right):
            a, b = self.groups(sum(a or [], [])), self.groups(sum(b or [], []))
            rows = []
            for name in dict.fromkeys([*a, *b]):
                k, ls, rs = (a.get(name) or b[name])[0], a.get(name, (0, []))[1], b.get(name, (0, []))[1]
                if op == "cogroup":
                    rows.append([k, [ls, rs]])
                    continue
                ls = ls or ([None] if op in ("rightOuterJoin", "fullOuterJoin") else [])
                rs = rs or ([None] if op in ("leftOuterJoin", "fullOuterJoin") else [])
                rows += [[k, [l, r]] for l in ls for r in rs]
            out.append([rows])
        return out

    def updated(self, step, stream):
        batches, slide = stream
        states, out = {}, []
        for k, state in step.get("initial", []):
            states.setdefault(key(k), (k, state))
        for tick, batch in enumerate(batches):
            time = (tick + 1) * self.interval
            if time % slide:
                out.append(None)
                continue
            if batch is not None or not self.python:
                new = self.groups(sum(batch or [], []))
                for name in [*states, *(n for n in new if n not in states)]:
                    k, state = states.get(name) or (new[name][0], None)
                    state = UPDATES[step["fn"]](time, new.get(name, (0, []))[1], state)
                    states[name] = (k, state)
                    if state is None:
                        del states[name]
            out.append([[[k, state] for k, state in states.values()]])
        return out, slide

    def with_state(self, step, stream):
        batches, slide = stream
        states, out, shots = {}, [], []
        last = {}
        for k, state in step.get("initial", []):
            states.setdefault(key(k), (k, state))
            last[key(k)] = self.interval
        timeout = step.get("timeout_ms")
        for tick, batch in enumerate(batches):
            time, emitted = (tick + 1) * self.interval, []
            for k, value in sum(batch or [], []):
                more, state = mapped(step["fn"], k, value, states.get(key(k), (k, None))[1])
                emitted += more
                states.pop(key(k), None) if state is None else states.__setitem__(key(k), (k, state))
                last[key(k)] = time
            for name in [n for n in states if timeout and time - last[n] > timeout]:
                emitted += [states[name][0]] if step["fn"] == "emit_key_on_timeout" else []
                del states[name]
            shots.append([[k, state] for k, state in states.values()])
            out.append([emitted])
        self.states = shots
        return ([[shot] for shot in shots] if step.get("emit") == "state_snapshots" else out), slide

    def windowed(self, step, stream):
        batches, parent = stream
        op, fn = step["op"], step.get("fn", "add")
        window, slide = step["window_ms"], step.get("slide_ms", parent)
        inverse = step.get("inv_fn") or (op == "countByWindow" and "sub")
        keeps = inverse and (not self.python or window >= 5 * slide)
        seen, out = {}, []
        for tick in range(self.ticks):
            time = (tick + 1) * self.interval
            if time % slide:
                out.append(None)
                continue
            first = max(0, tick + 1 - window // self.interval)
            rows = sum((sum(b, []) for b in batches[first:tick + 1] if b is not None), [])
            if op == "window":
                out.append([rows])
                continue
            if op == "groupByKeyAndWindow":
                out.append([self.by_key(rows, list)])
                continue
            if op == "reduceByWindow" and not inverse:
                out.append([[self.fold(fn, rows)] if rows else []])
                continue
            pairs = {"countByValueAndWindow": [[v, 1] for v in rows], "countByWindow": [[0, 1] for v in rows],
                     "reduceByWindow": [[0, v] for v in rows]}.get(op, rows)
            values = {key(k): (k, v) for k, v in self.by_key(pairs, lambda vs: self.fold(fn, vs))}
            if keeps:
                values.update({name: (k, 0) for name, (k, _) in seen.items() if name not in values})
            if step.get("filter"):
                values = {n: kv for n, kv in values.items() if TESTS[step["filter"]](list(kv))}
            seen = values
            rows = [list(kv) for kv in values.values()]
            out.append([[v for _, v in rows] if op in ("countByWindow", "reduceByWindow") else rows])
        return out, slide


def window(op, length, slide=None, **more):
    return {"op": op, **more, "window_ms": length, **({"slide_ms": slide} if slide else {})}


def op(name, fn=None, **more):
    return {"op": name, **({"fn": fn} if fn else {}), **more}


PAIR, SUM = op("map", "pair_with_1"), op("reduceByKey", "add")
INTS = [[3, 1, 4], [1, 5, 9, 2, 6], [], [5, 3, 5], [8]]
WORDS = [["banana", "fig"], ["apple", "äpfel", "fig"], [], ["fig"], ["", "a"]]
LINES = [["to be or", "not  to be"], [], ["that is"], ["to"], ["be be"]]
PAIRS = [[["a", 1], ["b", 2], ["a", 3]], [["c", 4]], [], [["a", -1], ["b", 5]], [["c", -4], ["d", 0]], []]
OTHERS = [[["a", 10]], [["c", 20], ["c", 21]], [["e", 30]], [["b", 40], ["a", 41]], [], [["a", 50]]]
SEEN = [[], ["x"], ["x", "y"], ["y", "y", "z"], None, ["x"], [], []]


def cases():
    narrow = {
        "strings": (INTS, [op("map", "to_string"), op("map", "strlen")]),
        "chars": (WORDS, [op("flatMap", "len_and_chars"), op("map", "swap"), op("map", "key_of_pair")]),
        "even": (INTS, [op("map", "plus_2"), op("filter", "is_even"), op("flatMap", "x_and_2x")]),
        "upper": (WORDS, [op("filter", "contains_a"), op("map", "upper"), op("flatMap", "v1_v2")]),
        "pairs": (PAIRS, [op("flatMapValues", "v_and_v_plus_10"), op("filter", "value_positive"), op("map", "swap")]),
        "keys": (PAIRS, [op("filter", "key_contains_a"), op("flatMap", "value_and_key_chars")]),
        "spaces": (LINES, [op("flatMap", "split_space"), op("map", "word_and_len"), op("filter", "value_nonzero")]),
        "transform": (INTS, [op("transform", "plus_10", rdd_op="map"), op("transform", "is_even", rdd_op="filter")]),
        "lanes": (INTS, [op("map", "plus_4"), op("glom")]),
        "lane-sums": (INTS, [op("filter", "is_even"), op("mapPartitions", "sum")]),
        "lane-texts": (WORDS, [op("mapPartitions", "concat_upper"), op("map", "strlen")]),
        "lane-pairs": (PAIRS, [op("mapPartitions", "swap_each"), op("map", "value_of_pair")]),
        "union": (INTS, [op("union", right_self=[op("map", "plus_8")]), op("glom")]),
        "absent": ([[1, 2], None, [3], None], [op("map", "plus_2"), op("filter", "is_even")]),
    }
    for name, (batches, pipeline) in narrow.items():
        for lanes in (1, 2, 3):
            yield "narrow", f"{name}-{lanes}", batches, pipeline, {"input_partitions": lanes, "compare": "list"}
    for first, to in ((1000, 3999), (0, 0), (1500, 2500), (4000, 90000)):
        yield "narrow", f"slice-{first}-{to}", INTS, [op("map", "plus_2"), {"op": "slice", "from_ms": first, "to_ms": to}], {}
    yield "windows", "slice", INTS, [window("window", 2000, 2000), {"op": "slice", "from_ms": 3000, "to_ms": 5000}], {"run_batches": 6}
    for lanes, wanted in ((1, 4), (3, 2), (2, 2)):
        yield "narrow", f"repartition-{lanes}-{wanted}", INTS, [op("repartition", n=wanted), op("map", "plus_8")], {"input_partitions": lanes, "expected_partitions": wanted}
    keyed = {
        "word-count": (LINES, [op("flatMap", "split_space"), PAIR, SUM]),
        "counts": (WORDS, [op("flatMap", "split_chars"), op("countByValue"), op("filter", "value_positive")]),
        "count": (INTS, [op("filter", "is_even"), op("count")]),
        "reduce": (INTS, [op("map", "plus_2"), op("reduce", "add")]),
        "reduce-texts": (WORDS, [op("flatMap", "split_chars"), op("countByValue"), op("map", "value_of_pair"), op("reduce", "add")]),
        "groups": (INTS, [op("map", "mod10_pair_1"), op("groupByKey")]),
        "combined": (PAIRS, [op("combineByKey", create="to_string", merge_value="concat_string", merge_combiners="concat_string")]),
        "distinct-types": ([[1, "1", 1], ["1"]], [op("countByValue")]),
        "twice": (INTS, [op("map", "mod10_pair_1"), SUM, op("map", "swap"), op("groupByKey")]),
        "repartitioned": (INTS, [op("repartition", n=3), PAIR, SUM]),
    }
    for name, (batches, pipeline) in keyed.items():
        # In which order values of a key come behind another step by key is not said.
        compare = "set_values_unordered" if name == "twice" else "set"
        for lanes in (1, 3):
            yield "keyed", f"{name}-{lanes}", batches, pipeline, {"input_partitions": lanes, "compare": compare}
    for join in ("join", "leftOuterJoin", "rightOuterJoin", "fullOuterJoin", "cogroup"):
        yield "joins", join, PAIRS, [op(join, right=[])], {"second": OTHERS}
        yield "joins", join + "-mapped", PAIRS, [op("mapValues", "plus_2"), op(join, right=[op("filter", "value_positive")])], {"second": OTHERS}
        yield "joins", join + "-self", PAIRS, [op(join, right_self=[op("map", "swap"), op("map", "swap"), op("mapValues", "plus_8")])], {}
        yield "joins", join + "-windows", PAIRS, [window("window", 2000, 2000), op(join, right=[window("window", 3000, 2000)])], {"second": OTHERS}
    yield "joins", "union-of-two", INTS, [op("union", right=[op("map", "plus_10")]), op("count")], {"second": INTS[::-1]}
    for length, slide in ((1000, 1000), (2000, 1000), (3000, 2000), (1000, 3000), (4000, 1000), (3000, None)):
        for dialect in ("scala", "pyspark"):
            more = {"run_batches": 9, "dialect": dialect}
            name = f"{length}-{slide}-{dialect}"
            yield "windows", "rows-" + name, INTS, [window("window", length, slide)], more
            yield "windows", "count-" + name, INTS, [window("countByWindow", length, slide)], more
            yield "windows", "values-" + name, INTS, [window("countByValueAndWindow", length, slide)], more
            yield "windows", "inverse-" + name, PAIRS, [window("reduceByKeyAndWindow", length, slide, fn="add", inv_fn="sub")], more
            yield "windows", "filtered-" + name, PAIRS, [window("reduceByKeyAndWindow", length, slide, fn="add", inv_fn="sub", filter="value_nonzero")], more
            yield "windows", "plain-" + name, PAIRS, [window("reduceByKeyAndWindow", length, slide, fn="add")], more
            yield "windows", "groups-" + name, PAIRS, [window("groupByKeyAndWindow", length, slide)], more
            yield "windows", "reduce-" + name, INTS, [window("reduceByWindow", length, slide, fn="add")], more
    yield "windows", "long", PAIRS, [window("reduceByKeyAndWindow", 5000, 1000, fn="add", inv_fn="sub")], {"run_batches": 14, "dialect": "pyspark"}
    yield "windows", "long-count", INTS, [window("countByWindow", 6000, 1000)], {"run_batches": 14, "dialect": "pyspark"}
    yield "windows", "of-windows", INTS, [window("window", 2000, 2000), window("countByWindow", 4000, 4000)], {"run_batches": 12}
    yield "windows", "behind-counts", WORDS, [op("countByValue"), window("reduceByKeyAndWindow", 2000, fn="add")], {"run_batches": 7}
    yield "windows", "absent", SEEN, [window("window", 2000, 1000), PAIR, SUM], {}
    for fn in UPDATES:
        yield "states", fn, SEEN, [PAIR, op("updateStateByKey", fn)], {}
        yield "states", fn + "-python", SEEN, [PAIR, op("updateStateByKey", fn)], {"dialect": "pyspark"}
    first = [["x", 7], ["q", 1], ["x", 9]]
    yield "states", "initial", SEEN, [PAIR, op("updateStateByKey", "running_sum", initial=first)], {}
    yield "states", "of-windows", SEEN, [window("window", 2000, 2000), PAIR, op("updateStateByKey", "running_sum")], {}
    yield "states", "times-of-pairs", PAIRS, [op("updateStateByKey", "add_batch_time_if_values", initial=[["z", 5]]), op("filter", "value_positive")], {}
    for fn in ("emit_running_count", "emit_key_doubled", "emit_key_and_running_count", "update_emit_none", "remove_if_exists_emit_key"):
        yield "states", fn, SEEN, [PAIR, op("mapWithState", fn)], {"states": True}
        yield "states", fn + "-initial", SEEN, [PAIR, op("mapWithState", fn, initial=first)], {"states": True}
        yield "states", fn + "-shown", SEEN, [PAIR, op("mapWithState", fn, emit="state_snapshots")], {}
    for timeout in (1000, 2000):
        yield "states", f"timeout-{timeout}", SEEN, [PAIR, op("mapWithState", "emit_key_on_timeout", timeout_ms=timeout)], {"states": True}
    yield "failures", "union", [[1], None], [op("union", right_self=[op("map", "plus_2")])], {"error": True}
    yield "failures", "transform", [[1], None], [op("transform", "plus_2", rdd_op="map")], {"error": True}
    yield "failures", "special", [[0], [1]], [op("map", "raise_special_error")], {"error": True}
    yield "failures", "special-of-two", [[0]], [op("transformWith", rdd_op="raise_special_error")], {"error": True, "second": [[0]]}
    yield "failures", "slide", INTS, [window("window", 1500, 1000)], {"error": True}
    yield "failures", "slides-of-two", INTS, [window("window", 2000, 2000), op("union", right_self=[])], {"error": True}
    yield "failures", "type", [["x"]], [op("map", "plus_2")], {"error": True}


def written():
    files = {}
    for file, name, batches, pipeline, more in cases():
        case = {"id": f"{file}.{name}", "params": {"batch_interval_ms": 1000, "input_partitions": more.get("input_partitions", 2)},
                "pipeline": pipeline, "input_batches": batches, "compare": more.get("compare", "set")}
        if "expected_partitions" in more:
            case["params"]["expected_partitions"] = more["expected_partitions"]
        if "second" in more:
            case["input_batches_2"] = more["second"]
        if "run_batches" in more:
            case["params"]["run_batches"] = more["run_batches"]
        if more.get("dialect") == "pyspark":
            case["dialect"] = "pyspark"
        if more.get("error"):
            case.update(expected_output_batches=None, expected_error={})
        else:
            model = Model(case)
            case["expected_output_batches"] = model.run()
            if more.get("states"):
                case["expected_state_batches"] = model.states
        files.setdefault(file, []).append(case)
    return files


if __name__ == "__main__":
    for file, all in written().items():
        lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in all)
        (HERE / f"{file}.json").write_text(f"[\n{lines}\n]\n")
        print(file, len(all))
