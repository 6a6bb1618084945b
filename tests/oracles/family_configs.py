"""The table of record_families.py: a tiny configuration of every family, and variants of it.

FAMILIES lists them in the order of use. Of each entry: the name of the files, the config class of transformers, its
arguments, and options:

tokenizer: "bytes"; "sentencepiece", "gpt2", "glm" and "solar" where the converter reads no other
published: fields that config.json files of published models have and transformers does not write, or writes otherwise;
    the converter needs them
unpublished: fields that transformers writes and those files do not have
lacks: what the converter leaves out of the GGUF file, so that the directory alone is the model that was recorded
embedding: the standard deviation of the embeddings of words
mtp: layers of a multi-token-prediction head that are added to the directory; transformers ignores them
mxfp4: the experts are exact in MXFP4 and saved as such

MISSING lists what is left out, with the reason.
"""

import copy

VOCAB = 128
CONTEXT = 512
SHORT = 64  # the original context of YaRN, LongRoPE and the like: 300 tokens cross it
WINDOW = 16
FULL, SLIDING, LINEAR = "full_attention", "sliding_attention", "linear_attention"

FAMILIES = []


def add(name, kind, *, tokenizer="bytes", published=None, unpublished=(), lacks=None, embedding=0.4, mtp=0,
        mxfp4=False, **arguments):
    options = {"tokenizer": tokenizer, "published": published or {}, "unpublished": unpublished, "lacks": lacks,
               "embedding": embedding, "mtp": mtp, "mxfp4": mxfp4}
    FAMILIES.append((name, kind, copy.deepcopy(arguments), options))


def sized(**changes):
    """What nearly all text configurations have."""
    return {"vocab_size": VOCAB, "hidden_size": 32, "intermediate_size": 24, "num_hidden_layers": 2,
            "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": CONTEXT,
            "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": None, "tie_word_embeddings": False, **changes}


def without(arguments, *names):
    return {key: value for key, value in arguments.items() if key not in names}


def rope(theta=1e4, **changes):
    return {"rope_type": "default", "rope_theta": theta, **changes}


def yarn(theta=1e4, **changes):
    return rope(theta, rope_type="yarn", factor=8.0, original_max_position_embeddings=SHORT, **changes)


def two_ropes(full=1e6, sliding=1e4):
    return {FULL: rope(full), SLIDING: rope(sliding)}


def longrope(pairs, original=SHORT, **changes):
    return rope(1e4, rope_type="longrope", original_max_position_embeddings=original,
                short_factor=[1.0 + 0.05 * i for i in range(pairs)],
                long_factor=[1.0 + 0.9 * i for i in range(pairs)], **changes)


# --- Qwen ------------------------------------------------------------------------------------------------

QWEN3 = sized(head_dim=12, rope_parameters=rope(1e6))
add("qwen3", "Qwen3Config", **QWEN3)
add("qwen3_tied_yarn", "Qwen3Config", **{**QWEN3, "tie_word_embeddings": True, "rope_parameters": yarn(1e6)})
add("qwen3_bias", "Qwen3Config", **QWEN3, attention_bias=True)
QWEN2 = sized(rope_parameters=rope(1e6))
add("qwen2", "Qwen2Config", **QWEN2)
add("qwen2_tied_yarn", "Qwen2Config", **{**QWEN2, "tie_word_embeddings": True, "rope_parameters": yarn(1e6)})
add("qwen2_window", "Qwen2Config", **QWEN2, use_sliding_window=True, sliding_window=WINDOW, max_window_layers=1,
    lacks="sliding window")

MROPE = rope(1e6, partial_rotary_factor=0.25, mrope_section=[2, 1, 1], mrope_interleaved=True)
DELTA = {"head_dim": 32, "num_attention_heads": 2, "num_key_value_heads": 1, "num_hidden_layers": 4,
         "linear_conv_kernel_dim": 4, "linear_key_head_dim": 8, "linear_value_head_dim": 8,
         "linear_num_key_heads": 2, "linear_num_value_heads": 4}
EXPERTS = {"moe_intermediate_size": 8, "num_experts": 4, "num_experts_per_tok": 2}
SHARED = {"shared_expert_intermediate_size": 12}
add("qwen35", "Qwen3_5TextConfig", **sized(**DELTA, rope_parameters=MROPE))
add("qwen35_mtp", "Qwen3_5TextConfig", **sized(**{**DELTA, "num_hidden_layers": 2}, rope_parameters=MROPE),
    layer_types=[LINEAR, FULL], mtp=1, published={"mtp_num_hidden_layers": 1})
