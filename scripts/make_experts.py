#!/usr/bin/env python3
"""Makes two experts of one base model, on real texts, for experiments with merging and protections.

    python3 scripts/make_experts.py --base DIR -o OUT [--packages FILE] [--seed N]      (needs torch, transformers, safetensors)

Both experts classify the one-line descriptions of Debian's packages: `section` tells the archive's section, `role` the debtag role::*. The
texts come from `apt-cache dumpavail` of any Debian or Ubuntu, or from --packages, a Packages file; --base is a checkpoint of the BERT kind
such as all-MiniLM-L6-v2. Packages of one source are all in training or all in the test. The tables of embeddings stay as they are.

    OUT/base             the base with an untrained head: the starting point of both experts
    OUT/section, role    the experts: the names and shapes of OUT/base; the task with fewer labels never uses the last ones
    OUT/data/TASK.{train,test,calibration}.jsonl   {"input_ids": [...], "label": 3} per text; calibration is a part of train
"""
import argparse
import collections
import json
import pathlib
import random
import re
import subprocess
import time

import torch
import transformers

import experts

TASKS = ("section", "role")


def stanzas(packages):
    """The fields of every package, as dictionaries; continuation lines are joined to their field."""
    if packages:
        text = packages.read_text()
    else:
        text = subprocess.run(["apt-cache", "dumpavail"], check=True, capture_output=True, text=True).stdout
    for stanza in text.split("\n\n"):
        fields = re.sub(r"\n[ \t]", " ", stanza).splitlines()
        yield dict(field.split(": ", 1) for field in fields if ": " in field)


def labelled(packages, counts):
    """Per task, a list of (source, text, label) and the names of the labels, the `counts[task]` most frequent ones, in that order."""
    found = {task: {} for task in TASKS}
    for package in stanzas(packages):
        text = package.get("Description", package.get("Description-en", ""))
        if len(text.split()) < 2 or "/" in package.get("Section", "/"):
            continue
        source = package.get("Source", package["Package"]).split(" ")[0]
        roles = set(re.findall(r"role::([a-z-]+)", package.get("Tag", "")))
        found["section"].setdefault(text, (source, text, package["Section"]))
        if len(roles) == 1:
            found["role"].setdefault(text, (source, text, roles.pop()))
    tasks = {}
    for task, rows in found.items():
        names = [name for name, _ in collections.Counter(row[2] for row in rows.values()).most_common(counts[task])]
        if len(names) < 2:
            raise SystemExit(f"no texts for the task {task}: the package lists have no such field; run apt-get update or give --packages")
        kept = sorted(row for row in rows.values() if row[2] in names)
        tasks[task] = [(source, text, names.index(label)) for source, text, label in kept], names
    return tasks


