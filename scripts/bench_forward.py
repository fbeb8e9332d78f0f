#!/usr/bin/env python3
"""Times mergeproof's forward pass in f32 against PyTorch's, in turn, on a Llama-shaped model of 0.7 billion weights.

    python3 scripts/bench_forward.py [--binary PATH] [--work DIR] [--tokens N] [--threads N] [--rounds N]
                                                                          (needs torch, transformers, safetensors)

Both evaluate one sequence and compute the logits of every position; PyTorch holds the weights in f32 in memory, mergeproof reads them from
the bf16 checkpoint. Prints tokens per second of both, and the ratio of each round.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):  # a pin would slow one side alone
    os.environ.pop(name, None)
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
import torch
import transformers
from safetensors.torch import save_file


def make_model(path):
    config = transformers.LlamaConfig(vocab_size=32000, hidden_size=2048, intermediate_size=4096, num_hidden_layers=16,
                                      num_attention_heads=32, num_key_value_heads=8)
    path.mkdir()
    with torch.device("meta"):
        shapes = {key: value.shape for key, value in transformers.LlamaForCausalLM(config).state_dict().items()}
    generator = torch.Generator().manual_seed(0)
    tensors = {key: (torch.ones(shape) if len(shape) == 1 else 0.02 * torch.randn(shape, generator=generator)).bfloat16()
               for key, shape in shapes.items()}
    save_file(tensors, path / "model.safetensors", metadata={"format": "pt"})
    config.architectures = ["LlamaForCausalLM"]
    config.save_pretrained(path)


def ours(options, model):
    words = [options.binary, "bench", "forward", model, "--tokens", options.tokens, "--threads", options.threads, "--rounds", 1,
             "--json"]
    report = json.loads(subprocess.run(list(map(str, words)), check=True, capture_output=True, text=True).stdout)
    return report["tokens_per_second"], report["core_type"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default=".build/release/mergeproof")
    parser.add_argument("--work", default=".")
    parser.add_argument("--tokens", type=int, default=512)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory(dir=options.work) as folder, torch.inference_mode():
        path = pathlib.Path(folder) / "model"
        make_model(path)
        model = transformers.LlamaForCausalLM.from_pretrained(path, dtype=torch.float32).eval()
        ids = torch.randint(0, 32000, (1, options.tokens), generator=torch.Generator().manual_seed(1))
        model(ids, use_cache=False)
        rates, ratios = {"PyTorch": [], "mergeproof": []}, []
        for _ in range(options.rounds):
            start = time.perf_counter()
            model(ids, use_cache=False)
            rates["PyTorch"].append(options.tokens / (time.perf_counter() - start))
            rate, core = ours(options, path)
            rates["mergeproof"].append(rate)
            ratios.append(rate / rates["PyTorch"][-1])
    for name, values in rates.items():
        print(f"{name:11} {statistics.median(values):8.1f} tokens/s  ({min(values):.1f} to {max(values):.1f})")
    print(f"ratio       {statistics.median(ratios):8.2f}           ({min(ratios):.2f} to {max(ratios):.2f})")
    print(f"PyTorch {torch.__version__}, transformers {transformers.__version__}; OpenBLAS kernels: {core}; {options.threads} threads")


if __name__ == "__main__":
    main()
