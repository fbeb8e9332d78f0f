#!/usr/bin/env python3
"""Records small random models of every supported family, with inputs and outputs, from Hugging Face transformers.

    python3 scripts/make_fixtures.py [OUTPUT] [--only NAME...]        (needs torch, transformers 5, safetensors)

For each model OUTPUT/NAME holds config.json and safetensors as transformers saves them, and OUTPUT/references/NAME.safetensors the inputs
and the outputs: `output`, in f32, and `output_f64`, the same weights evaluated in f64 all through; likewise `pooled`, `text_embeds` and
`image_embeds` where the model has them. No parameter is trivial: gains differ from 1, biases from 0, and attention is far from uniform.
OUTPUT/references/rotary.json holds the frequencies of every kind of rotary scaling. A model's seed is its place in the table: append to it.
OUTPUT/variants/NAME.safetensors hold inputs and outputs of those models under other configurations, which OUTPUT/variants.json lists.
"""
import argparse
import contextlib
import copy
import json
import pathlib
import re
import shutil
import tempfile

import torch
import transformers as t
from safetensors.torch import save_file
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

F32 = torch.float32
TEXT = dict(vocab_size=61, hidden_size=48, num_hidden_layers=2, num_attention_heads=4, intermediate_size=56,
            max_position_embeddings=32)
GROUPED = dict(TEXT, num_key_value_heads=2)
VISION = dict(hidden_size=48, num_hidden_layers=2, num_attention_heads=4, intermediate_size=56, image_size=16,
              patch_size=8)
LLAMA3 = dict(rope_type="llama3", rope_theta=10000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=16)

IDS = dict(pad_token_id=0, bos_token_id=1, eos_token_id=2)
SMALL = dict(vocab_size=61, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=40,
             max_position_embeddings=32, **IDS)
ONE = dict(SMALL, num_hidden_layers=1)
SMALL_GROUPED = dict(SMALL, num_key_value_heads=2)
ONE_GROUPED = dict(ONE, num_key_value_heads=2)
SMALL_VISION = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=40, image_size=16, patch_size=4)
ONE_VISION = dict(SMALL_VISION, num_hidden_layers=1)
T5 = dict(vocab_size=61, d_model=32, d_kv=10, d_ff=40, num_layers=2, num_heads=4, relative_attention_num_buckets=8,
          relative_attention_max_distance=10, decoder_start_token_id=0)
BART = dict(vocab_size=61, d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4, decoder_attention_heads=4,
            encoder_ffn_dim=40, decoder_ffn_dim=40)
BIGCODE = dict(vocab_size=61, n_positions=32, n_embd=32, n_layer=2, n_head=4, n_inner=40, **IDS)
MIXED = ["sliding_attention", "full_attention"]
GEMMA3_ROPE = dict(sliding_attention=dict(rope_type="default", rope_theta=100.0),
                   full_attention=dict(rope_type="linear", rope_theta=10000.0, factor=4.0))
DEEPSEEK = dict(SMALL, num_key_value_heads=4, moe_intermediate_size=16, n_routed_experts=8, num_experts_per_tok=2, n_shared_experts=1,
                routed_scaling_factor=2.5, kv_lora_rank=16, qk_rope_head_dim=4, qk_nope_head_dim=6, v_head_dim=10,
                first_k_dense_replace=1)
EXPERTS = dict(SMALL_GROUPED, intermediate_size=24, num_experts_per_tok=2)
CHOSEN = dict(SMALL_GROUPED, moe_intermediate_size=16, n_routed_experts=8, num_experts_per_tok=2, n_shared_experts=2,
              routed_scaling_factor=2.5, first_k_dense_replace=1)
YARN = dict(rope_type="yarn", rope_theta=10000.0, factor=4.0, original_max_position_embeddings=8, beta_fast=2.0, beta_slow=0.5,
            mscale=1.0, mscale_all_dim=0.7)


LONG = dict(rope_type="longrope", short_factor=[1.0, 1.1, 1.2, 1.3, 1.4, 1.5], long_factor=[1.0, 2.0, 3.0, 4.0, 5.0, 6.5],
            original_max_position_embeddings=8)
# Rotary parameters of a Llama model with heads of 12 and 32 positions, and lengths of sequences.
ROTARY = [({"rope_theta": 10000.0, **parameters}, length) for parameters, length in [
    (dict(rope_type="linear", factor=2.5), 10),
    (dict(rope_type="dynamic", factor=3.0), 20), (dict(rope_type="dynamic", factor=3.0), 100),
    (dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=16), 10),
    (dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=8), 20),
    (dict(rope_type="yarn", factor=4.0), 20),
    (dict(rope_type="yarn", factor=4.0, attention_factor=1.7, beta_fast=3.0, beta_slow=0.25, original_max_position_embeddings=8), 20),
    (dict(rope_type="yarn", factor=4.0, mscale=0.9, mscale_all_dim=0.3, original_max_position_embeddings=8), 20),
    (dict(rope_type="yarn", factor=4.0, rope_theta=100.0, beta_fast=4.0), 20),
    (dict(rope_type="yarn", factor=4.0, rope_theta=100.0, beta_fast=4.0, truncate=False), 20),
    (LONG, 8), (LONG, 9), (dict(LONG, attention_factor=1.3), 9), (dict(LONG, factor=3.0), 9)]]


# Models of which some part is not described: their outputs are not recorded.
UNDESCRIBED = dict(text_only=True, undescribed=True)
TOWER = dict(SMALL_VISION, num_hidden_layers=1)
QWEN_TOWER = dict(depth=1, hidden_size=32, num_heads=4, patch_size=4, spatial_merge_size=2, temporal_patch_size=2)
MROPE = dict(rope_type="default", rope_theta=10000.0, mrope_section=[1, 2, 1])
DELTA = dict(linear_num_key_heads=2, linear_num_value_heads=4, linear_key_head_dim=6, linear_value_head_dim=8, linear_conv_kernel_dim=3)


def without(sizes):
    return {key: value for key, value in sizes.items() if key != "intermediate_size"}


