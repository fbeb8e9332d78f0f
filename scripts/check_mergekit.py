#!/usr/bin/env python3
"""Merges small models by mergekit and by mergeproof and compares what both write, tensor by tensor.

    python3 scripts/check_mergekit.py MERGEPROOF [--families llama,bert …] [--examples DIR] [--work DIR]
                                                                                     (needs torch, safetensors, transformers, mergekit 0.1.5)

Models are recorded ones of Tests/Fixtures, in f32 and in bf16, and relatives of them: the same with noise on every weight. Deterministic methods have to
agree to 1e-6 of each tensor's norm in f32, and in bf16 in all but what one rounding explains: mergekit computes there in bf16 itself, unless `dtype` says float32, which all
configurations here do. Where a method keeps a share of the largest values, those that equal the least of them are kept in no order by mergekit and in theirs by us: such
values are counted apart, and none else may differ. What a method decides by a computed threshold (sce, arcee_fusion) may fall otherwise for one value in 1000. What mergekit drops from a
family (biases) is named. With --examples, the folder `examples` of mergekit's own repository, every file there is
run as it is, on small models of 40 layers under the names that it gives.
"""
import argparse
import contextlib
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import torch
import transformers
import yaml
from safetensors.torch import load_file, save_file

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "Tests" / "Fixtures"
FAMILIES = ["llama", "llama_biases", "qwen2", "mistral", "gemma2", "phi3", "gpt2", "qwen3", "mixtral", "qwen3_moe", "starcoder2", "olmo2", "bert"]

# Methods that look at values and rows alone, so that it does not matter what is stored as one tensor.
BY_VALUE = ("linear", "task_arithmetic", "nearswap", "passthrough", "model_stock filters", "dare_linear, all", "dare_ties, all", "della, all")


def weights(path):
    tensors = {}
    for file in sorted(path.glob("*.safetensors")):
        tensors.update(load_file(file))
    return tensors