add("qwen35_tied_equal_heads", "Qwen3_5TextConfig", **sized(**{
    **DELTA, "linear_num_value_heads": 2, "linear_value_head_dim": 16, "tie_word_embeddings": True,
    "num_hidden_layers": 3, "layer_types": [LINEAR, FULL, LINEAR]}, rope_parameters=MROPE))
add("qwen35moe", "Qwen3_5MoeTextConfig",
    **without(sized(**{**DELTA, "num_hidden_layers": 2}, **EXPERTS, **SHARED, rope_parameters=MROPE),
              "intermediate_size"), layer_types=[LINEAR, FULL])
add("qwen3next", "Qwen3NextConfig",
    **sized(**{**DELTA, "num_hidden_layers": 2}, **EXPERTS, **SHARED,
            rope_parameters=rope(1e6, partial_rotary_factor=0.25)), layer_types=[LINEAR, FULL])

# --- Gemma 4 ---------------------------------------------------------------------------------------------

GEMMA4 = sized(num_hidden_layers=3, head_dim=8, global_head_dim=16, sliding_window=WINDOW, tie_word_embeddings=True,
               layer_types=[SLIDING, SLIDING, FULL], vocab_size_per_layer_input=VOCAB,
               final_logit_softcapping=8.0, pad_token_id=0)
add("gemma4_small", "Gemma4TextConfig", tokenizer="sentencepiece",
    **{**GEMMA4, "num_hidden_layers": 5, "layer_types": [SLIDING, FULL, SLIDING, SLIDING, FULL]},
    hidden_size_per_layer_input=4, num_kv_shared_layers=2, use_double_wide_mlp=True)
add("gemma4_dense", "Gemma4TextConfig", tokenizer="sentencepiece", **GEMMA4, hidden_size_per_layer_input=0,
    attention_k_eq_v=True, num_global_key_value_heads=1)
add("gemma4_moe", "Gemma4TextConfig", tokenizer="sentencepiece",
    **{**GEMMA4, "num_hidden_layers": 2, "layer_types": [SLIDING, FULL]}, hidden_size_per_layer_input=0,
    attention_k_eq_v=True, num_global_key_value_heads=1, enable_moe_block=True, num_experts=4, top_k_experts=2,
    moe_intermediate_size=8)

# --- Llama, Mistral, Arcee -------------------------------------------------------------------------------

LLAMA = sized(rope_parameters=rope())
LLAMA_3 = {**LLAMA, "num_hidden_layers": 3, "tie_word_embeddings": True}
add("llama_head_dim", "LlamaConfig", **LLAMA, head_dim=16)
add("llama_odd", "LlamaConfig", **{**LLAMA, "hidden_size": 36, "intermediate_size": 50, "num_attention_heads": 3,
                                   "num_key_value_heads": 1, "num_hidden_layers": 1}, head_dim=10)
add("llama_bias", "LlamaConfig", **LLAMA, attention_bias=True, mlp_bias=True)
add("llama_linear", "LlamaConfig", **{**LLAMA, "rope_parameters": rope(rope_type="linear", factor=4.0)})
add("llama_dynamic", "LlamaConfig", **{
    **LLAMA, "max_position_embeddings": SHORT, "rope_parameters": rope(rope_type="dynamic", factor=8.0)},
    lacks="dynamic RoPE scaling")
add("llama_yarn", "LlamaConfig", **{**LLAMA, "rope_parameters": yarn(beta_fast=16.0, beta_slow=2.0)})
add("llama3", "LlamaConfig", **{**LLAMA, "rope_parameters": rope(
    5e5, rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
    original_max_position_embeddings=SHORT)})
add("mistral_window", "MistralConfig", **LLAMA, sliding_window=WINDOW, lacks="sliding window")
add("ministral3", "Ministral3Config", **{**LLAMA, "rope_parameters": yarn(
    1e6, beta_fast=32.0, beta_slow=1.0, mscale=1.0, mscale_all_dim=1.0, llama_4_scaling_beta=0.5)}, head_dim=16)
add("arcee", "ArceeConfig", **LLAMA)

# --- Gemma 1 to 3n ---------------------------------------------------------------------------------------

GEMMA = sized(head_dim=12, pad_token_id=0, tie_word_embeddings=True)
add("gemma", "GemmaConfig", tokenizer="sentencepiece", **GEMMA, rope_parameters=rope())
add("gemma2", "Gemma2Config", tokenizer="sentencepiece", **GEMMA, rope_parameters=rope(), sliding_window=WINDOW,
    query_pre_attn_scalar=12, attn_logit_softcapping=4.0, final_logit_softcapping=6.0)
