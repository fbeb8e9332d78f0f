#!/usr/bin/env python3
"""Writes what Hugging Face transformers reads of config.json, family by family, for the descriptions to be held against.

    python3 scripts/make_config_table.py [--check] [OUTPUT]           (Sources/Architectures/ConfigTable.json unless given)

For every model_type of a recorded model, and of the towers inside of it:

    aliases   second names of keys, with the first: attribute_map, and what a configuration's own code takes from its keywords. A second
              name that is there wins over the first.
    keys      what the model reads while it is built and evaluated, seen by a spy on the configuration, and what the configuration reads
              while it completes itself; with the value that stands where config.json says nothing, null where that is derived or none.
    parts     for a key that holds a configuration of its own, that one's model_type.

Keys that change nothing that an evaluation computes (dropout, initialisation, losses, where results go) are left out: INERT.
--check compares and writes nothing. Exit code 1 where the table is not that of the installed transformers.
"""
import argparse
import ast
import collections
import dataclasses
import inspect
import json
import logging
import os
import pathlib
import sys
import textwrap

os.environ["TRANSFORMERS_VERBOSITY"] = "error"
os.environ["HF_HUB_OFFLINE"] = "1"
import torch
import transformers
from make_fixtures import MODELS, inputs_for, outputs_of
from transformers import CONFIG_MAPPING, PreTrainedConfig

logging.getLogger("transformers").setLevel(logging.CRITICAL)

# What is read while training, generating, saving or choosing kernels, and has no part in what a model computes.
INERT = {
    "activation_dropout", "attention_dropout", "attention_probs_dropout_prob", "attn_pdrop", "classifier_dropout", "classifier_dropout_prob",
    "decoder_layerdrop", "drop_path_rate", "dropout", "dropout_rate", "embd_pdrop", "embed_dropout", "embedding_dropout", "encoder_layerdrop",
    "hidden_dropout", "hidden_dropout_prob", "layerdrop", "mlp_dropout", "resid_dropout", "resid_pdrop", "residual_dropout",
    "seq_classif_dropout", "apply_spec_augment", "router_jitter_noise",
    "init_std", "initializer_cutoff_factor", "initializer_factor", "initializer_range", "layerscale_value", "logit_scale_init_value",
    "id2label", "label2id", "num_labels", "problem_type", "router_aux_loss_coef", "z_loss_coefficient", "sparse_pred_ignore_index", "sparse_prediction",
    "output_attentions", "output_hidden_states", "output_router_logits", "return_dict", "use_cache", "gradient_checkpointing",
    "chunk_size_feed_forward", "deterministic_flash_attn", "pretraining_tp", "slow_but_exact", "attention_softmax_in_fp32",
    "scale_attention_softmax_in_fp32", "reorder_and_upcast_attn", "dtype", "torch_dtype", "name_or_path", "sinusoidal_pos_embds", "use_mask_token",
    # Set by the library, not by files; methods; where a second configuration would lie.
    "default_theta", "default_rope_type", "get_text_config", "model_type", "sub_configs", "standardize_rope_params",
    "nested_rope_parameter_keys", "ignore_keys_at_rope_validation", "stage_names", "sub_configs_defaults", "set_output_features_output_indices", "out_indices",
    "out_features", "expand_attention_types_params", "rotary",
}
# Files of transformers whose reading bears on what is computed, beside each family's own.
SHARED = ("modeling_rope_utils.py", "masking_utils.py", "cache_utils.py", "modeling_layers.py", "modeling_utils.py")
# model_types that read what a recorded one reads, with defaults of their own where transformers has them.
TWINS = {"xlm-roberta": "roberta", "camembert": "roberta", "kimi_k2": "deepseek_v3"}


class Spy:
    """Notes which attributes of configurations the code of models reads, by model_type, inside a with statement."""

    def __init__(self):
        self.reads = collections.defaultdict(set)
        self.plain = PreTrainedConfig.__getattribute__

    def __enter__(self):
        spy, plain = self, self.plain

        def watched(config, key):
            file = os.path.basename(sys._getframe(1).f_code.co_filename)
            if not key.startswith("__") and (file.startswith(("modeling_", "configuration_")) or file in SHARED) \
                    and file != "configuration_utils.py":
                spy.reads[type(config).model_type].add(plain(config, "attribute_map").get(key, key))
            return plain(config, key)

        PreTrainedConfig.__getattribute__ = watched

    def __exit__(self, *_):
        PreTrainedConfig.__getattribute__ = self.plain