# name: (class, config, options for saving and for the inputs)
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
    "distilbert": (t.DistilBertForMaskedLM,
                   t.DistilBertConfig(vocab_size=61, dim=32, n_layers=2, n_heads=4, hidden_dim=40, max_position_embeddings=32),
                   dict(padded=True)),
    "electra": (t.ElectraModel, t.ElectraConfig(**SMALL, embedding_size=24), dict(padded=True, types=True)),
    "albert": (t.AlbertModel, t.AlbertConfig(**dict(SMALL, num_hidden_layers=3), embedding_size=24), dict(padded=True, types=True)),
    "modernbert": (t.ModernBertModel,
                   t.ModernBertConfig(**dict(SMALL, num_hidden_layers=4), cls_token_id=1, sep_token_id=2, local_attention=6),
                   dict(padded=True)),
    "deit": (t.DeiTForImageClassificationWithTeacher, t.DeiTConfig(**SMALL_VISION, num_labels=5), {}),
    "dinov2": (t.Dinov2Model, t.Dinov2Config(**without(SMALL_VISION), mlp_ratio=2), {}),
    "dinov2_swiglu": (t.Dinov2Model, t.Dinov2Config(**without(SMALL_VISION), mlp_ratio=2, use_swiglu_ffn=True), {}),
    "siglip_vision": (t.SiglipVisionModel, t.SiglipVisionConfig(**SMALL_VISION), {}),
    "siglip": (t.SiglipModel,
               t.SiglipConfig(text_config=dict(SMALL, hidden_size=24, projection_size=32), vision_config=SMALL_VISION), {}),
    "clip": (t.CLIPModel,
             t.CLIPConfig(text_config=dict(SMALL, hidden_size=24), vision_config=SMALL_VISION, projection_dim=20),
             dict(padded=True, end=60)),
    "clip_text": (t.CLIPTextModel, t.CLIPTextConfig(**dict(SMALL, eos_token_id=60)), dict(padded=True, end=60)),
    "t5": (t.T5ForConditionalGeneration, t.T5Config(**T5), dict(padded=True)),
    "t5_gated": (t.T5ForConditionalGeneration, t.T5Config(**T5, feed_forward_proj="gated-gelu", tie_word_embeddings=False),
                 dict(padded=True, untied=True)),
    "bart": (t.BartForConditionalGeneration, t.BartConfig(**BART, **IDS, max_position_embeddings=32), dict(padded=True)),
    "whisper": (t.WhisperForConditionalGeneration,
                t.WhisperConfig(**BART, **IDS, num_mel_bins=8, max_source_positions=12, max_target_positions=16,
                                decoder_start_token_id=3), {}),
    "opt": (t.OPTForCausalLM, t.OPTConfig(**without(SMALL), ffn_dim=40), {}),
    "opt_post": (t.OPTForCausalLM, t.OPTConfig(**without(SMALL), ffn_dim=40, do_layer_norm_before=False, word_embed_proj_dim=24), {}),
    "bloom": (t.BloomForCausalLM, t.BloomConfig(vocab_size=61, hidden_size=48, n_layer=2, n_head=6), {}),
    "falcon_old": (t.FalconForCausalLM,
                   t.FalconConfig(**without(SMALL), ffn_hidden_size=40, multi_query=True, parallel_attn=True, alibi=False, bias=False), {}),
    "falcon_alibi": (t.FalconForCausalLM,
                     t.FalconConfig(**without(SMALL), ffn_hidden_size=40, multi_query=False, parallel_attn=False, alibi=True,
                                    bias=True), dict(attention="sdpa")),  # eager attention there adds ALiBi twice
    "falcon_new": (t.FalconForCausalLM,
                   t.FalconConfig(**without(SMALL), ffn_hidden_size=40, new_decoder_architecture=True, num_kv_heads=2), {}),
    "gpt_neo": (t.GPTNeoForCausalLM,
                t.GPTNeoConfig(vocab_size=61, hidden_size=32, num_layers=2, num_heads=4, intermediate_size=40,
                               max_position_embeddings=32, attention_types=[[["global", "local"], 1]], window_size=5, **IDS), {}),
    "gptj": (t.GPTJForCausalLM,
             t.GPTJConfig(vocab_size=61, n_positions=32, n_embd=32, n_layer=2, n_head=4, n_inner=40, rotary_dim=4, **IDS), {}),
    "gpt_neox": (t.GPTNeoXForCausalLM, t.GPTNeoXConfig(**SMALL, rotary_pct=0.5, use_parallel_residual=True), {}),
    "gpt_neox_sequential": (t.GPTNeoXForCausalLM, t.GPTNeoXConfig(**SMALL, rotary_pct=0.5, use_parallel_residual=False), {}),
    "gpt_bigcode": (t.GPTBigCodeForCausalLM, t.GPTBigCodeConfig(**BIGCODE, multi_query=True), {}),
    "gpt_bigcode_mha": (t.GPTBigCodeForCausalLM, t.GPTBigCodeConfig(**BIGCODE, multi_query=False), {}),
    "starcoder2": (t.Starcoder2ForCausalLM, t.Starcoder2Config(**SMALL_GROUPED, use_bias=True, sliding_window=5), {}),
    "phi": (t.PhiForCausalLM, t.PhiConfig(**SMALL_GROUPED, partial_rotary_factor=0.5), {}),
    "phi_qk": (t.PhiForCausalLM, t.PhiConfig(**SMALL, partial_rotary_factor=0.5, qk_layernorm=True), {}),
    "phi3": (t.Phi3ForCausalLM, t.Phi3Config(**SMALL_GROUPED, original_max_position_embeddings=32, sliding_window=6), {}),
    "phi3_partial": (t.Phi3ForCausalLM,
                     t.Phi3Config(**SMALL_GROUPED, original_max_position_embeddings=32, partial_rotary_factor=0.5), {}),
    "gemma": (t.GemmaForCausalLM, t.GemmaConfig(**SMALL_GROUPED, head_dim=12), {}),
    "gemma2": (t.Gemma2ForCausalLM,
               t.Gemma2Config(**SMALL_GROUPED, head_dim=12, query_pre_attn_scalar=10, sliding_window=5, attn_logit_softcapping=3.0,
                              final_logit_softcapping=2.0), {}),
    "gemma3_text": (t.Gemma3ForCausalLM,
                    t.Gemma3TextConfig(**SMALL_GROUPED, head_dim=12, query_pre_attn_scalar=10, sliding_window=5, layer_types=MIXED), {}),
    "gemma3_text_scaled": (t.Gemma3ForCausalLM,
                           t.Gemma3TextConfig(**SMALL_GROUPED, head_dim=12, query_pre_attn_scalar=10, sliding_window=5,
                                              layer_types=MIXED, rope_parameters=GEMMA3_ROPE), {}),
    "stablelm": (t.StableLmForCausalLM, t.StableLmConfig(**SMALL_GROUPED, partial_rotary_factor=0.25, use_qkv_bias=True), {}),
    "stablelm_qk": (t.StableLmForCausalLM,
                    t.StableLmConfig(**SMALL_GROUPED, partial_rotary_factor=0.5, qk_layernorm=True, use_parallel_residual=True), {}),
    "cohere": (t.CohereForCausalLM, t.CohereConfig(**SMALL_GROUPED, logit_scale=0.5), {}),
    "cohere_qk": (t.CohereForCausalLM, t.CohereConfig(**SMALL_GROUPED, logit_scale=0.5, use_qk_norm=True), {}),
    "cohere2": (t.Cohere2ForCausalLM, t.Cohere2Config(**SMALL_GROUPED, logit_scale=0.5, sliding_window=5, layer_types=MIXED), {}),
    "olmo": (t.OlmoForCausalLM, t.OlmoConfig(**SMALL_GROUPED, clip_qkv=1.5), {}),
    "olmo2": (t.Olmo2ForCausalLM, t.Olmo2Config(**SMALL_GROUPED), {}),
    "granite": (t.GraniteForCausalLM,
                t.GraniteConfig(**SMALL_GROUPED, embedding_multiplier=6.0, logits_scaling=0.5, residual_multiplier=0.4,
                                attention_multiplier=0.2), {}),
    "mixtral": (t.MixtralForCausalLM, t.MixtralConfig(**dict(SMALL_GROUPED, intermediate_size=24), num_local_experts=4), {}),
    "qwen2_moe": (t.Qwen2MoeForCausalLM,
                  t.Qwen2MoeConfig(**SMALL_GROUPED, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=24,
                                   shared_expert_intermediate_size=28, mlp_only_layers=[0], norm_topk_prob=False), {}),
    "qwen3_moe": (t.Qwen3MoeForCausalLM,
                  t.Qwen3MoeConfig(**SMALL_GROUPED, head_dim=12, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=24,
                                   norm_topk_prob=True), {}),
    "deepseek_v3": (t.DeepseekV3ForCausalLM, t.DeepseekV3Config(**DEEPSEEK, q_lora_rank=20, n_group=2, topk_group=1), {}),
    "deepseek_v3_plain": (t.DeepseekV3ForCausalLM, t.DeepseekV3Config(**DEEPSEEK, q_lora_rank=None, n_group=1, topk_group=1), {}),
    "gpt_oss": (t.GptOssForCausalLM,
                t.GptOssConfig(**dict(SMALL_GROUPED, intermediate_size=24), head_dim=12, num_local_experts=4, num_experts_per_tok=2,
                               sliding_window=5, swiglu_limit=1.0), {}),
    "llama4_text": (t.Llama4ForCausalLM,
                    t.Llama4TextConfig(**dict(SMALL_GROUPED, intermediate_size=24), intermediate_size_mlp=40, head_dim=12,
                                       num_local_experts=4, moe_layers=[1], no_rope_layers=[1, 0], attention_chunk_size=5,
                                       floor_scale=3, attn_scale=0.5, use_qk_norm=True), {}),
    "deepseek_v3_yarn": (t.DeepseekV3ForCausalLM,
                         t.DeepseekV3Config(**DEEPSEEK, q_lora_rank=None, n_group=2, topk_group=1, rope_interleave=False,
                                            rope_parameters=YARN), {}),
    "gemma3_text_bidirectional": (t.Gemma3TextModel,
                                  t.Gemma3TextConfig(**SMALL_GROUPED, head_dim=12, query_pre_attn_scalar=10, sliding_window=6,
                                                     layer_types=MIXED, use_bidirectional_attention=True), {"padded": True}),
    # Heads of other kinds, on one layer.
    "albert_classifier": (t.AlbertForSequenceClassification, t.AlbertConfig(**ONE, embedding_size=24, num_labels=3), dict(padded=True)),
    "albert_masked_lm": (t.AlbertForMaskedLM, t.AlbertConfig(**ONE, embedding_size=24), dict(padded=True)),
    "bart_classifier": (t.BartForSequenceClassification,
                        t.BartConfig(**dict(BART, encoder_layers=1, decoder_layers=1), **IDS, max_position_embeddings=32, num_labels=3),
                        dict(classified=True)),
    "bert_classifier": (t.BertForSequenceClassification, t.BertConfig(**ONE, num_labels=3), dict(padded=True, types=True)),
    "bloom_classifier": (t.BloomForSequenceClassification,
                         t.BloomConfig(vocab_size=61, hidden_size=32, n_layer=1, n_head=4, pad_token_id=3, num_labels=3),
                         dict(padded=True)),
    "deit_classifier": (t.DeiTForImageClassification, t.DeiTConfig(**ONE_VISION, num_labels=5), {}),
    "dinov2_classifier": (t.Dinov2ForImageClassification, t.Dinov2Config(**without(ONE_VISION), mlp_ratio=2, num_labels=5), {}),
    "distilbert_classifier": (t.DistilBertForSequenceClassification,
                              t.DistilBertConfig(vocab_size=61, dim=32, n_layers=1, n_heads=4, hidden_dim=40,
                                                 max_position_embeddings=32, num_labels=3), dict(padded=True)),
    "electra_classifier": (t.ElectraForSequenceClassification, t.ElectraConfig(**ONE, embedding_size=24, num_labels=3),
                           dict(padded=True)),
    "electra_masked_lm": (t.ElectraForMaskedLM, t.ElectraConfig(**ONE, embedding_size=24), dict(padded=True)),
    "gpt2_classifier": (t.GPT2ForSequenceClassification,
                        t.GPT2Config(vocab_size=61, n_embd=32, n_layer=1, n_head=4, n_positions=32, n_inner=40, pad_token_id=0,
                                     num_labels=3), dict(padded=True)),
    "gpt_neox_classifier": (t.GPTNeoXForSequenceClassification, t.GPTNeoXConfig(**ONE, num_labels=3), dict(padded=True)),
    "llama_classifier": (t.LlamaForSequenceClassification, t.LlamaConfig(**ONE, num_labels=3), dict(padded=True)),
    "modernbert_classifier": (t.ModernBertForSequenceClassification,
                              t.ModernBertConfig(**ONE, cls_token_id=1, sep_token_id=2, local_attention=6, num_labels=3,
                                                 classifier_pooling="cls"), dict(padded=True)),
    "modernbert_mean_classifier": (t.ModernBertForSequenceClassification,
                                   t.ModernBertConfig(**ONE, cls_token_id=1, sep_token_id=2, local_attention=6, num_labels=3,
                                                      classifier_pooling="mean", classifier_bias=True), dict(padded=True)),
    "modernbert_masked_lm": (t.ModernBertForMaskedLM,
                             t.ModernBertConfig(**ONE, cls_token_id=1, sep_token_id=2, local_attention=6), dict(padded=True)),
    "opt_classifier": (t.OPTForSequenceClassification,
                       t.OPTConfig(**without(ONE), ffn_dim=40, word_embed_proj_dim=24, num_labels=3), dict(padded=True)),
    "roberta_masked_lm": (t.RobertaForMaskedLM, t.RobertaConfig(**dict(ONE, pad_token_id=1, bos_token_id=0)), dict(padded=True)),
    "siglip_classifier": (t.SiglipForImageClassification,
                          t.SiglipConfig(text_config=dict(ONE, projection_size=32), vision_config=ONE_VISION, num_labels=5),
                          dict(classified=True)),
    "t5_classifier": (t.T5ForSequenceClassification, t.T5Config(**dict(T5, num_layers=1), **IDS, num_labels=3), dict(classified=True)),
    "whisper_classifier": (t.WhisperForAudioClassification,
                           t.WhisperConfig(**dict(BART, encoder_layers=1, decoder_layers=1), **IDS, num_mel_bins=8,
                                           max_source_positions=12, max_target_positions=16, num_labels=3),
                           dict(classified=True)),
    "clip_text_projection": (t.CLIPTextModelWithProjection, t.CLIPTextConfig(**dict(ONE, eos_token_id=60), projection_dim=20),
                             dict(padded=True, end=60)),
    "clip_vision_projection": (t.CLIPVisionModelWithProjection, t.CLIPVisionConfig(**ONE_VISION, projection_dim=20), {}),
    "smollm3": (t.SmolLM3ForCausalLM, t.SmolLM3Config(**SMALL_GROUPED, no_rope_layers=[1, 0]), {}),
    "smollm3_sliding": (t.SmolLM3ForCausalLM,
                        t.SmolLM3Config(**SMALL_GROUPED, no_rope_layers=[0, 1], use_sliding_window=True, sliding_window=5,
                                        attention_bias=True, mlp_bias=True, tie_word_embeddings=False), {}),
    "olmo3": (t.Olmo3ForCausalLM, t.Olmo3Config(**SMALL_GROUPED, sliding_window=5, layer_types=MIXED), {}),
    "olmo3_scaled": (t.Olmo3ForCausalLM,
                     t.Olmo3Config(**SMALL_GROUPED, sliding_window=5, layer_types=MIXED[::-1], attention_bias=True,
                                   rope_parameters=dict(sliding_attention=dict(rope_type="default", rope_theta=100.0),
                                                        full_attention=YARN)), {}),
    "glm": (t.GlmForCausalLM, t.GlmConfig(**SMALL_GROUPED, head_dim=12), {}),
    "glm4": (t.Glm4ForCausalLM, t.Glm4Config(**SMALL_GROUPED, head_dim=12, attention_bias=False, tie_word_embeddings=True), {}),
    "glm4_biases": (t.Glm4ForCausalLM, t.Glm4Config(**ONE_GROUPED, head_dim=16, rope_parameters=dict(
        rope_type="default", rope_theta=100.0, partial_rotary_factor=0.25)), {}),
    "helium": (t.HeliumForCausalLM, t.HeliumConfig(**SMALL_GROUPED, head_dim=8, attention_bias=True, mlp_bias=True), {}),
    "seed_oss": (t.SeedOssForCausalLM, t.SeedOssConfig(**SMALL_GROUPED, head_dim=12), {}),
    "seed_oss_biases": (t.SeedOssForCausalLM,
                        t.SeedOssConfig(**ONE_GROUPED, head_dim=8, attention_bias=False, attention_out_bias=True, mlp_bias=True,
                                        tie_word_embeddings=True), {}),
    "ernie4_5": (t.Ernie4_5ForCausalLM, t.Ernie4_5Config(**SMALL_GROUPED, head_dim=12), {}),
    "ernie4_5_biases": (t.Ernie4_5ForCausalLM,
                        t.Ernie4_5Config(**ONE_GROUPED, head_dim=8, use_bias=True, tie_word_embeddings=False), {}),
    "exaone4": (t.Exaone4ForCausalLM, t.Exaone4Config(**SMALL_GROUPED, sliding_window=5, layer_types=MIXED), {}),
    "exaone4_full": (t.Exaone4ForCausalLM,
                     t.Exaone4Config(**SMALL_GROUPED, head_dim=12, sliding_window=None, layer_types=["full_attention"] * 2,
                                     rope_parameters=LLAMA3, tie_word_embeddings=True), {}),
    "arcee": (t.ArceeForCausalLM, t.ArceeConfig(**SMALL_GROUPED), {}),
    "arcee_biases": (t.ArceeForCausalLM,
                     t.ArceeConfig(**ONE_GROUPED, head_dim=12, attention_bias=True, mlp_bias=True, tie_word_embeddings=True,
                                   rope_parameters=YARN), {}),
    "nemotron": (t.NemotronForCausalLM, t.NemotronConfig(**SMALL_GROUPED), {}),
    "nemotron_biases": (t.NemotronForCausalLM,
                        t.NemotronConfig(**ONE_GROUPED, head_dim=12, attention_bias=True, mlp_bias=True, tie_word_embeddings=True), {}),
    "ministral": (t.MinistralForCausalLM, t.MinistralConfig(**SMALL_GROUPED, head_dim=12, sliding_window=5, layer_types=MIXED), {}),
    "persimmon": (t.PersimmonForCausalLM, t.PersimmonConfig(**SMALL), {}),
    "persimmon_plain": (t.PersimmonForCausalLM, t.PersimmonConfig(**ONE, qk_layernorm=False, tie_word_embeddings=True), {}),
    # Further mixtures of experts.
    "olmoe": (t.OlmoeForCausalLM, t.OlmoeConfig(**EXPERTS, num_experts=4), {}),
    "olmoe_clipped": (t.OlmoeForCausalLM,
                      t.OlmoeConfig(**EXPERTS, num_experts=4, clip_qkv=1.0, norm_topk_prob=True, attention_bias=True), {}),
    "glm4_moe": (t.Glm4MoeForCausalLM, t.Glm4MoeConfig(**CHOSEN, head_dim=12, attention_bias=True, n_group=2, topk_group=1), {}),
    "glm4_moe_qk": (t.Glm4MoeForCausalLM, t.Glm4MoeConfig(**CHOSEN, use_qk_norm=True, norm_topk_prob=False, tie_word_embeddings=True), {}),
    "dots1": (t.Dots1ForCausalLM,
              t.Dots1Config(**CHOSEN, head_dim=12, attention_bias=True, n_group=2, topk_group=1, norm_topk_prob=True, sliding_window=5,
                            max_window_layers=1), {}),
    "granitemoe": (t.GraniteMoeForCausalLM,
                   t.GraniteMoeConfig(**EXPERTS, num_local_experts=4, embedding_multiplier=6.0, logits_scaling=0.5, residual_multiplier=0.4,
                                      attention_multiplier=0.2, attention_bias=True, tie_word_embeddings=True), {}),
    "granitemoeshared": (t.GraniteMoeSharedForCausalLM,
                         t.GraniteMoeSharedConfig(**EXPERTS, num_local_experts=4, shared_intermediate_size=28, embedding_multiplier=6.0,
                                                  logits_scaling=0.5, residual_multiplier=0.4, attention_multiplier=0.2), {}),
    "granitemoeshared_unshared": (t.GraniteMoeSharedForCausalLM,
                                  t.GraniteMoeSharedConfig(**dict(EXPERTS, num_hidden_layers=1), num_local_experts=4), {}),
    "minimax_m2": (t.MiniMaxM2ForCausalLM, t.MiniMaxM2Config(**EXPERTS, num_local_experts=4, head_dim=12, rotary_dim=4), {}),
    "deepseek_v2": (t.DeepseekV2ForCausalLM,
                    t.DeepseekV2Config(**DEEPSEEK, q_lora_rank=20, topk_method="greedy", attention_bias=True, mlp_bias=True), {}),
    "deepseek_v2_grouped": (t.DeepseekV2ForCausalLM,
                            t.DeepseekV2Config(**DEEPSEEK, q_lora_rank=None, topk_method="group_limited_greedy", n_group=4, topk_group=2,
                                               rope_parameters=YARN), {}),
    "flex_olmo": (t.FlexOlmoForCausalLM, t.FlexOlmoConfig(**EXPERTS, num_experts=4, attention_bias=True), {}),
    # Encoders, and encoders with decoders.
    "mt5": (t.MT5ForConditionalGeneration, t.MT5Config(**T5), dict(padded=True, untied=True)),
    "mt5_encoder": (t.MT5EncoderModel, t.MT5Config(**dict(T5, num_layers=1)), dict(padded=True)),
    "mt5_classifier": (t.MT5ForSequenceClassification, t.MT5Config(**dict(T5, num_layers=1), **IDS, feed_forward_proj="relu", num_labels=3),
                       dict(classified=True)),
    "umt5": (t.UMT5ForConditionalGeneration, t.UMT5Config(**T5), dict(padded=True)),
    "umt5_encoder": (t.UMT5EncoderModel, t.UMT5Config(**T5, is_encoder_decoder=False), dict(padded=True)),
    "umt5_classifier": (t.UMT5ForSequenceClassification,
                        t.UMT5Config(**dict(T5, num_layers=1), **IDS, feed_forward_proj="relu", num_labels=3), dict(classified=True)),
    "mbart": (t.MBartForConditionalGeneration,
              t.MBartConfig(**BART, **IDS, max_position_embeddings=32, scale_embedding=True, decoder_start_token_id=2),
              dict(padded=True)),
    "mbart_classifier": (t.MBartForSequenceClassification,
                         t.MBartConfig(**dict(BART, encoder_layers=1, decoder_layers=1), **IDS, max_position_embeddings=32, num_labels=3),
                         dict(classified=True)),
    "xlm_roberta_xl": (t.XLMRobertaXLForMaskedLM, t.XLMRobertaXLConfig(**dict(SMALL, pad_token_id=1, bos_token_id=0)), dict(padded=True)),
    "xlm_roberta_xl_classifier": (t.XLMRobertaXLForSequenceClassification,
                                  t.XLMRobertaXLConfig(**dict(ONE, pad_token_id=1, bos_token_id=0), num_labels=3), dict(padded=True)),
    "roberta_prelayernorm": (t.RobertaPreLayerNormForMaskedLM,
                             t.RobertaPreLayerNormConfig(**dict(SMALL, pad_token_id=1, bos_token_id=0)), dict(padded=True, types=True)),
    "roberta_prelayernorm_classifier": (t.RobertaPreLayerNormForSequenceClassification,
                                        t.RobertaPreLayerNormConfig(**dict(ONE, pad_token_id=1, bos_token_id=0), num_labels=3),
                                        dict(padded=True)),
    "megatron_bert": (t.MegatronBertForMaskedLM, t.MegatronBertConfig(**SMALL), dict(padded=True, types=True)),
    "megatron_bert_classifier": (t.MegatronBertForSequenceClassification, t.MegatronBertConfig(**ONE, num_labels=3), dict(padded=True)),
    "mpnet": (t.MPNetModel, t.MPNetConfig(**dict(SMALL, pad_token_id=1, bos_token_id=0)), dict(padded=True)),
    "mpnet_classifier": (t.MPNetForSequenceClassification,
                         t.MPNetConfig(**dict(ONE, pad_token_id=1, bos_token_id=0), num_labels=3), dict(padded=True)),
    "mpnet_masked_lm": (t.MPNetForMaskedLM, t.MPNetConfig(**dict(ONE, pad_token_id=1, bos_token_id=0)), dict(padded=True)),
    "eurobert": (t.EuroBertForMaskedLM, t.EuroBertConfig(**SMALL_GROUPED, attention_bias=True, mlp_bias=True), dict(padded=True)),
    "eurobert_classifier": (t.EuroBertForSequenceClassification, t.EuroBertConfig(**ONE, head_dim=12, num_labels=3), dict(padded=True)),
    "nomic_bert": (t.NomicBertModel, t.NomicBertConfig(**SMALL), dict(padded=True, types=True)),
    "nomic_bert_classifier": (t.NomicBertForSequenceClassification, t.NomicBertConfig(**ONE, head_dim=12, num_labels=3), dict(padded=True)),
    "nomic_bert_masked_lm": (t.NomicBertForMaskedLM, t.NomicBertConfig(**ONE), dict(padded=True)),
    "data2vec_text": (t.Data2VecTextForMaskedLM, t.Data2VecTextConfig(**dict(SMALL, pad_token_id=1, bos_token_id=0)),
                      dict(padded=True, types=True)),
    "data2vec_text_classifier": (t.Data2VecTextForSequenceClassification,
                                 t.Data2VecTextConfig(**dict(ONE, pad_token_id=1, bos_token_id=0), num_labels=3), dict(padded=True)),
    "vit_msn": (t.ViTMSNModel, t.ViTMSNConfig(**SMALL_VISION, qkv_bias=False), {}),
    "vit_msn_classifier": (t.ViTMSNForImageClassification, t.ViTMSNConfig(**ONE_VISION, num_labels=5), {}),
    "t5_encoder": (t.T5EncoderModel, t.T5Config(**T5, feed_forward_proj="gated-gelu"), dict(padded=True)),
    "siglip_text": (t.SiglipTextModel, t.SiglipTextConfig(**SMALL, projection_size=20), dict(padded=True)),
    "clip_classifier": (t.CLIPForImageClassification, t.CLIPConfig(text_config=ONE, vision_config=ONE_VISION, num_labels=5),
                        dict(classified=True)),
    "ernie4_5_moe": (t.Ernie4_5_MoeForCausalLM,
                     t.Ernie4_5_MoeConfig(**SMALL_GROUPED, moe_intermediate_size=16, moe_num_experts=8, moe_k=2, moe_num_shared_experts=2,
                                          moe_norm_min=0.4, use_bias=True), {}),
    "ernie4_5_moe_early": (t.Ernie4_5_MoeForCausalLM,
                           t.Ernie4_5_MoeConfig(**SMALL_GROUPED, moe_intermediate_size=16, moe_num_experts=4, moe_k=2,
                                                moe_num_shared_experts=0, moe_layer_start_index=0, moe_layer_end_index=0,
                                                tie_word_embeddings=False), {}),
    # Models with parts that are copied and not understood.
    "gemma3": (t.Gemma3ForConditionalGeneration,
               t.Gemma3Config(text_config=dict(SMALL_GROUPED, head_dim=12, query_pre_attn_scalar=10, sliding_window=5, layer_types=MIXED),
                              vision_config=TOWER, mm_tokens_per_image=4, image_token_index=3, boi_token_index=1, eoi_token_index=2),
               dict(UNDESCRIBED)),
    "llava": (t.LlavaForConditionalGeneration,
              t.LlavaConfig(text_config=dict(SMALL_GROUPED, model_type="llama"), vision_config=dict(TOWER, model_type="clip_vision_model"),
                            image_token_index=3), dict(UNDESCRIBED)),
    "llava_mistral": (t.LlavaForConditionalGeneration,
                      t.LlavaConfig(text_config=dict(ONE_GROUPED, model_type="mistral", sliding_window=5),
                                    vision_config=dict(TOWER, model_type="clip_vision_model"), image_token_index=3), dict(UNDESCRIBED)),
    "llava_qwen2": (t.LlavaForConditionalGeneration,
                    t.LlavaConfig(text_config=dict(ONE_GROUPED, model_type="qwen2", tie_word_embeddings=True),
                                  vision_config=dict(TOWER, model_type="siglip_vision_model"), image_token_index=3), dict(UNDESCRIBED)),
    "qwen2_vl": (t.Qwen2VLForConditionalGeneration,
                 t.Qwen2VLConfig(text_config=dict(SMALL_GROUPED, rope_parameters=MROPE),
                                 vision_config=dict(QWEN_TOWER, embed_dim=32, mlp_ratio=2), image_token_id=3, video_token_id=2,
                                 vision_start_token_id=1, vision_end_token_id=2), dict(UNDESCRIBED)),
    "qwen2_5_vl": (t.Qwen2_5_VLForConditionalGeneration,
                   t.Qwen2_5_VLConfig(text_config=dict(SMALL_GROUPED, rope_parameters=MROPE),
                                      vision_config=dict(QWEN_TOWER, intermediate_size=40, out_hidden_size=32, window_size=8,
                                                         fullatt_block_indexes=[0]),
                                      image_token_id=3, video_token_id=2, vision_start_token_id=1, vision_end_token_id=2,
                                      tie_word_embeddings=True), dict(UNDESCRIBED)),
    "mistral3": (t.Mistral3ForConditionalGeneration,
                 t.Mistral3Config(text_config=dict(SMALL_GROUPED, model_type="mistral", head_dim=12),
                                  vision_config=dict(TOWER, model_type="pixtral"), image_token_index=3), dict(UNDESCRIBED)),
    "qwen3_next": (t.Qwen3NextForCausalLM,
                   t.Qwen3NextConfig(**dict(SMALL_GROUPED, num_hidden_layers=3), **DELTA, head_dim=12, num_experts=4, num_experts_per_tok=2,
                                     moe_intermediate_size=16, shared_expert_intermediate_size=20, mlp_only_layers=[0],
                                     attention_bias=True, layer_types=["linear_attention", "full_attention", "full_attention"],
                                     rope_parameters=dict(rope_type="default", rope_theta=10000.0, partial_rotary_factor=0.5)),
                   dict(UNDESCRIBED)),
    "qwen3_next_full": (t.Qwen3NextForCausalLM,
                        t.Qwen3NextConfig(**SMALL_GROUPED, **DELTA, head_dim=12, num_experts=4, num_experts_per_tok=2,
                                          moe_intermediate_size=16, shared_expert_intermediate_size=20, mlp_only_layers=[0],
                                          layer_types=["full_attention"] * 2,
                                          rope_parameters=dict(rope_type="default", rope_theta=10000.0, partial_rotary_factor=0.5)), {}),
    "lfm2": (t.Lfm2ForCausalLM,
             t.Lfm2Config(**SMALL_GROUPED, block_multiple_of=8, layer_types=["conv", "full_attention"], conv_bias=True), dict(UNDESCRIBED)),
    "lfm2_full": (t.Lfm2ForCausalLM, t.Lfm2Config(**ONE_GROUPED, block_auto_adjust_ff_dim=False, layer_types=["full_attention"]), {}),
    "jamba": (t.JambaForCausalLM,
              t.JambaConfig(**dict(SMALL_GROUPED, num_hidden_layers=3, intermediate_size=24), num_experts=4, attn_layer_period=3,
                            attn_layer_offset=1, mamba_d_state=4, mamba_dt_rank=3), dict(UNDESCRIBED)),
    "jamba_full": (t.JambaForCausalLM,
                   t.JambaConfig(**dict(SMALL_GROUPED, intermediate_size=24), num_experts=4, attn_layer_period=1, attn_layer_offset=0), {}),
    "bamba": (t.BambaForCausalLM,
              t.BambaConfig(**SMALL_GROUPED, attn_layer_indices=[1], mamba_n_heads=4, mamba_d_state=4, mamba_chunk_size=4,
                            attention_bias=True), dict(UNDESCRIBED)),
    "bamba_full": (t.BambaForCausalLM,
                   t.BambaConfig(**ONE_GROUPED, attn_layer_indices=[0], mamba_n_heads=4, mlp_bias=True), {}),
    "granitemoehybrid": (t.GraniteMoeHybridForCausalLM,
                         t.GraniteMoeHybridConfig(**EXPERTS, num_local_experts=4, shared_intermediate_size=20, embedding_multiplier=6.0,
                                                  logits_scaling=0.5, residual_multiplier=0.4, attention_multiplier=0.2,
                                                  position_embedding_type=None, layer_types=["linear_attention", "full_attention"],
                                                  mamba_n_heads=4, mamba_d_state=4, mamba_chunk_size=4), dict(UNDESCRIBED)),
    "granitemoehybrid_full": (t.GraniteMoeHybridForCausalLM,
                              t.GraniteMoeHybridConfig(**ONE_GROUPED, num_local_experts=0, shared_intermediate_size=20,
                                                       residual_multiplier=0.4, attention_multiplier=0.2, attention_bias=True,
                                                       position_embedding_type="rope", layer_types=["full_attention"],
                                                       mamba_n_heads=4), {}),
    "falcon_h1": (t.FalconH1ForCausalLM,
                  t.FalconH1Config(**SMALL_GROUPED, mamba_d_ssm=32, mamba_n_heads=4, mamba_d_state=4, mamba_chunk_size=4, key_multiplier=0.7,
                                   attention_out_multiplier=0.8, ssm_multipliers=[0.9, 1.1, 0.8, 1.2, 0.7], mlp_multipliers=[0.9, 1.3],
                                   mamba_rms_norm=True), dict(UNDESCRIBED)),
    "nemotron_h": (t.NemotronHForCausalLM,
                   t.NemotronHConfig(**{key: value for key, value in SMALL_GROUPED.items() if key != "num_hidden_layers"}, head_dim=12,
                                     layers_block_type=["linear_attention", "full_attention", "mlp", "moe"], ssm_state_size=4,
                                     mamba_num_heads=4, mamba_head_dim=8, n_groups=2, chunk_size=4, n_routed_experts=4,
                                     moe_intermediate_size=16, moe_shared_expert_intermediate_size=20, mlp_bias=True), dict(UNDESCRIBED)),
    "nemotron_h_full": (t.NemotronHForCausalLM,
                        t.NemotronHConfig(**{key: value for key, value in SMALL_GROUPED.items() if key != "num_hidden_layers"}, head_dim=12,
                                          layers_block_type=["full_attention", "mlp", "moe"], n_routed_experts=8, n_group=2,
                                          routed_scaling_factor=2.5, moe_intermediate_size=16, moe_shared_expert_intermediate_size=20), {}),
    "qwen3_vl": (t.Qwen3VLForConditionalGeneration,
                 t.Qwen3VLConfig(text_config=dict(SMALL_GROUPED, head_dim=12, rope_parameters=dict(MROPE, mrope_section=[2, 2, 2])),
                                 vision_config=dict(QWEN_TOWER, intermediate_size=40, out_hidden_size=32, num_position_embeddings=16,
                                                    deepstack_visual_indexes=[0]),
                                 image_token_id=3, video_token_id=2, vision_start_token_id=1, vision_end_token_id=2), dict(UNDESCRIBED)),
    "qwen3_5": (t.Qwen3_5ForConditionalGeneration,
                t.Qwen3_5Config(text_config=dict(SMALL_GROUPED, **DELTA, head_dim=12, layer_types=["linear_attention", "full_attention"],
                                                 rope_parameters=dict(MROPE, mrope_section=[1, 1, 1], partial_rotary_factor=0.5)),
                                vision_config=dict(QWEN_TOWER, intermediate_size=40, out_hidden_size=32, num_position_embeddings=16),
                                image_token_id=3, video_token_id=2, vision_start_token_id=1, vision_end_token_id=2), dict(UNDESCRIBED)),
    "qwen3_5_text": (t.Qwen3_5ForCausalLM,
                     t.Qwen3_5TextConfig(**ONE_GROUPED, **DELTA, head_dim=12, layer_types=["full_attention"],
                                         rope_parameters=dict(rope_type="default", rope_theta=10000.0, partial_rotary_factor=0.5)), {}),
}


