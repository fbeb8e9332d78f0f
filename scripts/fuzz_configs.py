#!/usr/bin/env python3
"""Holds what mergeproof takes config.json to mean against Hugging Face transformers, on changed configurations of every recorded model.

    python3 scripts/fuzz_configs.py [--binary PATH] [--fixtures DIR] [--only NAME ...] [--sample N] [--seed N] [--lock N] [--show]
                                                                     (needs torch, transformers, safetensors)

The weights of a model stay, its config.json is changed: each key that transformers reads is removed, null, or has another value, stands
under its second name, or under both with the same value or another, before or behind; rotary settings move between rope_parameters,
rope_scaling and the top, in the spellings of either version, or stand in two places; towers have their configuration a second time.
Each is evaluated by transformers and by `mergeproof outputs`, in f64, and is

    equal        both compute the same, to 1e-6
    refused      mergeproof refuses it, whatever transformers does
    unloadable   transformers cannot load it, or makes weights up for it, and mergeproof reads it
    different    anything else: a failure

Models of which some part is not described are protected instead, whatever --lock says, and are equal where transformers computes the same
before and after.

Of those that are equal every N-th (--lock) is protected, too, and transformers must compute of the result what it did before. --sample
takes that many of each model's changes, by --seed. Exit code 1 where anything is different.
"""
import argparse
import collections
import copy
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

import torch
import transformers
from check_transformers import Fault, load, recorded, relative, run, without_padding
from make_fixtures import MODELS, inputs_for, outputs_of, widened

LIMIT = 1e-6
ACTIVATIONS = ["gelu", "gelu_new", "gelu_pytorch_tanh", "quick_gelu", "relu", "silu", "gelu_fast", "tanh", "relu2", "swish", "gelu_python",
               "gelu_accurate", "mish", "gelu_10", "sigmoid"]
# Values to try of keys whose own value says too little.
TRIED = {
    "layer_types": [["full_attention"] * 2, ["sliding_attention"] * 2, ["sliding_attention", "full_attention"],
                    ["full_attention", "sliding_attention"], ["full_attention"], ["chunked_attention", "full_attention"]],
    "sliding_window": [1, 4, 100, 0], "attention_chunk_size": [4, 100], "is_causal": [True, False], "kv_sharing_modes": [["store", "reuse"]],
    "per_layer_config": [{}, {"0": {"hidden_act": "relu"}}, {"1": {"num_key_value_heads": 1}}], "dense_act_fn": ["relu", "gelu_new", "silu", "gelu"],
    "is_gated_act": [True, False], "scale_decoder_outputs": [True, False], "head_dim": [4, 8, 12, 16, 24],
    "feed_forward_proj": ["relu", "silu", "gelu", "gated-gelu", "gated-silu", "gated-relu", "gelu_new", "gated-gelu_new"],
    "attention_layers": [["global", "global"], ["local", "local"], ["local", "global"], ["global"]],
    "attention_types": [[[["global", "local"], 1]], [[["global"], 2]], [[["local"], 1], [["global"], 1]], [[["local"], 3]]],
    "mlp_only_layers": [[], [0], [1], [0, 1]], "moe_layers": [[], [0], [1], [0, 1]], "no_rope_layers": [[], [0, 0], [1, 1], [0, 1], [1]],
    "classifier_pooling": ["cls", "mean", "max"], "num_ln_in_parallel_attn": [1, 2, 3], "attn_temperature_tuning": [True, False, 0, 4],
    "original_max_position_embeddings": [4, 8, 4096], "partial_rotary_factor": [0.25, 0.5, 1.0], "rotary_pct": [0.5, 1.0],
    "rope_theta": [500.0, 10000.0, 1000000.0], "rotary_emb_base": [500, 10000], "rope_local_base_freq": [500.0], "global_rope_theta": [500.0],
    "local_rope_theta": [500.0], "architectures": [None, []], "clip_qkv": [0.5, 8.0], "sliding_window_pattern": [1, 2, 3, 6],
    "global_attn_every_n_layers": [1, 2, 3], "n_embed": [64], "num_kv_heads": [1, 2, 4], "num_key_value_heads": [1, 2, 4],
    "attn_logit_softcapping": [1.0, 50.0], "final_logit_softcapping": [1.0, 30.0], "use_bidirectional_attention": [True, False],
    "pad_token_id": [0, 1, 5, None], "q_lora_rank": [None, 20], "projection_size": [20],
}
FIXED = {"model_type", "transformers_version", "dtype", "torch_dtype", "architectures", "rope_parameters", "rope_scaling", "text_config",
         "vision_config", "text_config_dict", "vision_config_dict", "id2label", "label2id", "_name_or_path", "problem_type"}
