#!/usr/bin/env python3
"""SMILE (arXiv 2408.10174) of BERT classifiers by mergeproof audit and by torch, which follows the paper's formulas: accuracies side by side.

    check_smile.py MERGEPROOF BASE MODEL=DATA.jsonl OTHER=DATA.jsonl [--examples 200] [--published MODEL]

Every linear map of a layer is W0 x + b0 and, of the rows that choose it, each model's U_k S_k V_k^T x + b_i - b0; a row chooses by |V_gate^T x|. Pooler
and classifier are each task's own. Ends with 1 where an accuracy differs by more than one point.
"""
import argparse
import copy
import functools
import json
import pathlib
import subprocess
import sys
import tempfile

import torch

from experts import accuracy, load_model, read_rows

CASES = [
    {"k": 16}, {"k": 128}, {"k": 0}, {"k": 16, "top_k": 2}, {"k": 128, "gate_k": 16}, {"k": 0, "average_experts": 1},
]


@functools.cache
def decomposed(model, base):
    """W - W0 of two modules, which stay in memory, and its singular values and vectors."""
    difference = (model.weight - base.weight).double()
    return difference, *torch.linalg.svd(difference, full_matrices=False)


class Routed(torch.nn.Module):
    def __init__(self, base, models, gate_k, k, top_k):
        super().__init__()
        self.base, self.top_k, self.gates, self.changes = base, top_k, [], []
        for model in models:
            difference, u, s, vt = decomposed(model, base)
            self.gates.append(vt[:gate_k].float())
            if 0 < k < s.numel():
                difference = (u[:, :k] * s[:k]) @ vt[:k]
            self.changes.append((difference.float(), model.bias - base.bias))

    def forward(self, x):
        lengths = torch.stack([torch.linalg.vector_norm(x @ gate.T, dim=-1) for gate in self.gates], dim=-1)
        shares, chosen = lengths.softmax(-1).topk(self.top_k, dim=-1)
        shares = shares / shares.sum(-1, keepdim=True)
        y = self.base(x)
        for number, (weight, bias) in enumerate(self.changes):
            share = (shares * (chosen == number)).sum(-1, keepdim=True)
            y = y + share * (x @ weight.T + bias)
        return y


def smile(base, models, task, gate_k=1, k=128, top_k=1, average_experts=0):
    """The routed body with the head of a task."""
    result = copy.deepcopy(models[task])
    bodies = [model.base_model for model in models]
    for name, module in base.base_model.named_modules():
        if name.startswith("pooler") or list(module.children()):
            continue
        target = result.base_model.get_submodule(name)
        if name.startswith("encoder.layer.") and isinstance(module, torch.nn.Linear):
            parent, last = name.rsplit(".", 1)
            routed = Routed(module, [body.get_submodule(name) for body in bodies], gate_k, k, top_k)
            setattr(result.base_model.get_submodule(parent), last, routed)
            continue
        for key, own in module.named_parameters():
            others = [body.get_submodule(name).get_parameter(key) for body in bodies]
            target.get_parameter(key).data = (sum(others) / len(others) if average_experts else own).data
    return result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("base", type=pathlib.Path)
    parser.add_argument("experts", nargs="+", help="MODEL=DATA.jsonl, the published one first")
    parser.add_argument("--published", type=pathlib.Path, help="a protected form of the first model")
    parser.add_argument("--examples", type=int, default=200)
    options = parser.parse_args()
    pairs = [tuple(pathlib.Path(part).resolve() for part in text.split("=")) for text in options.experts]
    published = (options.published or pairs[0][0]).resolve()
    cards = [json.dumps({"name": f"task {n}", "path": str(m), "data": str(d)}) for n, (m, d) in enumerate(pairs)]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "audit.yml").write_text("\n".join([
            f"base: {options.base.resolve()}", f"model: {cards[0]}", f"others: [{', '.join(cards[1:])}]",
            f"examples: {options.examples}", f"protections: [{{name: published, path: {published}}}]", "attacks: [none]",
            f"merges: {json.dumps([{'method': 'smile', **case} for case in CASES])}", "barrier_points: 0", ""]))
        subprocess.run(
            [options.program, "audit", folder / "audit.yml", "-o", folder / "report", "--quiet"], check=True,
            stdout=subprocess.DEVNULL)
        results = json.loads((folder / "report/results.json").read_text())
    merges = results["protections"][0]["attacks"][0]["merges"]
    base, models = load_model(options.base), [load_model(path) for path in [published, *(m for m, _ in pairs[1:])]]
    rows = [read_rows(data)[:options.examples] for _, data in pairs]
    worst = 0
    for case, merge in zip(CASES, merges):
        own = merge["candidates"][0]["scores"]["accuracies"]
        other = [accuracy(smile(base, models, task, **case), rows[task]) for task in range(len(pairs))]
        worst = max(worst, *(abs(a - b) for a, b in zip(own, other)))
        print(f"{merge['name']:34}", *(f"{a:.3f} {b:.3f}" for a, b in zip(own, other)), sep="   ", flush=True)
    print(f"largest difference {worst:.3f} (mergeproof, then torch, of each task)")
    sys.exit(worst > 0.01)


if __name__ == "__main__":
    with torch.no_grad():
        main()
