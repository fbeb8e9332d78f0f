#!/usr/bin/env python3
"""Tokenizes scripts/sentences.txt, one sentence per line, as sentence encoders of the BERT kind read them.

    python3 scripts/make_sentences.py TOKENIZER [OUTPUT]        (needs tokenizers)

TOKENIZER is the tokenizer.json of all-MiniLM-L6-v2. OUTPUT, Tests/Fixtures/sentences.jsonl unless said otherwise, gets an object per line:
input_ids, from [CLS] to [SEP] and without padding, and text. `mergeproof verify --tokens` and `evaluate` read it.
"""
import argparse
import json
import pathlib

import tokenizers


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tokenizer", type=pathlib.Path)
    parser.add_argument("output", nargs="?", default="Tests/Fixtures/sentences.jsonl", type=pathlib.Path)
    options = parser.parse_args()
    tokenizer = tokenizers.Tokenizer.from_file(str(options.tokenizer))
    tokenizer.no_padding()  # the file on the hub asks for both
    tokenizer.no_truncation()
    sentences = pathlib.Path(__file__).with_name("sentences.txt").read_text().splitlines()
    lines = [json.dumps({"input_ids": tokenizer.encode(text).ids, "text": text}) for text in sentences]
    options.output.write_text("".join(f"{line}\n" for line in lines))
    print(f"{len(lines)} sentences, {min(map(length, lines))} to {max(map(length, lines))} tokens")


def length(line):
    return len(json.loads(line)["input_ids"])


if __name__ == "__main__":
    main()
