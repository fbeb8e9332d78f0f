#!/usr/bin/env python3
"""Merges tiny models of different tokenizers by mergekit and by this program: vocabularies, rows and encoded texts have to agree.

Usage: check_mergekit_tokenizers.py MERGEPROOF [--work FOLDER]; needs mergekit 0.1.5, torch, transformers and tokenizers.

mergekit numbers the tokens that it adds in the order of a hash table; here it is told to go by models and numbers, so that numbers can be compared."""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import torch
import transformers
import yaml
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

TEXTS = {
    "a": ["the quick brown fox jumps over the lazy dog", "models are merged tensor by tensor", "caf\u00e9 na\u00efve r\u00e9sum\u00e9", "one two three four five six"],
    "b": ["def merge(models): return sum(models)", "the lazy brown dog returns", "cafe\u0301 se\u0301mantique", "for i in range(10): print(i)", "zwei drei vier"],
    "c": ["select name from models where size > 10", "the fox returns five models", "quatre cinq six", "\u2603 \u00fcber \u4f60\u597d"],
}
SAMPLES = [text for texts in TEXTS.values() for text in texts] + ["<sep> hello <tool> caf\u00e9 cafe\u0301 <end>", "<pad><s>x</s> (y) \U0001f600", "the  fox<only_b>jumps"]


def bpe(texts, size, special, added):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(texts * 3, trainers.BpeTrainer(
        vocab_size=size, special_tokens=special, initial_alphabet=[] if size < 256 else pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    tokenizer.add_tokens(added)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=special[0], eos_token=special[1], pad_token=special[2])


def characters(texts, size, special, added):
    """BPE over characters as they are: forms that Unicode calls equal are pieces of their own."""
    tokenizer = Tokenizer(models.BPE(unk_token=special[0]))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.train_from_iterator(texts * 3, trainers.BpeTrainer(vocab_size=size, special_tokens=special, show_progress=False))
    tokenizer.add_tokens(added)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=special[0], eos_token=special[1], pad_token=special[2], unk_token=special[0])


def wordpiece(texts, size, special, added):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True, strip_accents=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(texts * 3, trainers.WordPieceTrainer(vocab_size=size, special_tokens=special, show_progress=False))
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    tokenizer.add_tokens(added)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]")


def unigram(texts, size, special, added):
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.train_from_iterator(texts * 3, trainers.UnigramTrainer(vocab_size=size, special_tokens=["<unk>"] + special, unk_token="<unk>", show_progress=False))
    tokenizer.add_tokens(added)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=special[0], eos_token=special[1], pad_token=special[2], unk_token="<unk>")


SHAPE = dict(hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, max_position_embeddings=64)


def llama(size, tokenizer):
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(vocab_size=size, num_key_value_heads=1, **ids(tokenizer), **SHAPE))


def qwen2(size, tokenizer):
    return transformers.Qwen2ForCausalLM(transformers.Qwen2Config(vocab_size=size, num_key_value_heads=1, tie_word_embeddings=True, **ids(tokenizer), **SHAPE))


def gpt2(size, tokenizer):
    return transformers.GPT2LMHeadModel(transformers.GPT2Config(vocab_size=size, n_embd=16, n_layer=2, n_head=2, n_positions=64, **ids(tokenizer)))


def bert(size, tokenizer):
    return transformers.BertForMaskedLM(transformers.BertConfig(vocab_size=size, pad_token_id=tokenizer.pad_token_id, **SHAPE))


def ids(tokenizer):
    return dict(bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)


def make(folder, model, tokenizer, seed, padding):
    torch.manual_seed(seed)
    folder.mkdir(parents=True)
    tokenizer.save_pretrained(folder)
    made = model(len(tokenizer) + padding, tokenizer)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter += torch.randn_like(parameter) * 0.1
    made.save_pretrained(folder)


def ordered(referenced):
    """mergekit with its hash tables in a settled order."""
    from mergekit.config import MergeConfiguration
    from transformers.tokenization_utils_tokenizers import TokenizersBackend
    MergeConfiguration.referenced_models = referenced
    TokenizersBackend.get_vocab = lambda self: dict(sorted(self._tokenizer.get_vocab(with_added_tokens=True).items(), key=lambda item: item[1]))


def referenced_models(self):
    found = [self.base_model] if self.base_model else []
    parts = [self, *(self.modules or {}).values()]
    for source in [s for part in parts for s in (part.models or []) + [s for one in part.slices or [] for s in one.sources]]:
        if source.model not in found:
            found.append(source.model)
    return found


def by_mergekit(config, output):
    from mergekit.config import MergeConfiguration
    from mergekit.merge import run_merge
    from mergekit.options import MergeOptions
    run_merge(MergeConfiguration.model_validate(config), str(output), MergeOptions(quiet=True, write_model_card=False))