def relative(source, target, seed, dtype, scale):
    """The model with normal noise of `scale` times each tensor's deviation, stored in dtype; the base itself where scale is 0."""
    target.mkdir(parents=True)
    generator = torch.Generator().manual_seed(seed)
    changed = {}
    for name, tensor in weights(source).items():
        if tensor.is_floating_point():
            spread = tensor.double().std(unbiased=False).item() or 0.02
            noise = torch.randn(tensor.shape, generator=generator, dtype=torch.float64) * spread * scale
            tensor = (tensor.double() + noise).to(dtype)
        changed[name] = tensor.contiguous()
    save_file(changed, target / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((source / "config.json").read_text())
    for key in ("dtype", "torch_dtype"):
        if key in config:
            config[key] = str(dtype).removeprefix("torch.")
    (target / "config.json").write_text(json.dumps(config))


def configurations(models, layers):
    """Names and YAML of what is compared; models is base, a, b, c."""
    base, a, b, c = map(str, models)

    def parts(*parameters):
        return [{"model": model, "parameters": dict(own)} for model, own in zip((a, b, c), parameters)]

    three = ({"weight": 0.5}, {"weight": 0.3}, {"weight": 0.4})
    dense = tuple(dict(own, density=share) for own, share in zip(three, (0.5, 0.3, 0.7)))
    gradient = [{"model": a, "parameters": {"weight": [0, 0.5, 1]}},
                {"model": b, "parameters": {"weight": [{"filter": "mlp", "value": [1, 0.5]}, {"value": 0.25}]}}]
    one = [{"model": a}]
    cases = {
        "linear": dict(models=parts(*three)),
        "linear gradients": dict(merge_method="linear", models=gradient),
        "linear sum": dict(merge_method="linear", models=parts(*three), parameters={"normalize": False}),
        "task_arithmetic": dict(models=parts(*three), base_model=base, parameters={"lambda": 0.7}),
        "task_arithmetic normalized": dict(merge_method="task_arithmetic", models=parts(*three), base_model=base, parameters={"normalize": True}),
        "ties": dict(models=parts(*dense), base_model=base, parameters={"lambda": 0.9}),
        "ties rescaled": dict(merge_method="ties", models=parts(*dense), base_model=base, parameters={"rescale": True, "normalize": False}),
        "breadcrumbs": dict(models=parts(*dense), base_model=base, parameters={"gamma": 0.02}),
        "breadcrumbs_ties": dict(models=parts(*dense), base_model=base),
        "sce": dict(models=[{"model": m} for m in (a, b, c)], base_model=base, parameters={"select_topk": 0.4}),
        "model_stock": dict(models=[{"model": m} for m in (a, b, c)], base_model=base),
        "model_stock filters": dict(merge_method="model_stock", models=[{"model": m} for m in (a, b, c)], base_model=base, parameters={"filter_wise": True}),
        "slerp": dict(models=[{"model": base}, {"model": a}], base_model=base,
                      parameters={"t": [{"filter": "self_attn", "value": [0, 0.5, 0.3]}, {"filter": "mlp", "value": 0.7}, {"value": 0.5}]}),
        "nuslerp": dict(models=parts(*three)[:2]),
        "nuslerp from a base": dict(merge_method="nuslerp", models=parts(*three)[:2], base_model=base),
        "nuslerp rows": dict(merge_method="nuslerp", models=parts(*three)[:2], parameters={"nuslerp_flatten": False}),
        "nuslerp columns": dict(merge_method="nuslerp", models=parts(*three)[:2], parameters={"nuslerp_flatten": False, "nuslerp_row_wise": True}),
        "multislerp": dict(models=parts(*three)),
        "multislerp from a base": dict(merge_method="multislerp", models=parts(*three), base_model=base),
        "karcher": dict(models=[{"model": m} for m in (a, b, c)]),
        "nearswap": dict(models=one, base_model=base, parameters={"t": 0.003}),
        "arcee_fusion": dict(models=one, base_model=base),
        "ram": dict(models=[{"model": m} for m in (a, b, c)], base_model=base, parameters={"epsilon": 0.002}),
        "ramplus_tl": dict(models=[{"model": m} for m in (a, b, c)], base_model=base, parameters={"epsilon": 0.002}),
        "passthrough": dict(models=one, parameters={"scale": 0.5}),
        "dare_linear, all kept": dict(merge_method="dare_linear", models=parts(*three), base_model=base),
        "dare_ties, all kept": dict(merge_method="dare_ties", models=parts(*three), base_model=base),
        "della, all kept": dict(merge_method="della", models=parts(*three), base_model=base),
    }
    if layers > 1:
        cases["passthrough, stacked"] = dict(merge_method="passthrough", slices=[
            {"sources": [{"model": a, "layer_range": [0, layers]}]}, {"sources": [{"model": b, "layer_range": [1, layers]}]}])
        cases["linear, sliced"] = dict(merge_method="linear", slices=[
            {"sources": [{"model": a, "layer_range": [0, 1], "parameters": {"weight": 0.2}}, {"model": b, "layer_range": [1, 2], "parameters": {"weight": 0.5}}]},
            {"sources": [{"model": c, "layer_range": [0, 2], "parameters": {"weight": 1}}], "parameters": {"normalize": False}}])
    for name, case in cases.items():
        case.setdefault("merge_method", name)
        case["dtype"] = "float32"
        yield name, case


def by_mergekit(config, output):
    from mergekit.config import MergeConfiguration
    from mergekit.merge import run_merge
    from mergekit.options import MergeOptions
    run_merge(MergeConfiguration.model_validate(config), str(output), MergeOptions(copy_tokenizer=False, quiet=True, write_model_card=False))


def stacked(tensors):
    """Experts as mergekit writes them: one tensor of all of a layer's, under the names of transformers 5."""
    result, experts = {}, {}
    for name, tensor in tensors.items():
        found = re.fullmatch(r"(.*)\.(?:block_sparse_moe|mlp)\.experts\.(\d+)\.(\w+)\.weight", name)
        if found:
            experts.setdefault(found[1], {})[int(found[2]), {"w1": "gate_proj", "w3": "up_proj", "w2": "down_proj"}.get(found[3], found[3])] = tensor
        else:
            result[name.replace(".block_sparse_moe.gate.", ".mlp.gate.")] = tensor
    for layer, parts in experts.items():
        numbers = sorted({number for number, _ in parts})
        result[f"{layer}.mlp.experts.gate_up_proj"] = torch.stack([torch.cat((parts[n, "gate_proj"], parts[n, "up_proj"])) for n in numbers])
        result[f"{layer}.mlp.experts.down_proj"] = torch.stack([parts[n, "down_proj"] for n in numbers])
    return result


def compare(ours, theirs, dtype, by_value, equal_at_the_cut=None):
    """The largest relative error of a tensor, how many values differ by more than an ulp, how many do where that is free, and names that one has alone.

    mergekit makes one tensor of all experts before it merges, we merge each as it is stored: a method that looks at whole tensors gives others there."""
    worst, place, odd, cut = 0.0, "", 0, 0
    for name in ours.keys() & theirs.keys():
        if ".mlp.experts." in name and not by_value:
            continue
        x, y = ours[name].double(), theirs[name].double()
        if x.shape != y.shape:
            return float("inf"), f"{name}: {list(x.shape)} and {list(y.shape)}", 0, 0, [], []
        # What cancels leaves the rounding of what it was made of.
        limit = y.abs() * (2.0 ** -7 if dtype != torch.float32 else 1e-6) + 2e-7 * y.abs().max()
        differs = (x - y).abs() > limit
        free = equal_at_the_cut(name) if equal_at_the_cut else None
        if free is not None:
            cut += int((differs & free).sum())
            differs &= ~free
            x = torch.where(free, y, x)
        error = ((x - y).norm() / y.norm().clamp(min=1e-30)).item()
        if error > worst:
            worst, place = error, name
        odd += int(differs.sum())
    return worst, place, odd, cut, sorted(theirs.keys() - ours.keys()), sorted(ours.keys() - theirs.keys())


def cuts(case, models):
    """For tensors of a method that keeps a share of the largest task values: where one of these equals the least that is kept, or the least that is not. """
    method = case["merge_method"]
    if method not in ("ties", "breadcrumbs", "breadcrumbs_ties"):
        return None
    base, *others = [stacked(weights(model)) for model in models]
    gamma = case.get("parameters", {}).get("gamma", 0.01)

    def free(name):
        found = torch.zeros_like(base[name], dtype=torch.bool)
        for model, own in zip(others, case["models"]):
            size = (model[name].float() - base[name].float()).abs()
            ordered, count = size.flatten().sort(descending=True).values, size.numel()
            kept = max(1, int(own["parameters"]["density"] * count)) if method == "ties" else int(own["parameters"]["density"] * count)
            top = 0 if method == "ties" else count - max(0, count - kept - int(gamma * count)) - kept
            for place in (top, top + kept):
                if 0 < place < count and ordered[place - 1] == ordered[place]:
                    found |= size == ordered[place]
        return found
    return free


def forty_layers(folder, names):
    """Relatives of one random Llama of 40 layers, at the paths that files name."""
    config = transformers.LlamaConfig(
        hidden_size=32, intermediate_size=48, num_hidden_layers=40, num_attention_heads=4, num_key_value_heads=2, vocab_size=64, dtype="float16")
    source = folder / "source"
    transformers.LlamaForCausalLM(config).half().save_pretrained(source)
    for number, name in enumerate(sorted(names)):
        relative(source, folder / name, number, torch.float16, 0.1)


def named(value):
    """Every model that a configuration names."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from [inner] if key in ("model", "base_model") else named(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from named(inner)


def run_examples(mergeproof, examples, folder):
    """Files of mergekit's own, as they are; but mergekit is told to compute in f32, as it would else rank and add values that are rounded at every step."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    files = sorted(examples.glob("*.yml"))
    forty_layers(folder, {name for file in files for name in named(yaml.safe_load(file.read_text()))})
    failures = 0
    for file in files:
        ours, theirs = folder / f"{file.stem}-ours", folder / f"{file.stem}-theirs"
        done = subprocess.run([mergeproof, "merge", file, "-o", ours, "--quiet"], capture_output=True, text=True, cwd=folder)
        if done.returncode:
            failures += 1
            print(f"{file.name:28} FAILED: {done.stderr.strip()}")
            continue
        with contextlib.chdir(folder):
            case = yaml.safe_load(file.read_text())
            by_mergekit(case | {"dtype": "float32", "out_dtype": case["dtype"]}, theirs)
        expected = weights(theirs)
        worst, place, odd, _, missing, more = compare(weights(ours), expected, torch.float16, True)
        share = odd / sum(tensor.numel() for tensor in expected.values())
        # What stands at a cut between equal values may fall otherwise.
        good = share < (0.01 if case["merge_method"] in ("ties", "arcee_fusion") else 1e-9) and not missing and not more
        failures += not good
        print(f"{file.name:28} {'ok' if good else 'FAILED'} {worst:.1e}, {100 * share:.3f} % of the values differ by more than a rounding")
    return failures


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mergeproof", type=pathlib.Path)
    parser.add_argument("--families", default=",".join(FAMILIES))
    parser.add_argument("--methods", help="only cases that begin so")
    parser.add_argument("--types", default="float32,bfloat16")
    parser.add_argument("--examples", type=pathlib.Path, help="mergekit's folder of that name: its files are run instead")
    parser.add_argument("--work", type=pathlib.Path)
    options = parser.parse_args()
    work = options.work or pathlib.Path(tempfile.mkdtemp())
    options.mergeproof = options.mergeproof.resolve()
    failures = 0
    torch.manual_seed(0)
    if options.examples:
        failures = run_examples(options.mergeproof, options.examples.resolve(), work / "examples")
        print(f"{failures} failed")
        sys.exit(failures > 0)
    for family in options.families.split(","):
        config = json.loads((FIXTURES / family / "config.json").read_text())
        layers = next(config[key] for key in ("num_hidden_layers", "n_layer", "n_layers", "num_layers") if key in config)
        for word in options.types.split(","):
            dtype = getattr(torch, word)
            folder = work / f"{family}-{word}"
            shutil.rmtree(folder, ignore_errors=True)
            models = [folder / name for name in ("base", "a", "b", "c")]
            for number, model in enumerate(models):
                relative(FIXTURES / family, model, number, dtype, 0.1 if number else 0)
            for name, case in configurations(models, layers):
                if options.methods and not name.startswith(options.methods):
                    continue
                if family == "mixtral" and "filter" in str(case):
                    continue  # mergekit filters by the names of transformers 5 there, not by those in the files
                if word == "bfloat16":
                    case["out_dtype"] = "bfloat16"
                (folder / "config.yml").write_text(yaml.safe_dump(case))
                ours, theirs = folder / "ours", folder / "theirs"
                for output in (ours, theirs):
                    shutil.rmtree(output, ignore_errors=True)
                done = subprocess.run([options.mergeproof, "merge", folder / "config.yml", "-o", ours, "--quiet"], capture_output=True, text=True)
                try:
                    by_mergekit(case, theirs)
                    reason = ""
                except Exception as error:
                    reason = str(error).splitlines()[0][:120]
                if done.returncode or reason:
                    state = "both refuse" if done.returncode and reason else "mergekit refuses" if reason else "FAILED"
                    failures += state == "FAILED"
                    print(f"{family:12} {word:9} {name:28} {state}: {(done.stderr.strip() if done.returncode else reason)[:160]}", flush=True)
                    continue
                found, expected = stacked(weights(ours)), stacked(weights(theirs))
                worst, place, odd, cut, missing, more = compare(found, expected, dtype, name.startswith(BY_VALUE), cuts(case, models))
                limit = 1e-6 if dtype == torch.float32 else 2.0 ** -8
                if name.startswith(("sce", "arcee")):
                    good = odd <= sum(tensor.numel() for tensor in expected.values()) / 1000
                else:
                    good = worst <= limit and odd == 0
                good = good and not missing
                failures += not good
                left = f"; mergekit left out {len(more)}, such as {more[0]}" if more else ""
                lost = f"; WE LACK {missing[:3]}" if missing else ""
                print(f"{family:12} {word:9} {name:28} {'ok' if good else 'FAILED'} {worst:.1e} {place if not good else ''}"
                      f"{f' {odd} beyond a rounding' if odd else ''}{f' {cut} at the cut' if cut else ''}{left}{lost}", flush=True)
    print(f"{failures} failed")
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
