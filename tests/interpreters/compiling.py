"""Run by any Python, 2.7 too: compiles sources and answers with the code of their functions.

Reads one JSON list of [source, free names] a line; answers with one JSON list a line, of
marshalled code as base64, or of null where this Python has no such syntax.
"""

import base64
import json
import marshal
import sys


def function_in(source, free, first):
    """Return the code of the function that *source*, a def or a lambda, defines."""
    text = source if source.startswith(("def ", "@")) else "made = " + source
    if free:
        body = "".join("    " + line + "\n" for line in text.split("\n"))
        text = "def around(" + ", ".join(free) + "):\n" + body
    text = "\n" * (first - 1) + text
    made = compile(text, "made", "exec", 0, True)
    for _ in range(2 if free else 1):
        made = [one for one in made.co_consts if hasattr(one, "co_code")][-1]
    return made


def main():
    for line in iter(sys.stdin.readline, ""):
        answers = []
        for source, free in json.loads(line):
            try:
                code = function_in(source, free, 3)
                answers.append(base64.b64encode(marshal.dumps(code)).decode("ascii"))
            except SyntaxError:
                answers.append(None)
        sys.stdout.write(json.dumps(answers) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