add("gemma3_scalar_pattern", "Gemma3TextConfig", tokenizer="sentencepiece",
    **{**GEMMA, "num_hidden_layers": 3}, rope_parameters=two_ropes(), sliding_window=WINDOW, query_pre_attn_scalar=40,
    layer_types=[SLIDING, FULL, SLIDING], lacks="query_pre_attn_scalar, layer_types")
add("gemma3_linear", "Gemma3TextConfig", tokenizer="sentencepiece",
    **{**GEMMA, "num_hidden_layers": 6, "hidden_size": 16, "num_attention_heads": 2, "num_key_value_heads": 1},
    rope_parameters={FULL: rope(1e6, rope_type="linear", factor=8.0), SLIDING: rope()}, sliding_window=WINDOW,
    query_pre_attn_scalar=12)
add("gemma3n", "Gemma3nTextConfig", tokenizer="sentencepiece", **{**GEMMA, "num_hidden_layers": 4},
    rope_parameters=two_ropes(), sliding_window=WINDOW, vocab_size_per_layer_input=VOCAB,
    hidden_size_per_layer_input=4, num_kv_shared_layers=2, laurel_rank=4, final_logit_softcapping=10.0,
    layer_types=[SLIDING, FULL, SLIDING, FULL], activation_sparsity_pattern=[0.95, 0.95, 0.0, 0.0])

# --- mixtures of experts ---------------------------------------------------------------------------------

GPT_OSS = sized(head_dim=16, num_local_experts=4, num_experts_per_tok=2, sliding_window=WINDOW,
                rope_parameters=yarn(1.5e5, beta_fast=32.0, beta_slow=1.0, truncate=False))
add("gpt_oss", "GptOssConfig", **{**GPT_OSS, "intermediate_size": 16})
add("gpt_oss_mxfp4", "GptOssConfig", **{**GPT_OSS, "intermediate_size": 32}, mxfp4=True,
    published={"quantization_config": {"quant_method": "mxfp4"}})
add("qwen3moe", "Qwen3MoeConfig", **{**QWEN3, **EXPERTS}, norm_topk_prob=True)
add("qwen3moe_unnormed", "Qwen3MoeConfig", **{**QWEN3, **EXPERTS}, norm_topk_prob=False, lacks="norm_topk_prob")
add("qwen2moe", "Qwen2MoeConfig", **QWEN2, **EXPERTS, **SHARED)
add("mixtral", "MixtralConfig", **{**LLAMA, "intermediate_size": 16}, num_local_experts=4, num_experts_per_tok=2,
    sliding_window=None)
OLMOE = {**LLAMA, "intermediate_size": 16, "num_experts": 5, "num_experts_per_tok": 2}
add("olmoe", "OlmoeConfig", **OLMOE)
MULTIPLIERS = {"embedding_multiplier": 3.0, "residual_multiplier": 0.5, "attention_multiplier": 0.2,
               "logits_scaling": 0.75}
add("granite", "GraniteConfig", **LLAMA, **MULTIPLIERS)
add("granite_bias", "GraniteConfig", **LLAMA, **MULTIPLIERS, attention_bias=True, mlp_bias=True)
GRANITEMOE = {**LLAMA, **MULTIPLIERS, "intermediate_size": 12, "num_local_experts": 4, "num_experts_per_tok": 2}
add("granitemoe", "GraniteMoeConfig", **GRANITEMOE)
add("granitemoeshared", "GraniteMoeSharedConfig", **GRANITEMOE, shared_intermediate_size=16)

# --- Phi-3, LFM2, Granite hybrid, SmolLM3 ----------------------------------------------------------------

PHI3 = sized(pad_token_id=0)
add("phi3", "Phi3Config", tokenizer="gpt2", **PHI3, rope_parameters=rope(), original_max_position_embeddings=CONTEXT,
    sliding_window=None)
add("phi3_window", "Phi3Config", tokenizer="gpt2", **PHI3, rope_parameters=rope(),
    original_max_position_embeddings=CONTEXT, sliding_window=WINDOW)
add("phi3_longrope_long", "Phi3Config", tokenizer="gpt2", **PHI3, rope_parameters=longrope(4),
    original_max_position_embeddings=SHORT, sliding_window=None)
add("phi3_longrope_short", "Phi3Config", tokenizer="gpt2", **PHI3, rope_parameters=longrope(4, 400),
    original_max_position_embeddings=400, sliding_window=None)
add("phi3_longrope_partial_tied", "Phi3Config", tokenizer="gpt2",
    **{**PHI3, "num_attention_heads": 2, "num_key_value_heads": 1, "tie_word_embeddings": True},
    rope_parameters=longrope(6, partial_rotary_factor=0.75), original_max_position_embeddings=SHORT,
    sliding_window=None)
