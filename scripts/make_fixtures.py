#!/usr/bin/env python3
"""Records small random models of every supported family, with inputs and outputs, from Hugging Face transformers.

    python3 scripts/make_fixtures.py [OUTPUT]        (needs torch, transformers 5, safetensors)

For each model OUTPUT/NAME holds config.json and safetensors as transformers saves them, and OUTPUT/references/NAME.safetensors the inputs and
the outputs (`output`, in f32; `output_f64`, the same weights evaluated in f64). No parameter is trivial: norm gains differ from 1, biases
from 0, and attention is far from uniform.
"""
import json
import pathlib
import sys

import torch
import transformers as t
from safetensors.torch import save_file

TEXT = dict(vocab_size=61, hidden_size=48, num_hidden_layers=2, num_attention_heads=4, intermediate_size=56,
            max_position_embeddings=32)
GROUPED = dict(TEXT, num_key_value_heads=2)
VISION = dict(hidden_size=48, num_hidden_layers=2, num_attention_heads=4, intermediate_size=56, image_size=16,
              patch_size=8)
LLAMA3 = dict(rope_type="llama3", rope_theta=10000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=16)

# name: (class, config, options for saving)
MODELS = {
    "bert": (t.BertModel, t.BertConfig(**TEXT), {}),
    "bert_masked_lm": (t.BertForMaskedLM, t.BertConfig(**TEXT, hidden_act="relu"), {}),
    "roberta": (t.RobertaForSequenceClassification, t.RobertaConfig(**TEXT, pad_token_id=1, num_labels=3), {}),
    "llama": (t.LlamaForCausalLM, t.LlamaConfig(**GROUPED), {}),
    "llama_biases": (t.LlamaForCausalLM, t.LlamaConfig(**GROUPED, attention_bias=True, mlp_bias=True), {}),
    "llama_tied": (t.LlamaForCausalLM, t.LlamaConfig(**GROUPED, tie_word_embeddings=True, head_dim=16), {}),
    "llama_scaled": (t.LlamaForCausalLM, t.LlamaConfig(**GROUPED, rope_parameters=LLAMA3), {}),
    "llama_sharded": (t.LlamaForCausalLM, t.LlamaConfig(**GROUPED), dict(max_shard_size="60KB")),
    "llama_bf16": (t.LlamaForCausalLM, t.LlamaConfig(**GROUPED), dict(dtype=torch.bfloat16)),
    "llama_f16": (t.LlamaForCausalLM, t.LlamaConfig(**GROUPED), dict(dtype=torch.float16)),
    "mistral": (t.MistralForCausalLM, t.MistralConfig(**GROUPED, sliding_window=6), {}),
    "qwen2": (t.Qwen2ForCausalLM, t.Qwen2Config(**GROUPED), {}),
    "qwen3": (t.Qwen3ForCausalLM, t.Qwen3Config(**GROUPED, head_dim=16), {}),
    "gpt2": (t.GPT2LMHeadModel,
             t.GPT2Config(vocab_size=61, n_embd=48, n_layer=2, n_head=4, n_positions=32, n_inner=56), {}),
    "vit": (t.ViTForImageClassification, t.ViTConfig(**VISION, num_labels=5), {}),
    "clip_vision": (t.CLIPVisionModel, t.CLIPVisionConfig(**VISION), {}),
}


def fill(model, generator):
    """Makes every parameter non-trivial."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.ndim == 1 and name.endswith("weight"):
                parameter.copy_(1 + 0.3 * noise)
            elif parameter.ndim == 1:
                parameter.copy_(0.2 * noise)
            else:
                fan = parameter.shape[0] if "c_" in name else parameter[0].numel()
                gain = 1.7 if any(part in name for part in ("q_proj", "k_proj", "query", "key", "c_attn")) else 0.9
                parameter.copy_(gain * noise / fan**0.5)


def inputs_for(config, generator):
    if hasattr(config, "image_size"):
        shape = (2, config.num_channels, config.image_size, config.image_size)
        return {"pixel_values": torch.randn(shape, generator=generator)}
    ids = torch.randint(4, config.vocab_size, (2, 12), generator=generator)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def outputs_of(model, inputs, dtype):
    model = model.to(dtype).eval()
    cast = {key: value.to(dtype) if value.is_floating_point() else value for key, value in inputs.items()}
    with torch.no_grad():
        result = model(**cast)
    return result.logits if hasattr(result, "logits") else result.last_hidden_state


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "Tests/Fixtures")
    (root / "references").mkdir(parents=True, exist_ok=True)
    for number, (name, (kind, config, options)) in enumerate(MODELS.items()):
        generator = torch.Generator().manual_seed(1000 + number)
        config._attn_implementation = "eager"
        model = kind(config)
        fill(model, generator)
        model = model.to(options.get("dtype", torch.float32))
        model.save_pretrained(root / name, max_shard_size=options.get("max_shard_size", "5GB"))
        (root / name / "generation_config.json").unlink(missing_ok=True)
        # transformers fills what it cannot find with random values: insist that nothing was missing.
        reloaded, info = kind.from_pretrained(root / name, output_loading_info=True, attn_implementation="eager",
                                              dtype=torch.float32)
        assert not info["missing_keys"] and not info["unexpected_keys"], (name, info)
        inputs = inputs_for(config, generator)
        record = dict(inputs, output=outputs_of(reloaded, inputs, torch.float32),
                      output_f64=outputs_of(reloaded, inputs, torch.float64))
        save_file({key: value.contiguous() for key, value in record.items()}, root / "references" / f"{name}.safetensors")
        print(name, tuple(record["output"].shape), json.loads((root / name / "config.json").read_text())["model_type"])


if __name__ == "__main__":
    main()
