#!/usr/bin/env python3
"""Checks with Hugging Face transformers that protected models compute what the originals compute, and that restoring gives them back.

    python3 scripts/check_transformers.py [--binary PATH] [--fixtures DIR] [--model DIR ...] [--minilm PATH] [--self-test]
                                                                                       (needs torch, transformers, safetensors)

Every model in DIR, and every --model, is protected by each method and sampler, verified, restored, and evaluated in f32 and, with the stored
weights cast up, in f64. Relative errors are norms over the whole output. A protected model that is the original, names, shapes or types
that changed, tokens that changed, and outputs of the original that are not those on record all count as failures. --self-test plants such
faults, without the program under test, and fails unless each is found. Exit code 1 when anything fails.
"""
import argparse
import json
import logging
import math
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile

os.environ["TRANSFORMERS_VERBOSITY"] = "error"
os.environ["HF_HUB_OFFLINE"] = "1"
import torch
import transformers
from safetensors.torch import load_file, save_file

transformers.utils.logging.disable_progress_bar()
logging.getLogger("transformers").setLevel(logging.ERROR)

METHODS = [("mergelock", "dq"), ("mergelock", "conditioned"), ("mergelock", "orthogonal"), ("lossless", None)]
F32_LIMIT, F64_LIMIT, RESTORE_LIMIT, F64_LIMIT_LOSSLESS = 5e-6, 2e-6, 1e-6, 1e-12
RECORD_F32_LIMIT, RECORD_F64_LIMIT = 1e-5, 1e-12


class Fault(Exception):
    """What is wrong with a model, in one sentence."""


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
    # transformers fills what it cannot find with random values and only says so here.
    model, info = kind.from_pretrained(directory, config=config, output_loading_info=True, dtype=dtype,
                                       attn_implementation="eager")
    for what in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        keys = [key for key in info[what] if "position_ids" not in str(key)]
        if keys:
            raise Fault(f"{what}: {keys}")
    cast = {key: value.to(dtype) if value.is_floating_point() else value for key, value in inputs.items()}
    with torch.no_grad():
        result = model.eval()(**cast)
    return (result.logits if hasattr(result, "logits") else result.last_hidden_state).double()


def relative(a, b):
    """‖a-b‖/‖a‖, infinite where b is not finite or a is zero and b is not."""
    a, b = a.double(), b.double()
    difference, size = (a - b).norm().item(), a.norm().item()
    if difference == 0:
        return 0.0
    return difference / size if size > 0 and math.isfinite(difference) else math.inf


def same_bits(a, b):
    return torch.equal(a.contiguous().reshape(-1).view(torch.uint8), b.contiguous().reshape(-1).view(torch.uint8))


def inputs_of(directory, references):
    """Recorded inputs with the recorded outputs, or random tokens and none."""
    reference = references / f"{pathlib.Path(directory).name}.safetensors"
    if reference.exists():
        record = load_file(reference)
        return {key: value for key, value in record.items() if not key.startswith("output")}, record
    vocabulary = json.loads((pathlib.Path(directory) / "config.json").read_text())["vocab_size"]
    ids = torch.randint(1000, vocabulary, (4, 64), generator=torch.Generator().manual_seed(7))
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}, None


def check_layout(a, b):
    if a.keys() != b.keys():
        raise Fault(f"names changed: {sorted(a.keys() ^ b.keys())[:4]}")
    for name in a:
        if a[name].dtype != b[name].dtype or a[name].shape != b[name].shape:
            raise Fault(f"{name} changed from {a[name].dtype} {tuple(a[name].shape)} to {b[name].dtype} {tuple(b[name].shape)}")


def limits(tensors, method, sampler):
    """Largest relative errors allowed of outputs in f32, of outputs in f64, and of restored tensors. Lossless elements round nothing;
    for weights in 16 bits, dense elements are held to multiples of the unit roundoff."""
    types = {value.dtype for value in tensors.values()}
    unit = 2.0**-8 if torch.bfloat16 in types else 2.0**-11 if torch.float16 in types else None
    if method == "lossless":
        return F32_LIMIT, F64_LIMIT_LOSSLESS, 0.0
    spread = 4 if sampler == "conditioned" else 1
    return (8 * unit, 8 * unit, spread * unit) if unit else (F32_LIMIT, F64_LIMIT, RESTORE_LIMIT)


