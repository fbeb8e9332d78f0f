#!/usr/bin/env python3
"""Attacks a protected expert of the BERT kind with the public base at hand, and merges it with another expert.

    python3 scripts/attack_experts.py --base DIR --protected DIR --other DIR --data DIR [--expert DIR] [--json FILE]
                                                                          (needs torch, transformers, safetensors, scipy)

DIR are those that scripts/make_experts.py writes; --protected is what `mergeproof protect` made of the first task's expert. A merge is task
arithmetic: base + c (protected - base) + c (other - base) on the body, evaluated for each task under that task's own pooler and head.

The coupled attack estimates the element of every site alone, so that what it recovers still computes what the protected model computes.
With [L, R] = [V, Oᵀ] or [K, Q] of a head, biases beside the weights, a lock is L = A L₁, R = A⁻ᵀ R₁ and fine-tuning leaves L₁ near the
base's L₀. T = A⁻¹ is estimated in the metric of the inputs: the identity, or E[x̃ x̃ᵀ] in the base, over texts, over random token ids (no
data is needed) or as the gains and biases of its norms foretell it (nothing is evaluated):

    forward   input: argmin |T L - L₀|      output: argmin |T⁻ᵀ R - R₀|    both: argmin |T L - L₀|² + |R - Tᵀ R₀|²
    reverse   input: argmin |L - T⁻¹ L₀|    output: argmin |R - Tᵀ R₀|

then L ← T L, R ← T⁻ᵀ R. After `reverse` every head's scale is set so that |L| / |R| is the base's. Heads are matched first, on their
circuits, unless --keep-heads says that they were not permuted, and MLP channels by a linear assignment on the cosines of their rows. The
residual stream must lie where the base's does.
"""
import argparse
import json
import pathlib

import scipy.linalg
import scipy.optimize
import torch

import experts


def matched(scores):
    """For each base row the protected column of the assignment with the largest sum."""
    return torch.from_numpy(scipy.optimize.linear_sum_assignment(scores.numpy(), maximize=True)[1])


def solve(gram, cross):
    """cross · gram⁻¹, by the pseudo-inverse where the gram matrix has no inverse."""
    return cross @ torch.linalg.pinv(gram, rtol=1e-13, hermitian=True)


def forward(protected, base, metric):
    """argmin_T of |T protected - base| in the metric."""
    return solve(protected @ metric @ protected.T, base @ metric @ protected.T)


def size(matrix, metric):
    return (matrix @ metric * matrix).sum().sqrt()


def estimated(left, right, left0, right0, metrics, anchor, fit):
    """T for one head; `metrics` of the inputs of left and right."""
    ml, mr = metrics
    if fit == "reverse":
        element = forward(left0, left, ml).inverse() if anchor != "output" else forward(right0, right, mr).T
        ratio = size(element.inverse().T @ right, mr) / size(element @ left, ml)
        return element * (ratio * size(left0, ml) / size(right0, mr)).sqrt()
    if anchor == "input":
        return forward(left, left0, ml)
    if anchor == "output":
        return forward(right, right0, mr).inverse().T
    total = torch.eye(len(left), dtype=left.dtype)
    a, b = 1 / (left0 @ ml @ left0.T).trace(), 1 / (right0 @ mr @ right0.T).trace()
    for _ in range(3):  # a Sylvester equation, again in coordinates where T is nearly the identity
        step = torch.from_numpy(scipy.linalg.solve_sylvester(
            (b * right0 @ mr @ right0.T).numpy(), (a * left @ ml @ left.T).numpy(),
            (a * left0 @ ml @ left.T + b * right0 @ mr @ right.T).numpy()))
        total, left, right = step @ total, step @ left, step.inverse().T @ right
    return total


def circuits(pair, pair0, metrics, heads):
    """The cosines of the circuits RᵀL of all heads of two models, the base's by rows: no lock of a head changes them."""
    def products(one, two):
        each = [a @ metric @ b.T for a, b, metric in zip(one, two, metrics)]
        return (each[0] * each[1]).unflatten(0, (heads, -1)).unflatten(2, (heads, -1)).sum((1, 3))
    return products(pair0, pair) / (products(pair0, pair0).diagonal().outer(products(pair, pair).diagonal())).sqrt()


def align_attention(weights, base, layer, metric, options):
    """Matches the heads and applies the estimated elements to them."""
    def sites(each):
        return [(layer.matrix(each, layer.value), each[f"{layer.output}.weight"].T),
                (layer.matrix(each, layer.key), layer.matrix(each, layer.query))]
    metrics = [(metric, torch.eye(len(metric) - 1, dtype=metric.dtype)), (metric, metric)]
    own, theirs = sites(weights), sites(base)
    order = torch.arange(layer.heads)
    if not options.keep_heads:
        order = matched(sum(circuits(pair, pair0, m, layer.heads) for pair, pair0, m in zip(own, theirs, metrics)))
    moved = []
    for (left, right), (left0, right0), m in zip(own, theirs, metrics):
        new = torch.empty_like(left), torch.empty_like(right)
        for head, source in enumerate(order.tolist()):
            to, of = layer.rows(head), layer.rows(source)
            element = estimated(left[of], right[of], left0[to], right0[to], m, options.anchor, options.fit)
            new[0][to], new[1][to] = element @ left[of], element.inverse().T @ right[of]
        moved.append(new)
    (value, output), (key, query) = moved
    for name, matrix in ((layer.value, value), (layer.key, key), (layer.query, query)):
        layer.write(weights, name, matrix)
    weights[f"{layer.output}.weight"] = output.T.contiguous()