def text(length, rows=2, **places):
    """Random tokens, with some in their places: `at_8=3` puts token 3 there."""
    ids = torch.randint(4, 61, (rows, length), generator=torch.Generator().manual_seed(length))
    for place, token in places.items():
        ids[:, int(place.removeprefix("at_"))] = token
    return dict(input_ids=ids)


def long_rope(pairs, **settings):
    return dict(rope_type="longrope", rope_theta=10000.0, short_factor=[1 + 0.1 * pair for pair in range(pairs)],
                long_factor=[1 + 1.1 * pair for pair in range(pairs)], **settings)


# name: (model above, changes of its configuration where null takes a key away, inputs, length of a prompt that is continued by 14 tokens)
VARIANTS = {
    "llama_not_causal": ("llama", dict(is_causal=False), text(12), 0),
    "mistral_not_causal": ("mistral", dict(is_causal=False, sliding_window=4), text(14), 0),
    "gemma2_not_causal": ("gemma2", dict(is_causal=False), text(14), 0),
    "bloom_not_causal": ("bloom", dict(is_causal=False), text(12), 0),
    "llama4_not_causal": ("llama4_text", dict(is_causal=False), text(12), 0),
    "bert_decoder": ("bert_masked_lm", dict(is_decoder=True, architectures=["BertLMHeadModel"]), text(9), 5),
    "roberta_padding": ("roberta_masked_lm", {}, text(9, at_2=1, at_5=1, at_8=1), 0),
    "electra_decoder": ("electra_masked_lm", dict(is_decoder=True, architectures=["ElectraForCausalLM"]), text(9), 0),
    "llama_long": ("llama", dict(rope_parameters=long_rope(6, factor=3.0),
                                 original_max_position_embeddings=8), text(12), 6),
    "llama_long_ratio": ("llama", dict(rope_parameters=long_rope(6, original_max_position_embeddings=8)), text(12), 0),
    "llama_yarn": ("llama", dict(rope_parameters=dict(rope_type="yarn", rope_theta=10000.0, factor=3.0),
                                 original_max_position_embeddings=8), text(12), 0),
    "phi3_long": ("phi3", dict(rope_parameters=long_rope(4), original_max_position_embeddings=8), text(12), 6),
    "phi3_short": ("phi3", dict(rope_parameters=long_rope(4, original_max_position_embeddings=8),
                                original_max_position_embeddings=None), text(12), 0),
    "gemma3_cap": ("gemma3_text", dict(attn_logit_softcapping=2.0), text(12), 0),
    "bart_classifier_end": ("bart_classifier", {}, text(10, at_4=2), 0),
    "bart_classifier_two_ends": ("bart_classifier", {}, text(10, at_2=2, at_6=2), 0),
    "t5_classifier_end": ("t5_classifier", {}, text(10, at_4=2), 0),
    "t5_classifier_decoder": ("t5_classifier", {}, dict(text(10, at_6=2), decoder_input_ids=text(10)["input_ids"].flip(1)), 0),
    "llama_classifier_padding": ("llama_classifier", dict(pad_token_id=3), text(10, at_8=3, at_9=3), 0),
    "gpt2_classifier_all_padding": ("gpt2_classifier", dict(pad_token_id=3), text(2, at_0=3, at_1=3), 0),
    "opt_classifier_padding": ("opt_classifier", dict(pad_token_id=None), text(10, at_9=1), 0),
    "smollm3_interval": ("smollm3", dict(no_rope_layers=None, layer_types=None, no_rope_layer_interval=2, use_sliding_window=True,
                                         sliding_window=4), text(12), 5),
    "smollm3_types": ("smollm3_sliding", dict(layer_types=MIXED[::-1], use_sliding_window=False), text(12), 0),
    "olmo3_old": ("olmo3", dict(rope_parameters=None, layer_types=None, rope_theta=500000.0,
                                rope_scaling=dict(rope_type="linear", factor=3.0)), text(12), 5),
    "exaone4_pattern": ("exaone4", dict(layer_types=None, sliding_window_pattern=1), text(12), 5),
    "exaone4_letters": ("exaone4", dict(sliding_window_pattern="LLLG"), text(12), 0),
    "exaone4_window": ("exaone4", dict(sliding_window=None, layer_types=["full_attention"] * 2), text(12), 0),
    "ministral_types": ("ministral", dict(layer_types=None), text(12), 5),
    "glm4_theta": ("glm4", dict(rope_parameters=None, rope_theta=100.0, partial_rotary_factor=1.0), text(12), 5),
    "mbart_classifier_padding": ("mbart_classifier", {}, text(10, at_3=0, at_9=2), 0),
    "mbart_classifier_decoder": ("mbart_classifier", {}, dict(text(10, at_6=2), decoder_input_ids=text(10)["input_ids"].flip(1)), 0),
    "megatron_bert_decoder": ("megatron_bert", dict(is_decoder=True, architectures=["MegatronBertForCausalLM"]), text(9), 5),
    "mpnet_padding": ("mpnet_masked_lm", dict(pad_token_id=3), text(9, at_2=1, at_5=3, at_8=1), 0),
    "eurobert_first": ("eurobert_classifier", dict(classifier_pooling="bos"), text(9), 0),
    "eurobert_mean": ("eurobert_classifier", dict(classifier_pooling="mean"), text(9), 0),
}