PHIMOE_PUBLISHED = {"architectures": ["PhiMoEForCausalLM"], "original_max_position_embeddings": SHORT}
PHIMOE = {**PHI3, "intermediate_size": 12, "num_local_experts": 4, "num_experts_per_tok": 2,
          "attention_bias": True, "lm_head_bias": True, "sliding_window": None}
# The class uses the short factors at every length, its authors' code the long ones beyond the original context: here
# they are the same.
add("phimoe_longrope", "PhimoeConfig", tokenizer="gpt2", published=PHIMOE_PUBLISHED, **PHIMOE,
    rope_parameters={**longrope(4, short_mscale=1.5 ** 0.5, long_mscale=1.5 ** 0.5),
                     "short_factor": longrope(4)["long_factor"]})
LFM2 = sized(pad_token_id=0, tie_word_embeddings=True, num_hidden_layers=3, rope_parameters=rope(1e6),
             layer_types=["conv", FULL, "conv"], conv_L_cache=3)
add("lfm2", "Lfm2Config", **LFM2, block_auto_adjust_ff_dim=False)
add("lfm2moe", "Lfm2MoeConfig", **LFM2, moe_intermediate_size=8, num_experts=4, num_experts_per_tok=2,
    num_dense_layers=1)
add("lfm2moe_scaled", "Lfm2MoeConfig", **LFM2, moe_intermediate_size=8, num_experts=4, num_experts_per_tok=2,
    num_dense_layers=1, use_expert_bias=False, routed_scaling_factor=2.0, lacks="routed_scaling_factor")
MAMBA2 = {"mamba_n_heads": 8, "mamba_d_head": 8, "mamba_n_groups": 2, "mamba_d_state": 8, "mamba_d_conv": 4,
          "mamba_expand": 2, "mamba_chunk_size": 16}
HYBRID_PUBLISHED = {"layer_types": ["mamba", "attention", "mamba"]}
HYBRID = {**GRANITEMOE, **MAMBA2, "num_hidden_layers": 3, "layer_types": ["mamba", "attention", "mamba"],
          "shared_intermediate_size": 16}
add("granitehybrid_moe_nope", "GraniteMoeHybridConfig", **HYBRID, position_embedding_type="nope",
    published=HYBRID_PUBLISHED)
add("granitehybrid_dense", "GraniteMoeHybridConfig", **{**HYBRID, "num_local_experts": 0, "num_experts_per_tok": 0,
                                                        "mamba_n_groups": 1}, position_embedding_type="nope",
    published=HYBRID_PUBLISHED)
add("granitehybrid_attention_only", "GraniteMoeHybridConfig", **{
    **HYBRID, "num_local_experts": 0, "num_experts_per_tok": 0, "layer_types": ["attention"] * 2,
    "num_hidden_layers": 2}, position_embedding_type="rope", published={"layer_types": ["attention"] * 2})
add("smollm3", "SmolLM3Config", **{**LLAMA, "num_hidden_layers": 4, "tie_word_embeddings": True})

# --- MLA -------------------------------------------------------------------------------------------------

SIGMOID = {"scoring_func": "sigmoid"}
MLA = {"num_key_value_heads": 4, "kv_lora_rank": 16, "qk_nope_head_dim": 8, "qk_rope_head_dim": 8, "v_head_dim": 12}
ROUTED = {"n_routed_experts": 4, "num_experts_per_tok": 2, "n_shared_experts": 1, "moe_intermediate_size": 8,
          "first_k_dense_replace": 1}
add("deepseek2_lite", "DeepseekV2Config", **sized(**MLA, **ROUTED), q_lora_rank=None,
    rope_parameters=yarn(mscale=0.707, mscale_all_dim=0.707))
add("deepseek2_groups", "DeepseekV2Config", **sized(**MLA, **{**ROUTED, "n_routed_experts": 8}), q_lora_rank=12,
    topk_method="group_limited_greedy", n_group=4, topk_group=2, routed_scaling_factor=1.5, rope_parameters=rope())
add("deepseek3", "DeepseekV3Config", **sized(**MLA, **{**ROUTED, "n_routed_experts": 8}), q_lora_rank=12,
    n_group=4, topk_group=2, rope_parameters=yarn(mscale=1.0, mscale_all_dim=1.0), num_mtp_layers=0,
    published=SIGMOID)