def weights(folder):
    return {name: tensor for file in sorted(folder.glob("*.safetensors")) for name, tensor in load_file(file).items()}


def configurations(base, a, b):
    """Names and YAML of what is compared."""
    base, a, b = map(str, (base, a, b))
    two = [{"model": a, "parameters": {"weight": 0.6}}, {"model": b, "parameters": {"weight": 0.3}}]
    three = [{"model": base, "parameters": {"weight": 0.2}}] + two
    task = dict(merge_method="task_arithmetic", base_model=base, models=two)
    mean = dict(merge_method="linear", models=three)
    yield "task arithmetic, union", task | {"tokenizer_source": "union"}
    yield "task arithmetic, base", task | {"tokenizer_source": "base"}
    yield "task arithmetic, another model's", task | {"tokenizer_source": b}
    yield "linear, union", mean | {"tokenizer_source": "union"}
    yield "linear, base", mean | {"tokenizer_source": "base"}
    yield "linear, another model's", mean | {"tokenizer_source": a}
    yield "linear, union, a multiple of 64", mean | {"tokenizer": {"source": "union", "pad_to_multiple_of": 64}}
    yield "ties, union", dict(merge_method="ties", base_model=base, models=[dict(model=m, parameters=dict(weight=0.5, density=1.0)) for m in (a, b)],
                              tokenizer_source="union")
    yield "slerp, union", dict(merge_method="slerp", base_model=base, models=[{"model": base}, {"model": a}], parameters={"t": 0.3}, tokenizer_source="union")
    rules = {"<new>": {"source": {"kind": "zero"}}, "<borrowed>": {"source": {"kind": "model_token", "model": b, "token_id": 5}},
             "<tool>": {"source": b, "force": True}, "<alike>": {"source": {"kind": "model_token", "model": a, "token": "the"}, "force": True}}
    yield "linear, union, rules", mean | {"tokenizer": {"source": "union", "tokens": rules, "pad_to_multiple_of": 8}}
    yield "task arithmetic, base, rules", task | {"tokenizer": {"source": "base", "tokens": {"<new>": {"source": {"kind": "zero"}}}}}
    yield "passthrough, union, stacked", dict(merge_method="passthrough", tokenizer_source="union", slices=[
        {"sources": [{"model": base, "layer_range": [0, 2]}]}, {"sources": [{"model": a, "layer_range": [1, 2]}]}])


def same_files(ours, theirs):
    """What sets two outputs apart, in words; nothing where nothing does."""
    x, y = (transformers.AutoTokenizer.from_pretrained(folder) for folder in (ours, theirs))
    found, expected = x.get_vocab(), y.get_vocab()
    if found != expected:
        odd = sorted(set(found.items()) ^ set(expected.items()), key=lambda item: item[1])
        return f"{len(found)} and {len(expected)} tokens, such as {odd[:4]}"
    for text in SAMPLES:
        if x.encode(text) != y.encode(text):
            return f"{text!r} is {x.encode(text)} and {y.encode(text)}"
    if x.special_tokens_map != y.special_tokens_map:
        return f"special tokens {x.special_tokens_map} and {y.special_tokens_map}"
    own, other = (json.loads((folder / "config.json").read_text()) for folder in (ours, theirs))
    if own["vocab_size"] != other["vocab_size"]:
        return f"vocab_size {own['vocab_size']} and {other['vocab_size']}"
    return ""


def compare(ours, theirs, free):
    """The largest error of a tensor, and its name; but of no row that is free."""
    worst, place = 0.0, ""
    for name in sorted(theirs.keys() & ours.keys()):
        x, y = ours[name].double(), theirs[name].double()
        if x.shape != y.shape:
            return float("inf"), f"{name}: {list(x.shape)} and {list(y.shape)}"
        if free is not None and x.shape[0] > free:
            x, y = (torch.cat((table[:free], table[free + 1:])) for table in (x, y))
        error = ((x - y).abs().max() / y.abs().max().clamp(min=1e-30)).item()
        if error > worst:
            worst, place = error, name
    return worst, place


def by_definition(folder, models, case, output):
    """Rows of a weighted mean or sum of differences, token by token, in plain Python: for models that mergekit does not merge."""
    tokenizers = [transformers.AutoTokenizer.from_pretrained(model) for model in models]
    tables = [weights(model) for model in models]
    merged, made = transformers.AutoTokenizer.from_pretrained(output), weights(output)
    shares = {"linear": (0.2, 0.6, 0.3), "task_arithmetic": (None, 0.6, 0.3)}[case["merge_method"]]
    has_base = "base_model" in case
    worst, checked = 0.0, 0
    sizes = [json.loads((model / "config.json").read_text())["vocab_size"] for model in models]
    for name, table in made.items():
        if table.shape[0] != len(merged):
            continue
        checked += 1
        for token, row in merged.get_vocab().items():
            numbers = [tokenizer.get_vocab().get(token, -1) for tokenizer in tokenizers]
            numbers = [number if number < size else -1 for number, size in zip(numbers, sizes)]
            own = [tables[i][name][number].double() if number >= 0 else None for i, number in enumerate(numbers)]
            there = [value for value in own if value is not None]
            fill = torch.zeros_like(table[row]).double() if not there else own[0] if has_base and own[0] is not None else sum(there) / len(there)
            own = [fill if value is None else value for value in own]
            if has_base:
                value = own[0] + sum(share * (one - own[0]) for share, one in zip(shares[1:], own[1:]))
            else:
                value = sum(share * one for share, one in zip(shares, own)) / sum(shares)
            worst = max(worst, (value - table[row].double()).abs().max().item())
    return worst if checked else float("inf")