def same_choice(a, b):
    """Whether the largest output is the same wherever it is clearly the largest."""
    top = a.topk(2, dim=-1).values
    clear = top[..., 0] - top[..., 1] > 1e-4 * top[..., 0].abs()
    return torch.equal(a.argmax(-1)[clear], b.argmax(-1)[clear])


class Original:
    """A model with its weights, its inputs and its outputs, which are held against those on record."""

    def __init__(self, directory, references):
        self.name = pathlib.Path(directory).name
        self.inputs, record = inputs_of(directory, references)
        self.weights = weights(directory)
        self.single, self.double = (evaluate(directory, self.inputs, dtype) for dtype in (torch.float32, torch.float64))
        if record is None:
            return
        for key, found, limit in (("output", self.single, RECORD_F32_LIMIT), ("output_f64", self.double, RECORD_F64_LIMIT)):
            error = relative(record[key], found)
            if not error <= limit:
                raise Fault(f"the original's {key} is {error:.1e} from the record: another version of transformers?")

    def judge(self, method, sampler, protected, restored):
        """One line of figures, and what is wrong."""
        after, back = weights(protected), weights(restored)
        check_layout(self.weights, after)
        check_layout(self.weights, back)
        changed = sum(not same_bits(self.weights[key], after[key]) for key in after)
        single, double = (evaluate(protected, self.inputs, dtype) for dtype in (torch.float32, torch.float64))
        f32, f64 = relative(self.single, single), relative(self.double, double)
        f32_limit, f64_limit, restore_limit = limits(self.weights, method, sampler)
        faults = []
        if changed == 0:
            faults.append("nothing was changed")
        if not f32 <= f32_limit:
            faults.append("f32 outputs moved")
        if not f64 <= f64_limit:
            faults.append("f64 outputs moved")
        if f64_limit <= F64_LIMIT and not same_choice(self.double, double):
            faults.append("the largest output moved")
        if method == "lossless":
            error = 0.0 if all(same_bits(self.weights[key], back[key]) for key in back) else math.inf
        else:
            error = max(relative(self.weights[key], back[key]) for key in back)
        if not error <= restore_limit:
            faults.append("restoring did not give the original back")
        line = f"{changed:4}/{len(after):<4} {f32:10.1e} {f64:10.1e} {error:10.1e}"
        return line, faults


def check(directory, binary, key, references, scratch):
    """Runs every method on a model and prints a line for each. Returns how many failed."""
    label = f"{pathlib.Path(directory).name:16}"
    try:
        original = Original(directory, references)
    except Fault as fault:
        print(f"{label} FAILED: {fault}", flush=True)
        return 1
    failures = 0
    for number, (method, sampler) in enumerate(METHODS):
        protected, restored = scratch / f"protected-{number}", scratch / f"restored-{number}"
        choice = ["--sampler", sampler] if sampler else []
        line, faults = "", []
        try:
            for words in (["protect", directory, "-o", protected, "--method", method, "--key", key, *choice],
                          ["verify", directory, protected],
                          ["restore", protected, "-o", restored, "--key", key]):
                run = subprocess.run([binary, *map(str, words)], capture_output=True, text=True)
                if run.returncode != 0:
                    raise Fault(f"{words[0]} ended with {run.returncode}: {(run.stderr or run.stdout).strip()}")
            line, faults = original.judge(method, sampler, protected, restored)
        except Fault as fault:
            faults = [str(fault)]
        failures += bool(faults)
        print(f"{label} {method:10} {sampler or '-':12} {line}  {'FAILED: ' + '; '.join(faults) if faults else 'ok'}", flush=True)
        for directory_made in (protected, restored):
            shutil.rmtree(directory_made, ignore_errors=True)
    return failures