def fill(model, generator):
    """Makes every parameter and every saved buffer non-trivial."""
    saved = model.state_dict().keys()
    buffers = [pair for pair in model.named_buffers() if pair[0] in saved and pair[1].is_floating_point()]
    with torch.no_grad():
        for name, parameter in [*model.named_parameters(), *buffers]:
            owner = model.get_submodule(name.rpartition(".")[0])
            kind, last = type(owner).__name__, name.rpartition(".")[2]
            noise = torch.randn(parameter.shape, generator=generator)
            if last == "weight" and re.fullmatch(r"Gemma\d*RMSNorm|NemotronLayerNorm1P|Qwen3NextRMSNorm|Qwen3_5RMSNorm", kind):
                parameter.copy_(0.3 * noise)  # the gain is 1 + weight
            elif last in ("weight", "lambda1") and parameter.ndim < 2 or "Norm" in kind and last == "weight" or not parameter.ndim:
                parameter.copy_(1 + 0.3 * noise)
            elif last == "sinks":
                parameter.copy_(noise)
            elif parameter.ndim == 1 or last.endswith("bias"):
                parameter.copy_(0.2 * noise)
            else:
                transposed = kind == "Conv1D" or kind in ("GptOssExperts", "Llama4TextExperts")
                fan = parameter.shape[-2] if transposed else parameter.shape[2] if "Experts" in kind else parameter[0].numel()
                gain = 1.7 if SHARP.search(name) and model.config.model_type != "gpt_neo" else 0.9
                parameter.copy_(gain * noise / fan**0.5)


