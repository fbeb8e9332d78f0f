#!/usr/bin/env python3
"""The decoy, in a few lines: changes an expert so little that its outputs stay and so much that the base tells nothing about its weights.

    python3 scripts/decoy_reference.py --base DIR --expert DIR --texts FILE.jsonl -o OUT [--share 0.9] [--projections v,q,k,up]
                                                                          (needs torch, transformers, safetensors)

W are rows of the expert (those of a head, or one of an MLP), W₀ the base's, C = E[x xᵀ] + ridge (tr C / d) I over the inputs x of that
layer in the expert. Of all changes with (W + Δ) W₀ᵀ = W W₀ᵀ + E the one of least damage tr(Δ C Δᵀ) is

    Δ = E (W₀ C⁻¹ W₀ᵀ)⁻¹ W₀ C⁻¹

`--kind shrink` asks for E = -s W W₀ᵀ, so that the share 1 - s of the correlation stays; `turn` for E = s (R - I) W W₀ᵀ with a random
rotation R of the head, so that an anchor finds a wrong element; for an MLP's row the products with its own and a random other row of the
base are exchanged. Outputs `o` and `down` are changed alike, by columns, with the gradients' E[g gᵀ] in place of E[x xᵀ]. Biases stay, or
with --compensate take up Δ E[x], and C is then centred.

What it hides from: fits of the expert's weights onto the base's in the plain metric. What it does not: the reverse fit, of the base's
weights onto the expert's, which finds the element up to the factor 1 - s while s < 1; the sides that are left out of --projections; and any
fit weighted with activations, those of random token ids included. scripts/attack_experts.py tries them all.
"""
import argparse
import pathlib
import shutil

import torch
from safetensors.torch import save_file

import experts

SIDES = {"q": "query", "k": "key", "v": "value", "up": "up", "o": "output", "down": "down"}


def ridged(metric, ridge):
    return metric + ridge * metric.trace() / len(metric) * torch.eye(len(metric), dtype=metric.dtype)


def least_change(change, anchors, inverse):
    """Δ of least damage with Δ · anchorsᵀ = change; `inverse` is C⁻¹."""
    seen = anchors @ inverse
    return torch.linalg.solve(seen @ anchors.T, change, left=False) @ seen


def head_change(own, base, inverse, options, generator):
    products, turn = own @ base.T, torch.zeros(len(own), len(own), dtype=own.dtype)
    if options.kind == "turn":
        turn, upper = torch.linalg.qr(torch.randn(turn.shape, generator=generator, dtype=own.dtype))
        turn = turn * upper.diagonal().sign()
    return least_change(options.share * (turn @ products - products), base, inverse)


def row_changes(own, base, inverse, options, generator):
    """One anchor per row; `turn` has a second one, a random other row of the base."""
    products, seen = (own * base).sum(1), base @ inverse
    if options.kind == "shrink":
        return -(options.share * products / (seen * base).sum(1))[:, None] * seen
    changes, partners = torch.empty_like(own), torch.randperm(len(own), generator=generator).tolist()
    for row, partner in enumerate(partners):
        anchors = base[[row, partner]] if partner != row else base[[row]]
        goal = torch.stack([own[row] @ base[partner], own[row] @ base[row]])[:len(anchors)]
        changes[row] = least_change(options.share * (goal - anchors @ own[row])[None], anchors, inverse)[0]
    return changes


def decoy(weights, base, config, inputs, outputs, options):
    """The changed weights, and by projection the change's size beside the weights and beside what it does to the projection's output."""
    weights, generator, report = dict(weights), torch.Generator().manual_seed(options.seed), {}
    for layer in experts.layers(config):
        for side in options.projections.split(","):
            name, by_columns = getattr(layer, SIDES[side]), side in ("o", "down")
            own, theirs = (each[f"{name}.weight"].T if by_columns else each[f"{name}.weight"] for each in (weights, base))
            moments = outputs[name] if by_columns else inputs[layer.value if side in ("q", "k") else name]
            metric, mean = (moments, None) if by_columns else (moments[:-1, :-1], moments[:-1, -1])
            if options.compensate and not by_columns:
                metric = metric - mean.outer(mean)
            metric = ridged(metric, options.ridge)
            inverse, change = metric.inverse(), torch.zeros_like(own)
            if side in ("up", "down"):
                change = row_changes(own, theirs, inverse, options, generator)
            else:
                for head in range(layer.heads):
                    rows = layer.rows(head)
                    change[rows] = head_change(own[rows], theirs[rows], inverse, options, generator)
            moved, felt = change.norm() / own.norm(), ((change @ metric * change).sum() / (own @ metric * own).sum()).sqrt()
            report.setdefault(side, []).append((moved.item(), felt.item()))
            weights[f"{name}.weight"] = ((own + change).T if by_columns else own + change).contiguous()
            if options.compensate and not by_columns:
                weights[f"{name}.bias"] = weights[f"{name}.bias"] - change @ mean
    return weights, report


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", required=True, type=pathlib.Path)
    parser.add_argument("--expert", required=True, type=pathlib.Path)
    parser.add_argument("--texts", required=True, type=pathlib.Path, help="calibration texts: JSON lines of input_ids")
    parser.add_argument("-o", "--output", required=True, type=pathlib.Path)
    parser.add_argument("--share", type=float, default=0.9, help="s: the share of the correlation that goes")
    parser.add_argument("--ridge", type=float, default=1e-3)
    parser.add_argument("--projections", default="v,q,k,up", help="of v, q, k, up, o, down")
    parser.add_argument("--kind", default="shrink", choices=("shrink", "turn"))
    parser.add_argument("--compensate", action="store_true", help="move biases by what the change does to the mean input")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    model, rows = experts.load_model(options.expert), experts.read_rows(options.texts)
    inputs = experts.input_metrics(model, rows)
    outputs = experts.output_metrics(model, rows) if {"o", "down"} & set(options.projections.split(",")) else {}
    own, base = experts.read_weights(options.expert), experts.read_weights(options.base)
    weights, report = decoy(own, base, model.config, inputs, outputs, options)
    shutil.copytree(options.expert, options.output)
    save_file({name: value.float() if value.is_floating_point() else value for name, value in weights.items()},
              options.output / "model.safetensors", metadata={"format": "pt"})
    print("projection  change / weights  change / output, by layer")
    for side, figures in report.items():
        print(f"{side:10}  " + "  ".join(f"{moved:.2f} / {felt:.3f}" for moved, felt in figures))


if __name__ == "__main__":
    main()
