#!/usr/bin/env python3
"""Checks with Hugging Face transformers that protected models compute what the originals compute, and that restoring gives them back.

    python3 scripts/check_transformers.py [--binary PATH] [--fixtures DIR] [--model DIR ...]     (needs torch, transformers, safetensors)

Every model in DIR, and every --model, is protected by each method and sampler, verified, restored, and evaluated in f32 and, with the stored
weights cast up, in f64. Relative errors are norms over the whole output. Exit code 1 when a limit is passed.
"""
import argparse
import json
import logging
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ["TRANSFORMERS_VERBOSITY"] = "error"
os.environ["HF_HUB_OFFLINE"] = "1"
import torch
import transformers
from safetensors import safe_open
from safetensors.torch import load_file

transformers.utils.logging.disable_progress_bar()
logging.getLogger("transformers").setLevel(logging.ERROR)

METHODS = [("mergelock", "dq"), ("mergelock", "conditioned"), ("mergelock", "orthogonal"), ("lossless", None)]
F32_LIMIT, F64_LIMIT, RESTORE_LIMIT = 5e-6, 2e-6, 1e-6


def weights(directory):
    tensors = {}
    for file in sorted(pathlib.Path(directory).glob("*.safetensors")):
        tensors.update(load_file(file))
    return tensors


def evaluate(directory, inputs, dtype):
    """Outputs of a model whose stored weights are cast to dtype; nothing may be missing or left over."""
    config = transformers.AutoConfig.from_pretrained(directory)
    names = config.architectures or []
    kind = getattr(transformers, names[0]) if names else transformers.AutoModel
    model, info = kind.from_pretrained(directory, config=config, output_loading_info=True, dtype=dtype,
                                       attn_implementation="eager")
    missing = [key for key in info["missing_keys"] if "position_ids" not in key]
    left = [key for key in info["unexpected_keys"] if "position_ids" not in key]
    assert not missing and not left, (directory, missing, left)
    cast = {key: value.to(dtype) if value.is_floating_point() else value for key, value in inputs.items()}
    with torch.no_grad():
        result = model.eval()(**cast)
    return (result.logits if hasattr(result, "logits") else result.last_hidden_state).double()


def relative(a, b):
    return ((a - b).norm() / a.norm()).item()


def inputs_of(directory, references):
    reference = references / f"{pathlib.Path(directory).name}.safetensors"
    if reference.exists():
        return {key: value for key, value in load_file(reference).items() if not key.startswith("output")}
    vocabulary = json.loads((pathlib.Path(directory) / "config.json").read_text())["vocab_size"]
    ids = torch.randint(1000, vocabulary, (4, 64), generator=torch.Generator().manual_seed(7))
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def restoring_error(original, restored, method):
    """Largest relative error of a tensor; for lossless 0 or infinite."""
    a, b = weights(original), weights(restored)
    assert a.keys() == b.keys()
    if method == "lossless":
        return 0.0 if all(torch.equal(a[key].view(torch.uint8), b[key].view(torch.uint8)) for key in a) else float("inf")
    floating = [key for key in a if a[key].is_floating_point()]
    return max(relative(a[key].double(), b[key].double()) for key in floating)


def roundoff(directory):
    """Unit roundoff of the coarsest weights in units of that of f32."""
    file = next(iter(sorted(pathlib.Path(directory).glob("*.safetensors"))))
    with safe_open(file, "pt") as tensors:
        types = {tensors.get_slice(name).get_dtype() for name in tensors.keys()}
    return 2.0**16 if "BF16" in types else 2.0**13 if "F16" in types else 1.0


def check(directory, binary, key, references, scratch):
    inputs = inputs_of(directory, references)
    single, double = (evaluate(directory, inputs, dtype) for dtype in (torch.float32, torch.float64))
    scale = roundoff(directory)
    failures = 0
    for number, (method, sampler) in enumerate(METHODS):
        protected, restored = scratch / f"protected-{number}", scratch / f"restored-{number}"
        choice = ["--sampler", sampler] if sampler else []
        run = lambda *words: subprocess.run([binary, *map(str, words)], check=True, capture_output=True, text=True)
        run("protect", directory, "-o", protected, "--method", method, "--key", key, *choice)
        run("verify", directory, protected)
        run("restore", protected, "-o", restored, "--key", key)
        f32 = relative(single, evaluate(protected, inputs, torch.float32))
        f64 = relative(double, evaluate(protected, inputs, torch.float64))
        back = restoring_error(directory, restored, method)
        # The limits are for f32 weights; 16-bit weights are rounded coarser by that many powers of two.
        allowed = 8.0 if sampler == "conditioned" else 1.0
        exact = 1.0 if method == "lossless" else scale
        good = f32 <= F32_LIMIT * exact and f64 <= F64_LIMIT * exact and back <= RESTORE_LIMIT * scale * allowed
        failures += not good
        print(f"{pathlib.Path(directory).name:16} {method:10} {sampler or '-':12} {f32:10.1e} {f64:10.1e} {back:10.1e}"
              f"  {'ok' if good else 'FAILED'}", flush=True)
        subprocess.run(["rm", "-r", protected, restored], check=True)
    return failures


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default=".build/release/mergeproof")
    parser.add_argument("--fixtures", default="Tests/Fixtures")
    parser.add_argument("--model", action="append", default=[], help="a further model directory")
    options = parser.parse_args()
    fixtures = pathlib.Path(options.fixtures)
    models = sorted(path.parent for path in fixtures.glob("*/config.json")) + list(map(pathlib.Path, options.model))
    print(f"{'model':16} {'method':10} {'sampler':12} {'f32':>10} {'f64':>10} {'restored':>10}")
    failures = 0
    with tempfile.TemporaryDirectory() as scratch:
        key = pathlib.Path(scratch) / "key"
        subprocess.run([options.binary, "keygen", "-o", key], check=True, capture_output=True)
        for model in models:
            failures += check(model, options.binary, key, fixtures / "references", pathlib.Path(scratch))
    print(f"{failures} failed" if failures else "all passed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