# The weights that make attention and routing sharp (T5 and GPT-Neo do not scale their scores down and need none).
SHARP = re.compile(r"q_proj|k_proj|query|key|attn\.[qk]\.|c_attn|Wqkv|qkv_proj|q_lin|k_lin|[qk](v)?_[ab]_proj|\.gate\.weight|router")


def inputs_for(config, generator, padded=False, types=False, end=None, classified=False, text_only=False):
    """The last tokens of the second row are padding where `padded`; `end`, the largest token, ends each row once. What is `classified` is
    an image, a sound, or text with its end that the decoder reads, too."""
    text, vision = getattr(config, "text_config", config), getattr(config, "vision_config", config)
    inputs = {}
    if hasattr(vision, "image_size") and not text_only:
        shape = (2, vision.num_channels, vision.image_size, vision.image_size)
        inputs["pixel_values"] = torch.randn(shape, generator=generator)
    if hasattr(config, "num_mel_bins"):
        inputs["input_features"] = torch.randn((2, config.num_mel_bins, 2 * config.max_source_positions), generator=generator)
    elif hasattr(text, "vocab_size") and not (classified and inputs):
        ids = torch.randint(4, end or text.vocab_size, (2, 12), generator=generator)
        mask = torch.ones_like(ids)
        if end:
            ids[0, 11] = ids[1, 8] = end
        if padded:
            ids[1, 9:] = text.pad_token_id
            mask[1, 9:] = 0
        inputs.update(input_ids=ids, attention_mask=mask)
    if types:
        inputs["token_type_ids"] = torch.randint(0, 2, (2, 12), generator=generator)
    if classified and "input_ids" in inputs:
        ids[:, -1] = config.eos_token_id
    if classified and "input_ids" in inputs and config.decoder_start_token_id is not None:
        start = torch.full((2, 1), config.decoder_start_token_id)
        inputs["decoder_input_ids"] = torch.cat([start, ids[:, :-1]], 1)
    elif config.is_encoder_decoder and not classified:
        inputs["decoder_input_ids"] = torch.randint(4, config.vocab_size, (2, 9), generator=generator)
    return inputs


