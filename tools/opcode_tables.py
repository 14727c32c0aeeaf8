"""Write capsule/bytecode/opcodes.json: the opcodes of every Python, as its interpreter has them.

    python tools/opcode_tables.py INTERPRETER...      replace the rows of these Pythons
    INTERPRETER tools/opcode_tables.py --print        print the row of the Python that runs this

The rows of 3.4 and 3.5 come from no interpreter: they are the row of 3.6 with the differences
that the documentation of `dis` states. Parses on Python 2.7.
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


def read_own_row():
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


def main(interpreters):
    """Ask each of *interpreters* and write the table."""
    table = {}
    if os.path.exists(TABLE):
        with open(TABLE) as stream:
            table = json.load(stream)
    for interpreter in interpreters:
        answer = subprocess.check_output([interpreter, os.path.abspath(__file__), "--print"])
        version, row = json.loads(answer.decode("ascii"))
        table[version] = row
    order = sorted(table, key=lambda version: [int(part) for part in version.split(".")])
    rows = [json.dumps({version: table[version]}, sort_keys=True)[1:-1] for version in order]
    with open(TABLE, "w") as stream:
        stream.write("{\n" + ",\n".join(rows) + "\n}\n")


if __name__ == "__main__":
    if sys.argv[1:] == ["--print"]:
        print(json.dumps(read_own_row()))
    else:
        main(sys.argv[1:])