LEGACY = ["position_embedding_type", "n_embed", "num_kv_heads", "sliding_window_pattern", "rotary_emb_base", "rotary_pct", "head_dim"]


def others(key, value):
    """Plausible values that stand in the place of one."""
    found = list(TRIED.get(key, []))
    if isinstance(value, bool):
        found.append(not value)
    elif isinstance(value, int):
        found += [value * 2, value + 1] + ([value // 2] if value > 1 else []) + [float(value)]
    elif isinstance(value, float):
        found += [value * 2, value / 2, value * 1000] + ([int(value)] if value == int(value) else [])
    elif isinstance(value, str):
        found += ACTIVATIONS
    elif isinstance(value, list) and len(value) > 1:
        found += [value[::-1], value[:1], value + value]
    elif value is None and not found:
        found += [True, False, 2, 0.5]
    return [each for each in found if not (each == value and type(each) is type(value))]


class Changes:
    """Named changes of a configuration, as new dictionaries."""

    def __init__(self, base, table):
        self.base, self.table, self.found = base, table, []

    def add(self, name, config):
        self.found.append((name, config))

    def at(self, path, change):
        """A copy in which the object at a path is changed."""
        config = copy.deepcopy(self.base)
        place = config
        for key in path:
            place = place.setdefault(key, {})
        result = change(place)
        if result is not None:
            place.clear()
            place.update(result)
        return config

    def all(self):
        self.section((), self.base["model_type"])
        for part, model_type in self.table[self.base["model_type"]].get("parts", {}).items():
            self.section((part,), model_type)
            self.twice(part, model_type)
        return self.found

    def section(self, path, model_type):
        entry = self.table[model_type]
        here = self.base
        for key in path:
            here = here.get(key, {})
        prefix = ".".join(path) + "." if path else ""
        # A classifier pools the last token that is no padding: with another number for padding the inputs would have none.
        left_out = FIXED | ({"pad_token_id"} if "Classification" in str(self.base.get("architectures")) else set())
        keys = [key for key in dict.fromkeys([*entry["keys"], *here, *LEGACY]) if key not in left_out]
        for key in keys:
            if key in here:
                self.add(f"{prefix}{key} removed", self.at(path, lambda o: {name: each for name, each in o.items() if name != key}))
            self.add(f"{prefix}{key} null", self.at(path, lambda o: o.update({key: None})))
            for value in others(key, here.get(key, entry["keys"].get(key))):
                self.add(f"{prefix}{key} = {json.dumps(value)}", self.at(path, lambda o: o.update({key: value})))
        for alias, key in entry["aliases"].items():
            self.second(path, prefix, alias, key, here.get(key, entry["keys"].get(key)), key in here)
        if "rope_parameters" in entry["keys"] and path != ("vision_config",):
            self.rotary(path, entry, here)

    def second(self, path, prefix, alias, key, value, is_there):
        def renamed(o):
            return {alias if name == key else name: each for name, each in o.items()}
        if is_there:
            self.add(f"{prefix}{key} called {alias}", self.at(path, renamed))
            self.add(f"{prefix}{key} and {alias}", self.at(path, lambda o: o.update({alias: value})))
            for other in others(key, value)[:4]:
                self.add(f"{prefix}{key} called {alias} = {other}", self.at(path, lambda o: {**renamed(o), alias: other}))
        for other in [*others(key, value)[:4], None]:
            self.add(f"{prefix}{key}, then {alias} = {other}", self.at(path, lambda o: o.update({alias: other})))
            self.add(f"{prefix}{alias} = {other}, then {key}", self.at(path, lambda o: {alias: other, **o}))

    def twice(self, part, model_type):
        second, inner = part + "_dict", self.base.get(part, {})
        self.add(f"{second} and {part}", self.at((), lambda o: o.update({second: inner})))
        self.add(f"{second} for {part}", self.at((), lambda o: o.update({second: o.pop(part)})))
        self.add(f"{second} null", self.at((), lambda o: o.update({second: None})))
        self.add(f"{second} empty", self.at((), lambda o: o.update({second: {}})))
        for key in inner:
            if key in FIXED:
                continue
            self.add(f"{second} without {key}", self.at((), lambda o: o.update({second: {k: v for k, v in inner.items() if k != key}})))
            for value in others(key, inner[key])[:3]:
                self.add(f"{second}.{key} = {value}", self.at((), lambda o: o.update({second: {**inner, key: value}})))

    def rotary(self, path, entry, here):
        settings = here.get("rope_parameters") or {}
        nested = any(isinstance(value, dict) for value in settings.values())
        flat = {} if nested else settings
        theta = flat.get("rope_theta", entry["keys"].get("rope_theta") or 10000.0)
        pairs = self.pairs(here, entry)
        kinds = {
            "default": {}, "linear": dict(factor=2.0), "dynamic": dict(factor=2.0),
            "yarn": dict(factor=4.0, original_max_position_embeddings=8),
            "yarn attention": dict(factor=4.0, original_max_position_embeddings=8, attention_factor=1.3, beta_fast=4, beta_slow=2, truncate=False),
            "yarn mscale": dict(factor=4.0, mscale=0.7, mscale_all_dim=1.2, original_max_position_embeddings=8),
            "llama3": dict(factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=8),
            "llama3 without": dict(factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0),
            "longrope": dict(short_factor=[1.0 + 0.1 * i for i in range(pairs)], long_factor=[2.0 + 0.3 * i for i in range(pairs)],
                             original_max_position_embeddings=8),
            "longrope factor": dict(short_factor=[1.5] * pairs, long_factor=[3.0] * pairs, factor=3.0, original_max_position_embeddings=8),
            "su": dict(short_factor=[1.5] * pairs, long_factor=[3.0] * pairs, original_max_position_embeddings=8), "mrope": {}, "spiral": {},
        }
        rest = {key: value for key, value in here.items() if key not in ("rope_parameters", "rope_scaling", "rope_theta")}
        partial = {key: value for key, value in flat.items() if key == "partial_rotary_factor"}

        def put(name, **more):
            self.add(f"rotary: {name}", self.at(path, lambda o: {**copy.deepcopy(rest), **copy.deepcopy(more)}))

        put("nothing")
        put("theta at the top", rope_theta=theta)
        put("another theta at the top", rope_theta=500.0)
        put("null", rope_parameters=None, rope_scaling=None)
        put("empty", rope_parameters={}, rope_theta=theta)
        for name, more in kinds.items():
            kind = name.split()[0]
            for word in ("rope_type", "type"):
                own = {word: kind, **more, **partial}
                put(f"{name} in rope_parameters by {word}", rope_parameters={"rope_theta": theta, **own})
                put(f"{name} in rope_scaling by {word}", rope_scaling=own, rope_theta=theta)
                put(f"{name} in rope_scaling by {word}, no theta", rope_scaling=own)
                put(f"{name} in rope_scaling by {word}, plain rope_parameters", rope_scaling=own, rope_theta=theta, rope_parameters=settings)
                put(f"{name} in both by {word}", rope_scaling=own, rope_parameters={"rope_theta": theta, **own}, rope_theta=theta)
                put(f"{name} in rope_parameters by {word}, plain rope_scaling", rope_parameters={"rope_theta": theta, **own},
                    rope_scaling={"rope_type": "default"}, rope_theta=theta)
                if "factor" in own:
                    put(f"{name} in both by {word}, other factor", rope_scaling={**own, "factor": 3.0}, rope_parameters={"rope_theta": theta, **own})
                put(f"{name} called {word}, default by the other", rope_parameters={"rope_theta": theta, **own, "type": kind, "rope_type": "default"})
            own = {"rope_type": kind, **more, **partial, "rope_theta": theta}
            put(f"{name}, original length at the top", rope_parameters=own, original_max_position_embeddings=8)
            put(f"{name}, another original length at the top", rope_parameters=own, original_max_position_embeddings=4)
            put(f"{name}, original length at the top only", original_max_position_embeddings=8,
                rope_parameters={key: value for key, value in own.items() if key != "original_max_position_embeddings"})
            for key in own:
                put(f"{name} with {key} null", rope_parameters={**own, key: None})
            for section in ("full_attention", "sliding_attention"):
                both = {"full_attention": {"rope_type": "default"}, "sliding_attention": {"rope_type": "default"}}
                put(f"{name} in {section}", rope_parameters={**both, section: own})
                put(f"{name} in {section} alone", rope_parameters={section: own})
                put(f"{name} in {section} and rope_scaling", rope_parameters={**both, section: own}, rope_scaling=own)
                put(f"{name} in rope_scaling, plain {section}", rope_parameters=both, rope_scaling=own)
                put(f"{name} in rope_scaling, {section} null", rope_parameters={**both, section: None}, rope_scaling=own)
        for share in (0.25, 0.5, 1.0):
            inner = {"rope_type": "default", "rope_theta": theta, "partial_rotary_factor": share}
            bare = {"rope_type": "default", "rope_theta": theta}
            put(f"share {share} inside", rope_parameters=inner)
            put(f"share {share} inside rope_scaling", rope_scaling=inner)
            put(f"share {share} at the top", rope_parameters=bare, partial_rotary_factor=share)
            put(f"share {share} at the top, old", rope_theta=theta, partial_rotary_factor=share)
            put(f"share {share} inside, 0.75 at the top", rope_parameters=inner, partial_rotary_factor=0.75)
            put(f"share {share} in both", rope_parameters=inner, partial_rotary_factor=share)
            put(f"share {share} in rope_scaling, rope_parameters without", rope_parameters=bare, rope_scaling=inner)
            put(f"share {share} as rotary_pct", rope_parameters=bare, rotary_pct=share)
            put(f"share {share} inside and another rotary_pct", rope_parameters=inner, rotary_pct=0.75)
        for inner, outer in ((500.0, 500.0), (500.0, 700.0), (theta, 700.0), (None, 700.0), (500.0, None)):
            put(f"theta {inner} inside, {outer} at the top", rope_parameters={"rope_type": "default", "rope_theta": inner, **partial}, rope_theta=outer)
            put(f"theta {inner} in rope_scaling, {outer} in rope_parameters", rope_scaling={"rope_type": "default", "rope_theta": inner, **partial},
                rope_parameters={"rope_type": "default", "rope_theta": outer, **partial})

    @staticmethod
    def pairs(here, entry):
        keys = {**entry["keys"], **here}
        heads = keys.get("num_attention_heads") or keys["num_heads"]
        size = keys.get("qk_rope_head_dim") or keys.get("head_dim") or keys["hidden_size"] // heads
        share = (here.get("rope_parameters") or {}).get("partial_rotary_factor", 1.0)
        return int(size * share) // 2


def theirs(directory, inputs):
    """What transformers computes; an error where it cannot, or would make something up."""
    model = load(directory, torch.float64)
    with widened():
        outputs = outputs_of(model, {key: value.double() if value.is_floating_point() else value for key, value in inputs.items()})
    result = without_padding(outputs, inputs)["output"].reshape(-1)
    if not torch.isfinite(result).all():
        raise Fault("is not finite")
    return result


def ours(binary, directories, inputs):
    lines = run(binary, "outputs", *directories, "--inputs", inputs, "--threads", 1).splitlines()
    for line in map(json.loads, lines):
        values = [value for row in line.get("outputs", []) for value in row]
        yield line.get("error"), None if "error" in line else torch.tensor([math_value(v) for v in values], dtype=torch.float64)


def math_value(value):
    return float("nan") if value is None else value


def locked(binary, key, source, scratch, inputs, before):
    """How far transformers' outputs move when the model is protected: 16-bit weights by what rounds nothing alone."""
    worst = 0.0
    narrow = any(dtype in file.read_bytes()[:1 << 16] for file in source.glob("*.safetensors") for dtype in (b'"BF16"', b'"F16"'))
    for method in ("lossless",) if narrow else ("mergelock", "lossless"):
        run(binary, "protect", source, "-o", scratch / method, "--method", method, "--key", key)
        worst = max(worst, relative(before, theirs(scratch / method, inputs)))
        subprocess.run(["rm", "-r", scratch / method], check=True)
    return worst


class Fuzz:
    def __init__(self, options, scratch):
        self.options, self.scratch = options, scratch
        self.binary, self.key = pathlib.Path(options.binary).resolve(), scratch / "key"
        self.table = json.loads((options.fixtures.parent.parent / "Sources/Architectures/ConfigTable.json").read_text())["types"]
        run(self.binary, "keygen", "-o", self.key)
        self.totals, self.locks, self.worst = collections.Counter(), 0, 0.0

    def write(self, name, number, config):
        target = self.scratch / f"{name}-{number}"
        target.mkdir()
        for file in (self.options.fixtures / name).iterdir():
            if "safetensors" in file.name:
                os.symlink(file.resolve(), target / file.name)
        (target / "config.json").write_text(json.dumps(config))
        return target

    def changes(self, name):
        base = json.loads((self.options.fixtures / name / "config.json").read_text())
        seen, changes = set(), [("unchanged", base)]
        for change in Changes(base, self.table).all():
            text = json.dumps(change[1])
            if text not in seen:
                seen.add(text)
                changes.append(change)
        if self.options.sample and len(changes) > self.options.sample:
            changes = random.Random(f"{self.options.seed} {name}").sample(changes, self.options.sample)
        return changes

    def say(self, name, counts, changes):
        self.totals += counts
        print(f"{name:28} {len(changes):5} {' '.join(f'{key} {counts[key]}' for key in KINDS)}", flush=True)

    def check_undescribed(self, name):
        changes, counts = self.changes(name), collections.Counter()
        inputs = inputs_for(transformers.AutoConfig.from_pretrained(self.options.fixtures / name), torch.Generator().manual_seed(7),
                            text_only=True)
        for number, (what, config) in enumerate(changes):
            directory = self.write(name, number, config)
            try:
                other, fault = theirs(directory, inputs), None
            except Exception as error:
                other, fault = None, f"{type(error).__name__}: {' '.join(str(error).split())[:150]}"
            try:
                run(self.binary, "protect", directory, "-o", self.scratch / "try", "--method", "lossless", "--key", self.key)
                subprocess.run(["rm", "-r", self.scratch / "try"], check=True)
                if other is None:
                    verdict, note = "unloadable", fault
                else:
                    self.locks += 1
                    moved = locked(self.binary, self.key, directory, self.scratch, inputs, other)
                    self.worst = max(self.worst, moved)
                    verdict, note = ("equal", "") if moved <= 1e-4 else ("different", f"when protected by {moved:.1e}")
            except Fault as refusal:
                verdict, note = "refused", str(refusal).split("config.json: ")[-1]
            counts[verdict] += 1
            if verdict == "refused" and other is not None:
                counts["of these loadable"] += 1
            if verdict == "different" or self.options.show:
                print(f"  {verdict:10} {name}: {what}: {note}", flush=True)
            subprocess.run(["rm", "-r", directory], check=True)
        self.say(name, counts, changes)

    def check(self, name):
        if MODELS.get(name, (None, None, {}))[2].get("undescribed"):
            return self.check_undescribed(name)
        changes = self.changes(name)
        record = self.options.fixtures / "references" / f"{name}.safetensors"
        inputs, _ = recorded(record)
        inputs = {key: value for key, value in inputs.items() if key in
                  ("input_ids", "attention_mask", "token_type_ids", "decoder_input_ids", "pixel_values", "input_features")}
        directories = [self.write(name, number, config) for number, (_, config) in enumerate(changes)]
        counts = collections.Counter()
        for (what, _), directory, (refusal, mine) in zip(changes, directories, ours(self.binary, directories, record)):
            try:
                other, fault = theirs(directory, inputs), None
            except Exception as error:  # whatever transformers says to a configuration
                other, fault = None, f"{type(error).__name__}: {' '.join(str(error).split())[:150]}"
            if refusal:
                verdict, note = "refused", refusal.split("config.json: ")[-1]
            elif other is None:
                verdict, note = "unloadable", fault
            else:
                error = relative(other, mine) if other.shape == mine.shape else float("inf")
                verdict, note = ("equal", "") if error <= LIMIT else ("different", f"by {error:.1e}")
                if verdict == "equal" and self.options.lock and (self.totals + counts)["equal"] % self.options.lock == 0:
                    self.locks += 1
                    moved = locked(self.binary, self.key, directory, self.scratch, inputs, other)
                    self.worst = max(self.worst, moved)
                    if not moved <= 1e-4:
                        verdict, note = "different", f"when protected by {moved:.1e}"
            counts[verdict] += 1
            if verdict == "refused" and other is not None:
                counts["of these loadable"] += 1
            if verdict == "different" or self.options.show:
                print(f"  {verdict:10} {name}: {what}: {note}", flush=True)
        subprocess.run(["rm", "-r", *directories], check=True)
        self.say(name, counts, changes)


KINDS = ("equal", "refused", "of these loadable", "unloadable", "different")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default=".build/release/mergeproof")
    parser.add_argument("--fixtures", default="Tests/Fixtures", type=pathlib.Path)
    parser.add_argument("--only", nargs="*", help="names of the models to change; all unless given")
    parser.add_argument("--sample", type=int, help="at most so many changes of each model")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lock", type=int, default=0, help="protect every N-th that is equal")
    parser.add_argument("--show", action="store_true", help="print every verdict")
    options = parser.parse_args()
    names = options.only or sorted(path.parent.name for path in options.fixtures.glob("*/config.json"))
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        fuzz = Fuzz(options, pathlib.Path(scratch))
        for name in names:
            fuzz.check(name)
        total = sum(fuzz.totals[key] for key in ("equal", "refused", "unloadable", "different"))
        print(f"{len(names)} models, {total} configurations: {', '.join(f'{key} {fuzz.totals[key]}' for key in KINDS)}; "
              f"{fuzz.locks} protected, moved by {fuzz.worst:.1e} at most; {time.monotonic() - start:.0f} s")
    return 1 if fuzz.totals["different"] else 0


if __name__ == "__main__":
    sys.exit(main())