def outputs_of(model, inputs):
    with torch.no_grad():
        result = model.eval()(**inputs)
    found = {"output": next(result[key] for key in ("logits_per_image", "logits", "last_hidden_state") if key in result)}
    for name, key in (("pooled", "pooler_output"), ("text_embeds", "text_embeds"), ("image_embeds", "image_embeds")):
        if result.get(key) is not None:
            found[name] = result[key]
    return found


@contextlib.contextmanager
def widened():
    """Inside, whatever asks torch for f32 gets f64: models that compute in f32 no matter what their weights are do not."""
    f32, to_f32 = torch.float32, torch.Tensor.float
    torch.float32 = torch.float = torch.float64
    torch.Tensor.float = torch.Tensor.double
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.float32 = torch.float = f32
        torch.Tensor.float = to_f32
        torch.set_default_dtype(f32)


def untie(model):
    """transformers 5 ties a new T5 whatever its configuration says, but keeps the two apart where a checkpoint has both."""
    model.lm_head.weight = torch.nn.Parameter(torch.empty_like(model.lm_head.weight))
    model.config.tie_word_embeddings = False


def outputs_in_f64(kind, model, inputs, untied):
    """The outputs of the same weights in f64 all through, with buffers such as inverse frequencies computed anew."""
    with widened():
        config = copy.deepcopy(model.config)
        for part in (config, getattr(config, "text_config", config), getattr(config, "vision_config", config)):
            part.dtype = torch.float64
        wide = kind(config)
        if untied:
            untie(wide)
        wide.load_state_dict(model.state_dict())
        assert not any(value.dtype in (F32, torch.float16) for value in [*wide.parameters(), *wide.buffers()])
        outputs = outputs_of(wide, {key: value.double() if value.is_floating_point() else value for key, value in inputs.items()})
    assert all(value.dtype == torch.float64 for value in outputs.values())
    return outputs


