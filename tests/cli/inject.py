"""Reads documents before and after `forge inject` with Python's readers, and compares their trees.

Arguments: a format, the document with references, the filled one, and a JSON file of the values by name of the reference.
"""

import io
import json
import re
import sys

import dotenv
import yaml

REFERENCE = re.compile(r"(\$?)\$\{secret:([^}]*)\}")


def ini(text):
    import configparser

    reader = configparser.RawConfigParser()
    reader.optionxform = str
    reader.read_string(text)
    return {section: dict(reader[section]) for section in reader.sections()}


def toml(text):
    import tomllib

    return tomllib.loads(text)


READERS = {
    "yaml": lambda text: list(yaml.safe_load_all(text)),
    "json": json.loads,
    "toml": toml,
    "dotenv": lambda text: dict(dotenv.dotenv_values(stream=io.StringIO(text, newline=None), interpolate=False)),
    "ini": ini,
}


def filled(tree, values):
    """The tree with each reference of a string replaced, escapes undone, and all else as it is."""
    if isinstance(tree, str):
        return REFERENCE.sub(lambda m: m.group(0)[1:] if m.group(1) else values[m.group(2)], tree)
    if isinstance(tree, list):
        return [filled(below, values) for below in tree]
    if isinstance(tree, dict):
        return {name: filled(below, values) for name, below in tree.items()}
    return tree


def main():
    name, before, after, values = sys.argv[1:]
    values = json.load(open(values, encoding="utf-8"))
    texts = [open(file, encoding="utf-8", newline="").read() for file in (before, after)]
    one, other = (READERS[name](text) for text in texts)
    expected = filled(one, values)
    # The order of names counts, too.
    shown = [json.dumps(tree, default=str) for tree in (expected, other)]
    if expected != other or shown[0] != shown[1]:
        for wanted, got in zip(expected if isinstance(expected, list) else expected.items(), other if isinstance(other, list) else other.items()):
            if wanted != got:
                sys.exit(f"{name}: {wanted!r}\nis {got!r}")
        sys.exit(f"{name}: names differ")
    print(len(REFERENCE.findall(texts[0])))


main()