add("minicpm3", "MiniCPM3Config", tokenizer="sentencepiece",
    **{**sized(**MLA), "tie_word_embeddings": True, "v_head_dim": 8}, q_lora_rank=12, scale_emb=12, scale_depth=1.4,
    dim_model_base=256, rope_parameters=longrope(4, CONTEXT), embedding=0.05)

# --- other dense models ----------------------------------------------------------------------------------

GLM = sized(head_dim=16, attention_bias=True, rope_parameters=rope(partial_rotary_factor=0.5))
add("glm", "GlmConfig", tokenizer="glm", published={"seq_length": CONTEXT, "layernorm_epsilon": 1.5625e-07},
    **{**GLM, "head_dim": 8})
add("glm4", "Glm4Config", tokenizer="glm", **GLM)
add("glm4moe", "Glm4MoeConfig", tokenizer="glm", **GLM, **{**ROUTED, "n_routed_experts": 4}, use_qk_norm=True,
    num_mtp_layers=0, routed_scaling_factor=1.5)
add("olmo", "OlmoConfig", **LLAMA, clip_qkv=1.0)
add("olmo2", "Olmo2Config", **LLAMA)
add("olmo3_yarn", "Olmo3Config", **{**LLAMA, "rope_parameters": {FULL: yarn(), SLIDING: rope()}},
    layer_types=[SLIDING, FULL], sliding_window=WINDOW)
COHERE = sized(pad_token_id=0, tie_word_embeddings=True, logit_scale=0.75, rope_parameters=rope())
add("cohere", "CohereConfig", **COHERE)
add("cohere_qk_norm", "CohereConfig", **COHERE, use_qk_norm=True)
add("cohere2", "Cohere2Config", **{**COHERE, "num_hidden_layers": 4}, sliding_window=WINDOW,
    published={"rotary_pct": 1.0})
add("cohere2_layers", "Cohere2Config", **{**COHERE, "num_hidden_layers": 4}, sliding_window=WINDOW,
    layer_types=[FULL, SLIDING, SLIDING, FULL], published={"rotary_pct": 1.0}, lacks="layer_types")
add("exaone4", "Exaone4Config", **LLAMA, sliding_window=None, layer_types=[FULL, FULL])
add("exaone4_hybrid", "Exaone4Config", **LLAMA, sliding_window=WINDOW, layer_types=[SLIDING, FULL])
HUNYUAN = sized(pad_token_id=0, head_dim=12)
add("hunyuan_dense", "HunYuanDenseV1Config", **HUNYUAN, rope_parameters=rope())
add("hunyuan_dense_dynamic", "HunYuanDenseV1Config", **{**HUNYUAN, "max_position_embeddings": 32768},
    rope_parameters=rope(rope_type="dynamic", alpha=1000.0, factor=1.0, beta_fast=32, beta_slow=1, mscale=1.0,
                         mscale_all_dim=1.0))
add("stablelm", "StableLmConfig", **sized(rope_parameters=rope(partial_rotary_factor=0.5)))
add("stablelm2_parallel", "StableLmConfig", **sized(rope_parameters=rope(partial_rotary_factor=0.25)),
    use_parallel_residual=True, use_qkv_bias=True)
add("starcoder2", "Starcoder2Config", **{**LLAMA, "tie_word_embeddings": True}, sliding_window=None)
add("phi2", "PhiConfig", **sized(rope_parameters=rope(partial_rotary_factor=0.5), num_key_value_heads=4,
                                 intermediate_size=128))

# --- LayerNorm, learned positions, ALiBi -----------------------------------------------------------------

POSITIONS = 304
GPT2 = {"vocab_size": VOCAB, "n_positions": POSITIONS, "n_embd": 24, "n_layer": 2, "n_head": 4, "bos_token_id": 1,
        "eos_token_id": 2}
add("gpt2", "GPT2Config", **GPT2, published={"n_ctx": POSITIONS})
NEOX = without(sized(rope_parameters=rope(partial_rotary_factor=0.25), num_attention_heads=2), "num_key_value_heads")
add("gptneox", "GPTNeoXConfig", **NEOX, published={"rotary_pct": 0.25})
add("gptneox_serial", "GPTNeoXConfig", **NEOX, published={"rotary_pct": 0.25}, use_parallel_residual=False)
FALCON = without(sized(rope_parameters=rope(), tie_word_embeddings=True), "intermediate_size", "num_key_value_heads")
add("falcon", "FalconConfig", **FALCON, num_kv_heads=1, embedding=0.5)
add("falcon_new", "FalconConfig", **FALCON, new_decoder_architecture=True, num_kv_heads=2)
add("bloom", "BloomConfig", vocab_size=VOCAB, hidden_size=32, n_layer=2, n_head=4, bos_token_id=1, eos_token_id=2,
    published={"seq_length": CONTEXT})