def record(root, number, name):
    kind, config, options = MODELS[name]
    generator = torch.Generator().manual_seed(1000 + number)
    attention = options.pop("attention", "eager")
    config._attn_implementation, config._experts_implementation = attention, "eager"
    model = kind(config)
    untied = options.pop("untied", False)
    if untied:
        untie(model)
    fill(model, generator)
    model = model.to(options.pop("dtype", F32))
    shutil.rmtree(root / name, ignore_errors=True)
    model.save_pretrained(root / name, max_shard_size=options.pop("max_shard_size", "5GB"))
    (root / name / "generation_config.json").unlink(missing_ok=True)
    # transformers fills what it cannot find with random values: insist that nothing was missing.
    reloaded, info = kind.from_pretrained(root / name, output_loading_info=True, attn_implementation=attention,
                                          experts_implementation="eager", dtype=F32)
    assert not info["missing_keys"] and not info["unexpected_keys"], (name, info)
    undescribed = options.pop("undescribed", False)
    inputs = inputs_for(config, generator, **options)
    narrow, wide = outputs_of(reloaded, inputs), outputs_in_f64(kind, reloaded, inputs, untied)
    off = max(((narrow[key] - wide[key]).abs().max() / wide[key].abs().max()).item() for key in wide)
    tensors = {**inputs, **narrow, **{f"{key}_f64": value for key, value in wide.items()}}
    files = [*(root / name).iterdir()]
    if not undescribed:
        files.append(root / "references" / f"{name}.safetensors")
        save_file({key: value.contiguous() for key, value in tensors.items()}, files[-1])
    for file in files:
        file.chmod(0o644)
    model_type = json.loads((root / name / "config.json").read_text())["model_type"]
    print(f"{name} ({model_type}) {tuple(narrow['output'].shape)} std {wide['output'].std():.2g} f32 off by {off:.1e}"
          f" {sum(file.stat().st_size for file in files) // 1000} KB", flush=True)
    assert off < 1e-5, name