def completed(kind):
    """Keys that a configuration reads while it completes itself, with what stands for those that are no fields; and second names."""
    keys, aliases = {}, {}
    methods = [base.__dict__["__post_init__"] for base in kind.__mro__[:1] if "__post_init__" in base.__dict__]
    if "rope_parameters" in {field.name for field in dataclasses.fields(kind)}:
        for method in (base.__dict__[name] for base in kind.__mro__ if (name := "convert_rope_params_to_dict") in base.__dict__):
            methods.append(method)
            if "super()" not in inspect.getsource(method):
                break
        keys["original_max_position_embeddings"] = None  # where the frequencies are stretched
    for method in methods:
        for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(method)))):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name("kwargs"), attr="get" | "pop" | "setdefault"), args=[ast.Constant(key), *rest]):
                    standard = rest[0].value if rest and isinstance(rest[0], ast.Constant) else None
                    keys[key] = keys.get(key) or standard
                case ast.Attribute(value=ast.Name("self"), attr=key) if isinstance(node.ctx, ast.Load):
                    if not callable(getattr(kind, key, None)):
                        keys.setdefault(key, None)
                # n_embed = kwargs.pop("n_embed", None); self.hidden_size = self.hidden_size if n_embed is None else n_embed
                case ast.Assign(targets=[ast.Attribute(value=ast.Name("self"), attr=key)],
                                value=ast.IfExp(test=ast.Compare(left=ast.Name(other), ops=[ast.Is()]), orelse=ast.Name(last))) if other == last:
                    aliases[other] = key
    return keys, aliases


def plain_value(value):
    """As config.json has it: no tuples, and no number is infinite."""
    if isinstance(value, (tuple, list)):
        return [plain_value(each) for each in value]
    return {"__float__": "Infinity"} if value == float("inf") else value


def entry(model_type, reads):
    kind = CONFIG_MAPPING[model_type if model_type in CONFIG_MAPPING else TWINS[model_type]]
    fields = {field.name: plain_value(field.default) for field in dataclasses.fields(kind) if field.default is not dataclasses.MISSING}
    keys, aliases = completed(kind)
    aliases = {**kind.attribute_map, **aliases}
    parts = {name: spec.model_type for name, spec in kind.sub_configs_defaults.items()}
    names = {aliases.get(key, key) for key in {*reads, *keys}}
    fields |= {aliases[key]: fields[key] for key in fields.keys() & aliases.keys()}
    found = {key: fields[key] if key in fields else keys.get(key) for key in sorted(names) if not hidden(key) and key not in parts}
    # Layers may each have a configuration of their own, whatever the family.
    found["per_layer_config"] = None
    if isinstance(theta := getattr(kind, "default_theta", None), (int, float)) and "rope_parameters" in found:
        found["rope_theta"] = theta
    result = dict(aliases=dict(sorted(aliases.items())), keys=dict(sorted(found.items())))
    return {**result, "parts": parts} if parts else result


def hidden(key):
    """Whether a key has no part in what is computed; `_remove_final_layer_norm` of OPT has one."""
    return key in INERT or key.startswith("_") and key != "_remove_final_layer_norm" or key.startswith("base_model_")


def table(fixtures):
    spy = Spy()
    for path in sorted(fixtures.glob("*/config.json")):
        config = transformers.AutoConfig.from_pretrained(path.parent)
        if not config.architectures:
            continue
        kind = getattr(transformers, config.architectures[0])
        options = {key: value for key, value in MODELS[path.parent.name][2].items() if key in ("padded", "types", "end", "classified", "text_only")}
        config._attn_implementation, config._experts_implementation = "eager", "eager"
        with spy:
            outputs_of(kind(config), inputs_for(config, torch.Generator().manual_seed(0), **options))
    for twin, model_type in TWINS.items():
        spy.reads[twin] = spy.reads[model_type]
    return {"transformers": transformers.__version__, "types": {name: entry(name, spy.reads[name]) for name in sorted(spy.reads)}}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", nargs="?", default="Sources/Architectures/ConfigTable.json", type=pathlib.Path)
    parser.add_argument("--fixtures", default="Tests/Fixtures", type=pathlib.Path)
    parser.add_argument("--check", action="store_true", help="compare with OUTPUT and write nothing")
    options = parser.parse_args()
    found = table(options.fixtures)
    rows = ",\n".join(f"  {json.dumps(name)}: {json.dumps(each)}" for name, each in found["types"].items())
    text = f'{{\n"transformers": {json.dumps(found["transformers"])},\n"types": {{\n{rows}\n}}\n}}\n'
    if options.check:
        same = json.loads(options.output.read_text())["types"] == found["types"]
        print(f"{options.output} {'is' if same else 'is not'} what transformers {transformers.__version__} reads")
        return 0 if same else 1
    options.output.write_text(text)
    print(f"{len(found['types'])} model types, {sum(len(each['keys']) for each in found['types'].values())} keys")
    return 0


if __name__ == "__main__":
    sys.exit(main())
