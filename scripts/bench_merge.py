#!/usr/bin/env python3
"""Times merges beside mergekit's and beside `cat` of the inputs, in turn, on a Llama-shaped pair of 1.5 GB each in bf16 and its base.

    python3 scripts/bench_merge.py MERGEPROOF [--rounds N] [--work DIR]                (needs torch, safetensors, mergekit 0.1.5 beside this Python)

`cat` writes as many bytes as a merge does, half of each input, and syncs. Memory is the largest resident set, mapped pages of inputs among it.
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import torch
from safetensors.torch import save_file

WIDTH, LAYERS, HIDDEN, WORDS, KEYS = 2048, 14, 5632, 32000, 512


def make(folder):
    shapes = {"model.embed_tokens.weight": (WORDS, WIDTH), "lm_head.weight": (WORDS, WIDTH), "model.norm.weight": (WIDTH,)}
    for layer in range(LAYERS):
        for name, shape in (("self_attn.q_proj", (WIDTH, WIDTH)), ("self_attn.k_proj", (KEYS, WIDTH)), ("self_attn.v_proj", (KEYS, WIDTH)),
                            ("self_attn.o_proj", (WIDTH, WIDTH)), ("mlp.gate_proj", (HIDDEN, WIDTH)), ("mlp.up_proj", (HIDDEN, WIDTH)),
                            ("mlp.down_proj", (WIDTH, HIDDEN)), ("input_layernorm", (WIDTH,)), ("post_attention_layernorm", (WIDTH,))):
            shapes[f"model.layers.{layer}.{name}.weight"] = shape
    config = dict(architectures=["LlamaForCausalLM"], model_type="llama", hidden_size=WIDTH, intermediate_size=HIDDEN, num_hidden_layers=LAYERS,
                  num_attention_heads=32, num_key_value_heads=8, vocab_size=WORDS, max_position_embeddings=2048, rms_norm_eps=1e-5, hidden_act="silu",
                  tie_word_embeddings=False, dtype="bfloat16", rope_theta=10000.0)
    generator = torch.Generator().manual_seed(0)
    base = {name: torch.ones(shape) if len(shape) == 1 else torch.randn(shape, generator=generator) * 0.02 for name, shape in shapes.items()}
    for name in ("base", "a", "b"):
        moved = base if name == "base" else {key: value + torch.randn(value.shape, generator=generator) * 0.002 for key, value in base.items()}
        (folder / name).mkdir(parents=True, exist_ok=True)
        save_file({key: value.to(torch.bfloat16) for key, value in moved.items()}, folder / name / "model.safetensors", metadata={"format": "pt"})
        (folder / name / "config.json").write_text(json.dumps(config))


def run(command, output):
    """Seconds and the largest resident set of a process, what it wrote synced."""
    shutil.rmtree(output, ignore_errors=True)
    os.sync()
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    os.sync()
    if status:
        raise SystemExit(f"failed: {' '.join(map(str, command))}")
    return time.monotonic() - started, usage.ru_maxrss * 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mergeproof", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--work", type=pathlib.Path)
    options = parser.parse_args()
    work = options.work or pathlib.Path(tempfile.mkdtemp())
    if not (work / "b" / "config.json").exists():
        make(work)
    mergekit = pathlib.Path(sys.executable).parent / "mergekit-yaml"
    models = [{"model": str(work / name), "parameters": {"weight": 0.5, "density": 0.5}} for name in ("a", "b")]
    size = (work / "a" / "model.safetensors").stat().st_size
    commands = {"cat": ["sh", "-c", f"mkdir {work}/out && (head -c {size // 2} {work}/a/model.safetensors; head -c {size // 2} {work}/b/model.safetensors) "
                                    f"| cat > {work}/out/model && sync"]}
    for method in ("linear", "ties"):
        config = dict(merge_method=method, models=models, dtype="bfloat16", **({} if method == "linear" else {"base_model": str(work / "base")}))
        path = work / f"{method}.yml"
        path.write_text(json.dumps(config))
        commands[f"mergeproof {method}"] = [options.mergeproof, "merge", path, "-o", work / "out", "--quiet"]
        commands[f"mergekit {method}"] = [mergekit, path, work / "out", "--no-copy-tokenizer", "--quiet"]
    found = {name: [] for name in commands}
    for _ in range(options.rounds):
        for name, command in commands.items():
            found[name].append(run(command, work / "out"))
    shutil.rmtree(work / "out", ignore_errors=True)
    cat = statistics.median(seconds for seconds, _ in found["cat"])
    print(f"{'command':20} {'median s':>9} {'range':>16} {'times cat':>10} {'mergekit / this':>16} {'peak memory':>12}")
    for name, runs in found.items():
        seconds = [each for each, _ in runs]
        beside = ""
        if name.startswith("mergeproof"):
            other = [each for each, _ in found[name.replace("mergeproof", "mergekit")]]
            beside = f"{statistics.median(b / a for a, b in zip(seconds, other)):.1f}"
        print(f"{name:20} {statistics.median(seconds):9.2f} {f'{min(seconds):.2f} to {max(seconds):.2f}':>16} {statistics.median(seconds) / cat:10.2f}"
              f" {beside:>16} {max(size for _, size in runs) / 2 ** 20:8.0f} MiB")
    print(f"{size / 1e9:.2f} GB each, {options.rounds} rounds in turn")


if __name__ == "__main__":
    main()