def record_rotary(root):
    """Frequencies of every kind of rotary scaling."""
    rows = []
    for parameters, length in ROTARY:
        config = t.LlamaConfig(**dict(GROUPED, head_dim=12), rope_parameters=dict(parameters))
        frequencies, factor = ROPE_INIT_FUNCTIONS[parameters["rope_type"]](config, torch.device("cpu"), seq_len=length)
        rows.append(dict(parameters=parameters, length=length, frequencies=frequencies.tolist(), attention_factor=factor))
    (root / "references" / "rotary.json").write_text("[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n")


def changed(config, changes):
    return {key: value for key, value in {**config, **changes}.items() if value is not None or key not in changes}


def record_variant(root, name):
    """Outputs of a model under another configuration, in f64, and the tokens with which its first row goes on."""
    source, changes, inputs, prompt = VARIANTS[name]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        config = changed(json.loads((root / source / "config.json").read_text()), changes)
        (folder / "config.json").write_text(json.dumps(config))
        shutil.copy(root / source / "model.safetensors", folder)
        kind = getattr(t, config["architectures"][0])
        model, info = kind.from_pretrained(folder, output_loading_info=True, attn_implementation="eager",
                                           experts_implementation="eager", dtype=F32)
    assert not info["missing_keys"] and not info["unexpected_keys"], (name, info)
    narrow, wide = outputs_of(model, inputs)["output"], outputs_in_f64(kind, model, inputs, False)["output"]
    off = ((narrow - wide).abs().max() / wide.abs().max()).item()
    tensors = {**inputs, "output": narrow, "output_f64": wide}
    if prompt:
        ids = inputs["input_ids"][:1, :prompt].clone()
        for key in ("eos_token_id", "forced_bos_token_id", "forced_eos_token_id"):
            setattr(model.generation_config, key, None)
        tensors["prompt"] = ids
        tensors["generated"] = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=14, do_sample=False,
                                              num_beams=1, pad_token_id=0)[:, prompt:]
    save_file({key: value.contiguous() for key, value in tensors.items()}, root / "variants" / f"{name}.safetensors")
    (root / "variants" / f"{name}.safetensors").chmod(0o644)
    print(f"{name} {tuple(wide.shape)} f32 off by {off:.1e}", flush=True)
    assert off < 1e-5, name


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("output", nargs="?", default="Tests/Fixtures", type=pathlib.Path)
    parser.add_argument("--only", nargs="+", choices=MODELS, default=MODELS, help="names of the models to record")
    arguments = parser.parse_args()
    (arguments.output / "references").mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(MODELS):
        if name in arguments.only:
            record(arguments.output, number, name)
    if len(arguments.only) < len(MODELS):
        return
    record_rotary(arguments.output)
    (arguments.output / "variants").mkdir(exist_ok=True)
    for name in VARIANTS:
        record_variant(arguments.output, name)
    rows = [f"{json.dumps(name)}: {json.dumps(dict(model=model, config=changes))}" for name, (model, changes, _, _) in VARIANTS.items()]
    (arguments.output / "variants.json").write_text("{\n" + ",\n".join(rows) + "\n}\n")


if __name__ == "__main__":
    main()