def loads(output):
    """Whether transformers makes a model of it that reads every token; and what it said."""
    architecture = json.loads((output / "config.json").read_text())["architectures"][0]
    model, info = getattr(transformers, architecture).from_pretrained(output, output_loading_info=True)
    tokenizer = transformers.AutoTokenizer.from_pretrained(output)
    for text in SAMPLES:
        ids = torch.tensor([tokenizer.encode(text)])
        if not torch.isfinite(model(ids).logits).all():
            return "no numbers"
    return "" if not info["missing_keys"] and not info["mismatched_keys"] else f"{info}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mergeproof", type=pathlib.Path)
    parser.add_argument("--work", type=pathlib.Path)
    options = parser.parse_args()
    work = options.work or pathlib.Path(tempfile.mkdtemp())
    program = options.mergeproof.resolve()
    ordered(referenced_models)
    failures = 0
    letters = ["<s>", "</s>", "<|endoftext|>"]
    added = {"a": ["<tool>", AddedToken("<sep>", special=True)], "b": [AddedToken("<end>", lstrip=True), "<only_b>", "the"], "c": ["<tool>", "\u2603\u2603"]}
    families = [("llama", llama, bpe, (0, 0, 0), (300, 320, 290)), ("llama padded", llama, bpe, (7, 3, 12), (300, 320, 290)),
                ("llama characters", llama, characters, (0, 5, 0), (90, 110, 100)), ("qwen2 tied", qwen2, bpe, (0, 4, 0), (280, 310, 300)),
                ("gpt2", gpt2, bpe, (2, 0, 0), (300, 290, 310)), ("llama unigram", llama, unigram, (0, 0, 3), (60, 70, 65)),
                ("llama cut", llama, bpe, (-2, -1, 0), (300, 320, 290)),
                ("bert", bert, wordpiece, (0, 3, 0), (110, 130, 120))]
    for family, model, tokenizer, padding, sizes in families:
        folder = work / family.replace(" ", "-")
        shutil.rmtree(folder, ignore_errors=True)
        places = [folder / name for name in ("base", "a", "b")]
        for number, (place, key) in enumerate(zip(places, "abc")):
            make(place, model, tokenizer(TEXTS[key], sizes[number], letters, added[key]), number, padding[number])
        for name, case in configurations(*places):
            case = case | {"dtype": "float32"}
            (folder / "config.yml").write_text(yaml.safe_dump(case, sort_keys=False))
            ours, theirs = folder / "ours", folder / "theirs"
            for output in (ours, theirs):
                shutil.rmtree(output, ignore_errors=True)
            done = subprocess.run([program, "merge", folder / "config.yml", "-o", ours, "--quiet"], capture_output=True, text=True)
            try:
                by_mergekit(case, theirs)
                reason = ""
            except Exception as error:
                reason = (str(error).splitlines() or [type(error).__name__])[0][:100]
            said = ""
            if done.returncode:
                good, said = bool(reason), done.stderr.strip()[:300]
            elif reason:
                said = f"mergekit refuses ({reason}); "
                good = True
            else:
                odd = same_files(ours, theirs)
                # Of a new token mergekit takes for the base's row what lies there as padding.
                free = transformers.AutoTokenizer.from_pretrained(ours).get_vocab()["<new>"] if name.endswith("base, rules") else None
                worst, place = compare(weights(ours), weights(theirs), free)
                good, said = not odd and worst <= 1e-6, f"{worst:.1e} {place if worst > 1e-6 else ''} {odd}"
            if not done.returncode:
                odd = loads(ours)
                good = good and not odd
                said += odd
                if case["merge_method"] in ("linear", "task_arithmetic") and "tokens" not in case.get("tokenizer", {}) and "pad_to_multiple_of" not in case.get("tokenizer", {}):
                    worst = by_definition(folder, places, case, ours)
                    good = good and worst < 1e-5
                    said += f" by definition {worst:.1e}"
            failures += not good
            print(f"{family:18} {name:34} {'ok' if good else 'FAILED'} {said}", flush=True)
    print(f"{failures} failed")
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