MPT_PUBLISHED = {"architectures": ["MPTForCausalLM"]}
MPT = {"vocab_size": VOCAB, "d_model": 32, "n_layers": 2, "n_heads": 4, "max_seq_len": CONTEXT, "expansion_ratio": 2,
       "bos_token_id": 1, "eos_token_id": 2}
add("mpt_clip", "MptConfig", published=MPT_PUBLISHED, **MPT,
    attn_config={"alibi": True, "alibi_bias_max": 8, "clip_qkv": 1.0})

# --- recurrent -------------------------------------------------------------------------------------------

# multipliers are powers of two, because the converter multiplies them into matrices of f16
H1 = {**MAMBA2, "mamba_d_ssm": 32, "mamba_n_heads": 4, "pad_token_id": 0, "rope_parameters": rope(1e6),
      "embedding_multiplier": 2.0, "lm_head_multiplier": 0.5, "key_multiplier": 0.5, "attention_out_multiplier": 2.0,
      "attention_in_multiplier": 2.0, "ssm_multipliers": [2.0, 0.5, 4.0, 0.5, 2.0], "ssm_in_multiplier": 0.5,
      "ssm_out_multiplier": 2.0, "mlp_multipliers": [0.5, 2.0]}
add("falcon_h1", "FalconH1Config", published={"head_dim": 8}, **sized(**H1))
add("falcon_h1_norm", "FalconH1Config", published={"head_dim": 8}, **sized(**H1), mamba_rms_norm=True,
    mamba_norm_before_gate=False)