def self_test(fixtures, scratch):
    """Plants faults in copies of a model, and one honest symmetry; fails unless judged as they deserve."""
    source = fixtures / "llama"
    original = Original(source, fixtures / "references")
    value, up, down, norm = ("model.layers.1.self_attn.v_proj.weight", "model.layers.0.mlp.up_proj.weight",
                             "model.layers.0.mlp.down_proj.weight", "model.norm.weight")

    def written(name, change):
        target = scratch / name
        shutil.copytree(source, target)
        tensors = weights(source)
        change(tensors)
        save_file(tensors, target / "model.safetensors", metadata={"format": "pt"})
        return target

    def symmetric(tensors):
        tensors[up][3] *= -2
        tensors[down][:, 3] /= -2

    def edit(name, body):
        def change(tensors):
            symmetric(tensors)
            body(tensors, name)
        return change

    def flip(tensors, name): tensors[name][0] *= -1
    def ulp(tensors, name): tensors[name][0] = torch.nextafter(tensors[name][0], torch.tensor(math.inf))
    def poison(tensors, name): tensors[name][0] = math.nan
    def drop(tensors, name): del tensors[name]
    def narrow(tensors, name): tensors[name] = tensors[name].half()

    same = written("same", lambda tensors: None)
    good = written("good", symmetric)
    cases = [
        ("an honest symmetry", "lossless", good, same, None),
        ("a copy", "lossless", same, same, "nothing was changed"),
        ("one head's row with its sign flipped", "mergelock", written("flip", edit(value, flip)), same, "outputs moved"),
        ("a value that is not a number", "mergelock", written("nan", edit(norm, poison)), same, "outputs moved"),
        ("a tensor dropped", "mergelock", written("drop", edit(norm, drop)), same, "names changed"),
        ("a tensor in half precision", "mergelock", written("half", edit(value, narrow)), same, "changed from"),
        ("restored one ulp off, lossless", "lossless", good, written("ulp", lambda t: ulp(t, norm)), "restoring"),
        ("restored one ulp off, mergelock", "mergelock", good, scratch / "ulp", None),
        ("restored with a flipped row", "mergelock", good, written("back", lambda t: flip(t, value)), "restoring"),
        ("restored with a NaN", "mergelock", good, written("backnan", lambda t: poison(t, norm)), "restoring"),
    ]
    failures = 0
    for what, method, protected, restored, expected in cases:
        try:
            _, faults = original.judge(method, None, protected, restored)
        except Fault as fault:
            faults = [str(fault)]
        found = "; ".join(faults)
        good_verdict = expected in found if expected else not faults
        failures += not good_verdict
        print(f"{what:40} {'ok' if good_verdict else 'FAILED'}: {found or 'passes'}", flush=True)
    return failures


def model_directory(path, scratch):
    """A model directory, or the one inside a wheel or zip file."""
    path = pathlib.Path(path)
    if path.is_dir():
        return path
    with zipfile.ZipFile(path) as archive:
        archive.extractall(scratch / "unzipped")
    return next((scratch / "unzipped").rglob("model.safetensors")).parent


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default=".build/release/mergeproof")
    parser.add_argument("--fixtures", default="Tests/Fixtures", type=pathlib.Path)
    parser.add_argument("--model", action="append", default=[], type=pathlib.Path, help="a further model directory")
    parser.add_argument("--minilm", type=pathlib.Path, help="a directory, wheel or zip file with all-MiniLM-L6-v2")
    parser.add_argument("--self-test", action="store_true", help="plant faults and see that they are found")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        if options.self_test:
            failures = self_test(options.fixtures, scratch)
        else:
            models = sorted(path.parent for path in options.fixtures.glob("*/config.json")) + options.model
            if options.minilm:
                models.append(model_directory(options.minilm, scratch))
            if not models:
                parser.error(f"found no model in {options.fixtures}")
            key = scratch / "key"
            subprocess.run([options.binary, "keygen", "-o", key], check=True, stdout=subprocess.DEVNULL)
            print(f"{'model':16} {'method':10} {'sampler':12} {'changed':9} {'f32':>10} {'f64':>10} {'restored':>10}")
            failures = sum(check(model, options.binary, key, options.fixtures / "references", scratch) for model in models)
    print(f"{failures} failed" if failures else "all passed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