def align_mlp(weights, base, layer, metric, anchor):
    def cosines(own, theirs, metric):
        own, theirs = (each / (each @ metric * each).sum(1, keepdim=True).sqrt() for each in (own, theirs))
        return theirs @ metric @ own.T
    rows, columns = (lambda each: layer.matrix(each, layer.up)), (lambda each: each[f"{layer.down}.weight"].T)
    scores = 0
    if anchor != "output":
        scores = scores + cosines(rows(weights), rows(base), metric)
    if anchor != "input":
        scores = scores + cosines(columns(weights), columns(base), torch.eye(len(metric) - 1, dtype=metric.dtype))
    order = matched(scores)
    layer.write(weights, layer.up, rows(weights)[order])
    weights[f"{layer.down}.weight"] = columns(weights)[order].T.contiguous()


def aligned(weights, base, config, metrics, options):
    """The protected model in the base's coordinates."""
    weights = dict(weights)
    for layer in experts.layers(config):
        plain = torch.eye(config.hidden_size + 1, dtype=torch.float64)
        align_attention(weights, base, layer, metrics.get(layer.value, plain), options)
        align_mlp(weights, base, layer, metrics.get(layer.up, plain), options.anchor)
    return weights


def heads(weights):
    return {name: value for name, value in weights.items() if name.startswith(("classifier.", "bert.pooler."))}


class Judge:
    """Evaluates what an attacker holds: the protected model `own` and another expert."""

    def __init__(self, options, base):
        self.base, self.share = base, options.coefficient
        self.other = experts.read_weights(options.other)
        self.tests = [experts.read_rows(options.data / f"{task}.test.jsonl")[:options.limit] for task in options.tasks.split(",")]
        self.model, self.embeddings = experts.load_model(options.protected), {}

    def alone(self, own):
        """The protected task's logits and accuracy."""
        found = experts.logits(experts.with_weights(self.model, own), self.tests[0])
        return found, experts.score(found, self.tests[0])

    def merge(self, own, part):
        return {name: base + self.share * (own[name] - base) + self.share * (self.other[name] - base)
                for name, base in self.base.items() if name.startswith(f"bert.{part}.") and base.is_floating_point()}

    def merged(self, own):
        """Accuracies of both tasks after the merge. No attack here moves embeddings, so that they are merged once."""
        self.embeddings = self.embeddings or self.merge(own, "embeddings")
        body = self.embeddings | self.merge(own, "encoder")
        return [experts.accuracy(experts.with_weights(self.model, body | heads(expert)), rows)
                for expert, rows in zip((own, self.other), self.tests)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, text in (("base", "public base of both experts"), ("protected", "what is attacked"), ("other", "expert to merge it with")):
        parser.add_argument(f"--{name}", required=True, type=pathlib.Path, help=text)
    parser.add_argument("--expert", type=pathlib.Path, help="the expert before protection, to compare with")
    parser.add_argument("--data", required=True, type=pathlib.Path, help="folder of the tasks' texts")
    parser.add_argument("--tasks", default="section,role", help="the protected model's task and the other's")
    parser.add_argument("--coefficient", type=float, default=0.5)
    parser.add_argument("--limit", type=int, help="test texts of each task; all unless given")
    parser.add_argument("--metrics", default="identity,texts", help="of identity, texts, random, norms")
    parser.add_argument("--anchors", default="both", help="of both, input, output: which sides of a site are fitted")
    parser.add_argument("--fits", default="forward", help="of forward, reverse")
    parser.add_argument("--keep-heads", action="store_true", help="take every head for the base's head of that number")
    parser.add_argument("--json", type=pathlib.Path, help="file for all figures")
    options = parser.parse_args()

    base, protected = experts.read_weights(options.base), experts.read_weights(options.protected)
    judge, table = Judge(options, base), []
    texts = [row for task in options.tasks.split(",") for row in experts.read_rows(options.data / f"{task}.calibration.jsonl")]
    model = experts.load_model(options.base)
    metrics = {"identity": {}, "norms": experts.norm_metrics(base, model.config)}
    for name in set(options.metrics.split(",")) - set(metrics):
        rows = texts if name == "texts" else experts.random_rows(len(texts), model.config.vocab_size, texts)
        metrics[name] = experts.input_metrics(model, rows)
    original, _ = judge.alone(protected)

    def add(name, weights):
        moving = [key for key in base if key.startswith("bert.encoder.")]
        far = sum((weights[key] - base[key]).square().sum() for key in moving) / sum(base[key].square().sum() for key in moving)
        found, alone = judge.alone(weights)
        row = {"attack": name, "alone": alone, "merged": judge.merged(weights), "distance": far.sqrt().item(),
               "drift": ((found - original).norm() / original.norm()).item()}
        table.append(row)
        print(f"{name:32} {row['alone']:6.3f} {row['merged'][0]:9.3f} {row['merged'][1]:6.3f} {row['distance']:9.4f} {row['drift']:8.1e}",
              flush=True)

    print(f"{'attack':32} {'alone':>6} {'merged':>9} {'other':>6} {'distance':>9} {'drift':>8}")
    if options.expert:
        add("unprotected", experts.read_weights(options.expert))
    add("protected, no attack", protected)
    for fit in options.fits.split(","):
        for anchor in options.anchors.split(","):
            for metric in options.metrics.split(","):
                if (fit, anchor) != ("reverse", "both"):  # reverse on one side is forward on the other
                    options.fit, options.anchor = fit, anchor
                    add(f"{fit}, {anchor}, {metric}", aligned(protected, base, model.config, metrics[metric], options))
    if options.json:
        report = {"coefficient": options.coefficient, "tasks": options.tasks.split(","), "rows": table}
        options.json.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
