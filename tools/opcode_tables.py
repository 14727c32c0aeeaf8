"""Write capsule/bytecode/opcodes.json: every Python's opcodes, as its own interpreter tells.

    python tools/opcode_tables.py INTERPRETER...      rows of these Pythons, the others kept
    INTERPRETER tools/opcode_tables.py --tell         the row of the Python that runs this

Rows of 3.4 and 3.5 are the row of 3.6 with what their documentation of `dis` says
otherwise: no interpreter of them is at hand. Parses on Python 2.7.
"""

import json
import os
import subprocess
import sys

TABLE = os.path.join(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
    "capsule",
    "bytecode",
    "opcodes.json",
)

# What 3.6 brought, and what it took away: name and number.
NEW_IN_36 = (
    "SETUP_ANNOTATIONS",
    "STORE_ANNOTATION",
    "CALL_FUNCTION_EX",
    "FORMAT_VALUE",
    "BUILD_CONST_KEY_MAP",
    "BUILD_STRING",
    "BUILD_TUPLE_UNPACK_WITH_CALL",
)
GONE_IN_36 = {
    "MAKE_CLOSURE": 134,
    "CALL_FUNCTION_VAR": 140,
    "CALL_FUNCTION_KW": 141,
    "CALL_FUNCTION_VAR_KW": 142,
}
NEW_IN_35 = (
    "GET_AITER",
    "GET_ANEXT",
    "BEFORE_ASYNC_WITH",
    "BINARY_MATRIX_MULTIPLY",
    "INPLACE_MATRIX_MULTIPLY",
    "GET_YIELD_FROM_ITER",
    "GET_AWAITABLE",
    "WITH_CLEANUP_START",
    "WITH_CLEANUP_FINISH",
    "BUILD_LIST_UNPACK",
    "BUILD_MAP_UNPACK",
    "BUILD_MAP_UNPACK_WITH_CALL",
    "BUILD_TUPLE_UNPACK",
    "BUILD_SET_UNPACK",
    "SETUP_ASYNC_WITH",
)
GONE_IN_35 = {"STORE_MAP": 54, "WITH_CLEANUP": 81}


def told():
    """Return the running Python's version and its row: opcodes, and inline caches by name."""
    import opcode

    names = {
        name: number
        for name, number in opcode.opmap.items()
        if number < 256 and not name.startswith(("INSTRUMENTED_", "RESERVED", "ENTER_EXECUTOR"))
    }
    entries = getattr(opcode, "_inline_cache_entries", {})
    if not isinstance(entries, dict):
        entries = {opcode.opname[i]: n for i, n in enumerate(entries)}
    caches = {name: n for name, n in entries.items() if n and name in names}
    return "{}.{}".format(*sys.version_info[:2]), {"opcodes": names, "caches": caches}


def with_documented(table):
    """Add the rows of 3.5 and 3.4, which differ from 3.6 in the names above."""
    names = dict(table["3.6"]["opcodes"])
    for name in NEW_IN_36:
        del names[name]
    names.update(GONE_IN_36)
    table["3.5"] = {"opcodes": dict(names), "caches": {}}
    for name in NEW_IN_35:
        del names[name]
    names.update(GONE_IN_35)
    table["3.4"] = {"opcodes": names, "caches": {}}


def main(interpreters):
    """Ask each of *interpreters* and write the table."""
    table = {}
    if os.path.exists(TABLE):
        with open(TABLE) as stream:
            table = json.load(stream)
    for interpreter in interpreters:
        answer = subprocess.check_output([interpreter, os.path.abspath(__file__), "--tell"])
        version, row = json.loads(answer.decode("ascii"))
        table[version] = row
    with_documented(table)
    order = sorted(table, key=lambda version: [int(part) for part in version.split(".")])
    rows = [f'"{version}": {json.dumps(table[version], sort_keys=True)}' for version in order]
    with open(TABLE, "w") as stream:
        stream.write("{\n" + ",\n".join(rows) + "\n}\n")


if __name__ == "__main__":
    if sys.argv[1:] == ["--tell"]:
        print(json.dumps(told()))
    else:
        main(sys.argv[1:])