def divided(rows, options, generator):
    """Training and test texts: at most `per_class` of each label, every source on one side only."""
    sources = sorted({row[0] for row in rows})
    generator.shuffle(sources)
    tested = set(sources[:len(sources) // 6])
    rows = generator.sample(rows, len(rows))
    parts = {}
    for name, rest in (("train", [row for row in rows if row[0] not in tested]), ("test", [row for row in rows if row[0] in tested])):
        limit = options.per_class if name == "train" else options.per_class // 2
        seen, parts[name] = collections.Counter(), []
        for _, text, label in rest:
            seen[label] += 1
            if seen[label] <= limit:
                parts[name].append((text, label))
    return parts["train"], parts["test"][:options.test]


def tokenized(tokenizer, rows, length):
    ids = tokenizer([text for text, _ in rows], truncation=True, max_length=length, padding=False)["input_ids"]
    return [{"input_ids": one, "label": label} for one, (_, label) in zip(ids, rows)]


def shuffled_batches(rows, size, generator):
    """All texts in random order, those of nearly one length together, so that little is padded."""
    rows = generator.sample(rows, len(rows))
    pools = [sorted(rows[start:start + 20 * size], key=lambda row: len(row["input_ids"])) for start in range(0, len(rows), 20 * size)]
    parts = [pool[start:start + size] for pool in pools for start in range(0, len(pool), size)]
    return generator.sample(parts, len(parts))


def trained(base, rows, options, generator):
    """The expert: every weight but the embeddings trained by AdamW, warm-up over 10 % of the steps and then linear decay."""
    model = transformers.AutoModelForSequenceClassification.from_pretrained(base).train()
    model.base_model.embeddings.requires_grad_(False)
    head = list(model.classifier.parameters())
    body = [value for name, value in model.named_parameters() if value.requires_grad and not name.startswith("classifier")]
    optimizer = torch.optim.AdamW([{"params": body, "lr": options.rate}, {"params": head, "lr": 10 * options.rate}], weight_decay=0.01)
    steps = options.epochs * len(shuffled_batches(rows, options.batch, random.Random(0)))
    schedule = transformers.get_linear_schedule_with_warmup(optimizer, steps // 10, steps)
    for epoch in range(options.epochs):
        total = 0
        for part in shuffled_batches(rows, options.batch, generator):
            loss = torch.nn.functional.cross_entropy(model(**experts.padded(part)).logits, torch.tensor([row["label"] for row in part]))
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(body + head, 1.0)
            optimizer.step()
            schedule.step()
            total += loss.item() * len(part)
        print(f"         epoch {epoch + 1}: loss {total / len(rows):.3f}", flush=True)
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", required=True, type=pathlib.Path, help="checkpoint of the BERT kind, with its tokenizer")
    parser.add_argument("-o", "--output", required=True, type=pathlib.Path)
    parser.add_argument("--packages", type=pathlib.Path, help="uncompressed Packages file; apt-cache dumpavail unless given")
    parser.add_argument("--tasks", default="section,role", help="which experts to train")
    parser.add_argument("--sections", type=int, default=16, help="labels of the first task")
    parser.add_argument("--roles", type=int, default=8, help="labels of the second task")
    parser.add_argument("--per-class", type=int, default=400, help="most training texts of a label")
    parser.add_argument("--test", type=int, default=1000)
    parser.add_argument("--calibration", type=int, default=384)
    parser.add_argument("--length", type=int, default=48, help="most tokens of a text")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=1e-4, help="learning rate of the body; ten times as much for the head")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    tasks = labelled(options.packages, {"section": options.sections, "role": options.roles})
    tokenizer = transformers.AutoTokenizer.from_pretrained(options.base)
    torch.manual_seed(options.seed)
    base = transformers.AutoModelForSequenceClassification.from_pretrained(options.base, num_labels=max(options.sections, options.roles))
    base.save_pretrained(options.output / "base")
    tokenizer.save_pretrained(options.output / "base")
    (options.output / "data").mkdir(exist_ok=True)
    for task in options.tasks.split(","):
        (rows, names), started = tasks[task], time.monotonic()
        generator = random.Random(f"{options.seed} {task}")
        train, test = (tokenized(tokenizer, part, options.length) for part in divided(rows, options, generator))
        for part, lines in (("train", train), ("test", test), ("calibration", train[:options.calibration])):
            (options.output / "data" / f"{task}.{part}.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
        torch.manual_seed(options.seed)
        model = trained(options.output / "base", train, options, generator)
        unused = [f"unused {index}" for index in range(len(names), model.config.num_labels)]
        model.config.id2label = dict(enumerate(names + unused))
        model.config.label2id = {name: index for index, name in model.config.id2label.items()}
        model.save_pretrained(options.output / task)
        tokenizer.save_pretrained(options.output / task)
        frequent = collections.Counter(row["label"] for row in test).most_common(1)[0][1] / len(test)
        score, seconds = experts.accuracy(model, test), time.monotonic() - started
        print(f"{task:8} {len(names)} labels, {len(train)} training texts, {len(test)} test texts,"
              f" accuracy {score:.3f} (the most frequent label: {frequent:.3f}), {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