MAMBA = {"vocab_size": VOCAB, "hidden_size": 32, "state_size": 8, "num_hidden_layers": 2, "expand": 2,
         "conv_kernel": 4, "time_step_rank": 4, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
add("mamba", "MambaConfig", **MAMBA)
add("falcon_mamba", "FalconMambaConfig", **MAMBA)
add("mamba2", "Mamba2Config", **without(MAMBA, "time_step_rank"), num_heads=8, head_dim=8, n_groups=2, chunk_size=16)
# Sizes that are no multiples of a vector, and neither biases of the convolution nor ties.
ODD = {**MAMBA, "hidden_size": 30, "state_size": 7, "conv_kernel": 3, "use_conv_bias": False}
add("mamba_odd", "MambaConfig", **{**ODD, "time_step_rank": 3, "tie_word_embeddings": False})
add("mamba2_odd", "Mamba2Config", **without(ODD, "time_step_rank"), num_heads=3, head_dim=20, n_groups=1, chunk_size=16)

# --- further ---------------------------------------------------------------------------------------------

add("nemotron", "NemotronConfig", tokenizer="sentencepiece", **sized(rope_parameters=rope(partial_rotary_factor=0.5)))
add("dbrx", "DbrxConfig", **without(MPT, "expansion_ratio"), rope_parameters=rope(),
    attn_config={"kv_n_heads": 2, "clip_qkv": 1.0, "rope_theta": 1e4},
    ffn_config={"ffn_hidden_size": 12, "moe_num_experts": 4, "moe_top_k": 2, "hidden_size": 32})
add("jamba", "JambaConfig", tokenizer="sentencepiece",
    **sized(pad_token_id=0, intermediate_size=12, num_hidden_layers=3), num_experts=4, num_experts_per_tok=2,
    attn_layer_period=3, attn_layer_offset=1, mamba_d_state=8, mamba_dt_rank=4, use_mamba_kernels=False)
add("apertus", "ApertusConfig", **{**LLAMA, "pad_token_id": 0})
add("ernie4_5", "Ernie4_5Config", tokenizer="sentencepiece", **{**LLAMA, "tie_word_embeddings": True}, head_dim=12)
add("ernie4_5_moe", "Ernie4_5_MoeConfig", tokenizer="sentencepiece", **{**LLAMA, "tie_word_embeddings": True},
    moe_intermediate_size=12, moe_k=2, moe_num_experts=4, moe_num_shared_experts=1)
add("dots1", "Dots1Config", **LLAMA, **ROUTED, sliding_window=None, published=SIGMOID)
add("seed_oss", "SeedOssConfig", **{**LLAMA, "pad_token_id": 0}, head_dim=12)
add("bamba", "BambaConfig", **sized(**MAMBA2, pad_token_id=0), attn_layer_indices=[1], rope_parameters=rope(),
    published={"attn_rotary_emb": 4})
add("gpt_bigcode", "GPTBigCodeConfig", **GPT2)
add("jais2", "Jais2Config", **LLAMA)
add("afmoe", "AfmoeConfig", **{**LLAMA, "num_hidden_layers": 4}, **EXPERTS, head_dim=8, num_shared_experts=1,
    published={"score_func": "sigmoid"},
    sliding_window=WINDOW, route_scale=1.5, mup_enabled=True)
add("minimax_m2", "MiniMaxM2Config",
    **{**LLAMA, "intermediate_size": 16, "rope_parameters": rope(partial_rotary_factor=0.5)},
    head_dim=12, num_local_experts=4, num_experts_per_tok=2, published={"rotary_dim": 6, **SIGMOID})
add("exaone_moe", "ExaoneMoeConfig", **{**LLAMA, "pad_token_id": 0}, **EXPERTS, layer_types=[SLIDING, FULL],
    published=SIGMOID, sliding_window=WINDOW, num_shared_experts=1)
add("nemotron_h", "NemotronHConfig", **without(sized(pad_token_id=0), "num_hidden_layers"), head_dim=8,
    layers_block_type=["mamba", "moe", "attention", "moe"], ssm_state_size=8, mamba_num_heads=8, mamba_head_dim=8,
    n_groups=2, n_routed_experts=4, num_experts_per_tok=2, moe_intermediate_size=16,
    moe_shared_expert_intermediate_size=16, chunk_size=16, use_mamba_kernels=False,
    published={"hybrid_override_pattern": "ME*E"})
add("nemotron_h_dense", "NemotronHConfig", **without(sized(pad_token_id=0), "num_hidden_layers"), head_dim=8,
    layers_block_type=["mamba", "mlp", "attention", "mlp"], ssm_state_size=8, mamba_num_heads=8, mamba_head_dim=8,
    n_groups=2, chunk_size=16, use_mamba_kernels=False, published={"hybrid_override_pattern": "M-*-"},
    unpublished=("num_experts_per_tok", "n_routed_experts", "n_group", "topk_group"))
add("internlm3", "InternLM3Config", tokenizer="sentencepiece", **LLAMA, head_dim=8,
    published={"architectures": ["InternLM3ForCausalLM"]})
add("glm4_moe_lite", "Glm4MoeLiteConfig", tokenizer="glm", **sized(**MLA, **without(ROUTED, "first_k_dense_replace")),
    q_lora_rank=12, rope_parameters=rope(), mlp_layer_types=["dense", "sparse"],
    published={"first_k_dense_replace": 1, **SIGMOID})
add("cohere2_moe", "Cohere2MoeConfig", **{**COHERE, "num_hidden_layers": 4, "intermediate_size": 8},
    sliding_window=WINDOW, num_experts=4, num_experts_per_tok=2, head_dim=8)
add("cohere2_moe_shared", "Cohere2MoeConfig", **{**COHERE, "num_hidden_layers": 4, "intermediate_size": 8},
    sliding_window=WINDOW, num_experts=4, num_experts_per_tok=2, head_dim=8, num_shared_experts=2,
    prefix_dense_intermediate_size=24, layer_types=[FULL, SLIDING, SLIDING, FULL], rms_norm_eps=1e-5,
    mlp_layer_types=["dense", "sparse", "sparse", "sparse"], expert_selection_fn="sigmoid")
add("llama4", "Llama4TextConfig", **{**LLAMA, "num_hidden_layers": 4, "intermediate_size": 8}, head_dim=8,
    intermediate_size_mlp=24, num_local_experts=4, num_experts_per_tok=1, interleave_moe_layer_step=2)
add("mellum", "MellumConfig", **{**LLAMA_3, "rope_parameters": two_ropes()}, **EXPERTS, head_dim=12,
    sliding_window=WINDOW, layer_types=[SLIDING, SLIDING, FULL])
add("laguna", "LagunaConfig", **{**LLAMA_3, "rope_parameters": two_ropes()}, **EXPERTS, **SHARED, head_dim=12,
    sliding_window=WINDOW, layer_types=[FULL, SLIDING, SLIDING])
add("hy_v3", "HYV3Config", **LLAMA, **EXPERTS, head_dim=12)
add("solar_open", "SolarOpenConfig", tokenizer="solar", **without(LLAMA, "intermediate_size", "rope_parameters"),
    **without(ROUTED, "first_k_dense_replace"), head_dim=12, rope_parameters=rope(partial_rotary_factor=1.0))
add("youtu", "YoutuConfig", **sized(**MLA), q_lora_rank=12, rope_parameters=rope())
MIMO_ROPES = {FULL: rope(1e6, partial_rotary_factor=0.334), SLIDING: rope(1e4, partial_rotary_factor=0.334)}
MIMO_PUBLISHED = {**SIGMOID, "swa_head_dim": 20, "swa_num_attention_heads": 4, "swa_v_head_dim": 12,
                  "swa_num_key_value_heads": 4, "topk_method": "noaux_tc", "hybrid_layer_pattern": [0, 1, 1],
                  "rope_parameters": MIMO_ROPES | {"partial_rotary_factor": 0.334}}
add("mimo_v2_flash", "MiMoV2FlashConfig", **{**LLAMA_3, "rope_parameters": MIMO_ROPES}, published=MIMO_PUBLISHED,
    **without(ROUTED, "first_k_dense_replace", "n_shared_experts"), head_dim=20, v_head_dim=12, sliding_window=WINDOW,
    layer_types=[FULL, SLIDING, SLIDING])
GRANITE_SWA = {**MULTIPLIERS, "num_hidden_layers": 3, "sliding_window": WINDOW,
               "layer_types": [FULL, SLIDING, SLIDING], "layer_rope_theta": [1e4, 0.0, 1e4]}
NO_ROPE = {"no_rope_layers": [1, 0, 1]}
add("granite_swa", "GraniteSWAConfig", **{**LLAMA, **GRANITE_SWA}, published=NO_ROPE)
add("granitemoe_swa", "GraniteMoeSWAConfig", **{**GRANITEMOE, **GRANITE_SWA}, shared_intermediate_size=16,
    published=NO_ROPE)
KIMI_PUBLISHED = {"linear_attn_config": {"full_attn_layers": [3], "kda_layers": [1, 2], "short_conv_kernel_size": 4,
                                         "head_dim": 8, "num_heads": 4},
                  "first_k_dense_replace": 0, "num_shared_experts": 1, "moe_router_activation_func": "sigmoid"}
add("kimi_linear", "KimiLinearConfig", **sized(**MLA, pad_token_id=0, num_hidden_layers=3), n_shared_experts=1,
    num_local_experts=4, num_experts_per_tok=2, moe_intermediate_size=8, linear_head_dim=8, linear_num_heads=4,
    linear_conv_kernel_dim=4, layer_types=[LINEAR, LINEAR, FULL], mlp_layer_types=["sparse"] * 3,
    published=KIMI_PUBLISHED)
add("hrm_text", "HrmTextConfig", **without(LLAMA, "num_key_value_heads"), head_dim=8)
add("glm_moe_dsa", "GlmMoeDsaConfig", tokenizer="glm", **sized(**MLA, **ROUTED), q_lora_rank=12, rope_parameters=rope(),
    published=SIGMOID, index_topk=CONTEXT, index_head_dim=16, index_n_heads=2, head_dim=8)

NO_CLASS = "transformers 5.23 has no class"
NO_CONVERTER = "the converter does not know its class"
MISSING = {
    "gemma3, in the plain form": "record_tiny_models.py makes it",
    "mistral3": "the text model is ministral3; the rest of the class is vision",
    "command-r": "is cohere",
    "minicpm": NO_CLASS,
    "internlm2": NO_CLASS,
    "baichuan": NO_CLASS,
    "rwkv6": NO_CLASS + " (its rwkv is version 4, which the converter does not know); rwkv7: record_rwkv7.py",
    "chatglm, exaone 3, orion, xverse, codeshell, refact, jais, plamo, openelm, grok, arctic, deci, smallthinker, "
    "bailingmoe, grovemoe, plm, pangu, llada, dream, step3, minimax 01": NO_CLASS,
    "bitnet": "the converter knows the names of tensors of another implementation only (inner_attn_ln, ffn_layernorm)",
    "hunyuan_v1_moe": "the converter reads the vocabulary through code of the published model (mergeable_ranks)",
    "stablelm with qk_layernorm": "the converter stops: Unprocessed norms",
    "qwen3_moe with mlp_only_layers": "the converter stops: no name for the dense layer's tensors",
    "falcon with ALiBi": "the file would not say so: the converter drops alibi, parallel_attn and bias",
    "gpt_neo, gptj, opt, codegen, helium, persimmon, phi4_multimodal, recurrent_gemma, zamba, xlstm, diffllama, "
    "nanochat, olmo_hybrid, flex_olmo, minimax (text 01), vaultgemma, cwm, doge, jetmoe, ministral": NO_CONVERTER,
    "iquestcoder": "saves itself as LlamaForCausalLM",
    "deepseek_v32": "the indexer of glm_moe_dsa on the layers of deepseek3",
    "deepseek_v4, dots3_note, hy_v4, qwen4_exp, gemma4_unified, *_assistant": "beyond docs/models.md, not tried",
}
