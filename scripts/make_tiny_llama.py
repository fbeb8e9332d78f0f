#!/usr/bin/env python3
"""Trains a small Llama on texts that make_experts.py has written, so that there is a gated language model whose accuracy means something.

    python3 scripts/make_tiny_llama.py TRAIN.jsonl OUTPUT [FILE.jsonl ...] [--steps N] [--seed N]   (needs torch, transformers)

TRAIN.jsonl has a line {"input_ids": [...]} for each text. The model has 4 layers of 256 channels with 8 heads, 4 of them for keys and values,
and a table of tokens that is its head; f32. It knows the 5,000 first ids of BERT's vocabulary, which go by frequency; all others are the
unknown token. Of every FILE a copy with these ids goes beside the model.
"""
import argparse
import json
import pathlib

import torch
from transformers import LlamaConfig, LlamaForCausalLM


KNOWN, UNKNOWN = 5000, 100


def read(path):
    rows = [json.loads(line)["input_ids"][:32] for line in path.read_text().splitlines()]
    return [[id if id < KNOWN else UNKNOWN for id in row] for row in rows]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train", type=pathlib.Path)
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("files", nargs="*", type=pathlib.Path)
    parser.add_argument("--steps", default=300, type=int)
    parser.add_argument("--seed", default=1, type=int)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    texts = read(arguments.train)
    config = LlamaConfig(
        vocab_size=KNOWN, hidden_size=256, intermediate_size=688, num_hidden_layers=4, num_attention_heads=8, num_key_value_heads=4,
        max_position_embeddings=512, tie_word_embeddings=True, bos_token_id=101, eos_token_id=102, pad_token_id=0)
    model = LlamaForCausalLM(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, total_steps=arguments.steps, pct_start=0.05)
    for step in range(arguments.steps):
        batch = [torch.tensor(texts[i]) for i in torch.randint(len(texts), (32,))]
        ids = torch.nn.utils.rnn.pad_sequence(batch, batch_first=True)
        mask = (ids != 0).long()
        loss = model(input_ids=ids, attention_mask=mask, labels=ids.masked_fill(mask == 0, -100)).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            print(f"step {step}: loss {loss.item():.3f}", flush=True)
    model.save_pretrained(arguments.output)
    for path in arguments.files:
        (arguments.output / path.name).write_text("".join(json.dumps({"input_ids": row}) + "\n" for row in read(path)))


if __name__ == "__main__":
    main()
