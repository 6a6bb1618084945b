"""Records what Hugging Face's tokenizers makes of tokenizers in every configuration: tests/data/tokenizer_json/.

    python3 tests/oracles/record_tokenizer_json.py [--strings N --output DIRECTORY]

Each case is a tokenizer.json of a few hundred tokens, trained here or assembled, and its answers for the strings of
strings.json: ids, what the post-processor adds, and texts. Training differs from run to run, so records made again are others. Random characters are of Unicode 3.2, in which all
Unicode tables that take part agree. With --strings it makes that many random strings for each case, for a check out of
CI: tests/tokenizer/json_records_test.cc reads the directory that PARTITA_TOKENIZER_RECORDS names.
"""

import argparse
import json
import pathlib
import random
import sys
import unicodedata

import awkward_strings
import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
          r"\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
DEEPSEEK = r"[!-/:-~！-／：-～‘-‟　-。]+|\s?[A-Za-zµÀ-ÖØ-öø-ƺ]+|\s+$|[一-龥ࠀ-一가-퟿]+"

CORPUS = [text for text in awkward_strings.ALL if text] * 2 + [
    "the quick brown fox jumps over the lazy dog", "there is no there there, is there?", "the cat sat on the mat.",
    "I'm sure that you're right: it's what they've said.", "int main() { return 0; }\n", "def f(x):\n    return x + 1\n",
    "Höhe, Größe, Straße, naïve café", "Привет, мир! Как дела?", "你好世界 你好", "今日は良い天気ですね", "مرحبا بالعالم",
] * 8

# What the strings of every case are drawn from.
SHORT = (awkward_strings.SPACES[::3] + awkward_strings.WORDS[::3] + awkward_strings.NUMBERS[::3]
         + awkward_strings.SCRIPTS[::2] + awkward_strings.SYMBOLS[::3] + awkward_strings.CODE[::4])
SPECIAL = ["<s>", "</s>", "a<s>b", " <s> ", "<s><s>", "<s", "x</s>  y", "<unk>", "[CLS] hi [SEP]", "<|word|>", "a<|word|>b",
           "a <|word|> b", "<|word|>", "\n <|left|>x", "x<|right|> \n y", "<|both|>  <|both|>", "  <|left|>  <|right|>  ",
           "İx Café Ünder", "CAFÉ", "lower UPPER Lower", "<0x41><0xE4>", "##ing", "▁a ▁▁ b", "don't do not 's , . ?"]


def old(text):
    return all(unicodedata.ucd_3_2_0.category(c) != "Cn" for c in text)


STRINGS = [text for text in SHORT + SPECIAL + awkward_strings.MARKS if old(text) and len(text) < 200]


def random_strings(count, seed):
    made = []
    while len(made) < count:
        text = awkward_strings.random_strings(1, seed)[0]
        seed += 1
        text = "".join(c for c in text if old(c))
        pick = random.Random(seed)
        if pick.random() < 0.5:
            text = pick.choice(["", " ", pick.choice(SPECIAL)]) + text + pick.choice(["", " ", pick.choice(STRINGS)])
        made.append(text)
    return made


def bpe(size=500, **settings):
    """BPE trained on the byte alphabet."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False))
    return with_model(made, **settings)


def with_model(made, **settings):
    """The same tokenizer with other settings of its model."""
    file = json.loads(made.to_str())
    file["model"].update(settings)
    return Tokenizer.from_str(json.dumps(file))


def byte_level(split=None, prefix=False, decoder=None, **settings):
    made = bpe(**settings)
    if split is not None:
        made.pre_tokenizer = pre_tokenizers.Sequence(
            [*split, pre_tokenizers.ByteLevel(add_prefix_space=prefix, use_regex=False)])
    else:
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    made.decoder = decoder or decoders.ByteLevel()
    return made


def regex(pattern, behavior="isolated", invert=False):
    return pre_tokenizers.Split(Regex(pattern), behavior, invert)


def characters(texts):
    return sorted({c for text in texts for c in text})


def mark_bpe(bytes_too=True, normalizer=None, pre=None, decoder=None, size=700, **settings):
    """BPE on "▁" for spaces, with byte tokens: Llama 2, Gemma, Mistral."""
    made = Tokenizer(models.BPE())
    made.normalizer = normalizers.Replace(" ", "▁")
    special = ["<unk>", "<s>", "</s>"] + ([f"<0x{i:02X}>" for i in range(256)] if bytes_too else [])
    made.train_from_iterator(CORPUS[::2], trainers.BpeTrainer(
        vocab_size=size, limit_alphabet=150, special_tokens=special, show_progress=False, max_token_length=8))
    made = with_model(made, unk_token="<unk>", fuse_unk=True, byte_fallback=bytes_too, **settings)
    file = json.loads(made.to_str())
    file["added_tokens"] = [token for token in file["added_tokens"] if not token["content"].startswith("<0x")]
    made = Tokenizer.from_str(json.dumps(file))
    made.normalizer = normalizer
    if pre is not None:
        made.pre_tokenizer = pre
    made.decoder = decoder or llama_decoder()
    made.post_processor = processors.TemplateProcessing("<s> $A", "<s> $A <s> $B", [("<s>", 1)])
    return made


def llama_decoder():
    return decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                              decoders.Strip(" ", 1, 0)])


def llama_normalizer():
    return normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])


def unigram(normalizer=None, pre=None, bytes_too=False, size=600):
    made = Tokenizer(models.Unigram())
    made.normalizer = normalizer
    made.pre_tokenizer = pre or pre_tokenizers.Metaspace()
    special = ["<unk>", "<s>", "</s>"] + ([f"<0x{i:02X}>" for i in range(256)] if bytes_too else [])
    made.train_from_iterator(CORPUS, trainers.UnigramTrainer(
        vocab_size=size, special_tokens=special, unk_token="<unk>", show_progress=False))
    if bytes_too:
        file = json.loads(made.to_str())
        file["model"]["byte_fallback"] = True
        file["added_tokens"] = [token for token in file["added_tokens"] if not token["content"].startswith("<0x")]
        made = Tokenizer.from_str(json.dumps(file))
    made.decoder = decoders.Metaspace()
    made.post_processor = processors.TemplateProcessing("$A </s>", "$A </s> $B </s>", [("</s>", 2)])
    return made


def word_piece(normalizer=None, pre=None, cleanup=True, processor=None, **settings):
    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer = normalizer or normalizers.BertNormalizer()
    made.pre_tokenizer = pre or pre_tokenizers.BertPreTokenizer()
    made.train_from_iterator(CORPUS, trainers.WordPieceTrainer(
        vocab_size=600, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], show_progress=False))
    made = with_model(made, **settings)
    made.decoder = decoders.WordPiece(cleanup=cleanup)
    made.post_processor = processor or processors.TemplateProcessing(
        "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", [("[CLS]", 2), ("[SEP]", 3)])
    return made


def word_level(pre, decoder=None, normalizer=None):
    made = Tokenizer(models.WordLevel(unk_token="<unk>"))
    made.pre_tokenizer = pre
    if normalizer is not None:
        made.normalizer = normalizer
    made.train_from_iterator(STRINGS, trainers.WordLevelTrainer(
        vocab_size=1500, special_tokens=["<unk>"], show_progress=False))
    if decoder is not None:
        made.decoder = decoder
    return made


def chars(pre=None, normalizer=None, decoder=None):
    """Every character of the strings is a token, so that ids show the text that arrives at the model."""
    texts = STRINGS + [t for text in STRINGS for form in ("NFC", "NFD", "NFKC", "NFKD")
                       for t in [unicodedata.normalize(form, text), unicodedata.normalize(form, text).lower()]]
    words = characters(texts + ["abcdefghijklmnopqrstuvwxyz"])
    words = ["<unk>"] + words + sorted(set(pre_tokenizers.ByteLevel.alphabet()) - set(words))
    made = Tokenizer(models.BPE({c: i for i, c in enumerate(words)}, [], unk_token="<unk>"))
    if normalizer is not None:
        made.normalizer = normalizer
    if pre is not None:
        made.pre_tokenizer = pre
    made.decoder = decoder or decoders.Fuse()
    return made


def with_suffix(**settings):
    made = Tokenizer(models.BPE(unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=500, special_tokens=["<unk>"], show_progress=False, limit_alphabet=100, **settings))
    made.decoder = decoders.BPEDecoder() if "end_of_word_suffix" in settings else decoders.WordPiece("##", False)
    return made


def with_added(made):
    """Tokens with each flag."""
    made.add_special_tokens([AddedToken("<|word|>", special=True, single_word=True), AddedToken("<s>", special=True)])
    made.add_tokens([
        AddedToken("<|left|>", lstrip=True, normalized=False), AddedToken("<|right|>", rstrip=True, normalized=False),
        AddedToken("<|both|>", lstrip=True, rstrip=True, normalized=True), AddedToken("Café", normalized=True),
        AddedToken("UPPER", single_word=True, normalized=True), AddedToken("lower", normalized=False),
        AddedToken("  ", normalized=False)])
    return made


def charsmap():
    """nmt_nfkc's table, from a model that sentencepiece trains."""
    import io

    import sentencepiece
    from sentencepiece import sentencepiece_model_pb2
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["abc def ghi"] * 50), model_writer=written, vocab_size=15, model_type="unigram",
        normalization_rule_name="nmt_nfkc", hard_vocab_limit=False)
    model = sentencepiece_model_pb2.ModelProto.FromString(written.getvalue())
    return model.normalizer_spec.precompiled_charsmap


def cases():
    whole = pre_tokenizers.WhitespaceSplit()
    yield "gpt2", byte_level()
    yield "gpt2_prefix", byte_level(prefix=True)
    yield "gpt2_pairs_added", with_added(byte_level())
    yield "llama3", byte_level([regex(LLAMA3)], ignore_merges=True)
    qwen = byte_level([regex(QWEN2)])
    qwen.normalizer = normalizers.NFC()
    yield "qwen2", qwen
    yield "smollm", digits_then_gpt2()
    yield "deepseek", byte_level([regex(r"[\r\n]"), regex(DEEPSEEK), pre_tokenizers.Digits(True)])
    normal = chars(decoder=decoders.ByteLevel(), normalizer=normalizers.ByteLevel())
    yield "byte_level_normalizer", normal
    yield "llama2", mark_bpe(normalizer=llama_normalizer())
    yield "mistral", mark_bpe(pre=pre_tokenizers.Metaspace(prepend_scheme="first", split=False))
    yield "gemma", mark_bpe(normalizer=normalizers.Replace(" ", "▁"), decoder=decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]))
    yield "mark_unknown", mark_bpe(bytes_too=False, pre=pre_tokenizers.Metaspace(), decoder=decoders.Metaspace())
    yield "mark_unfused", with_model(mark_bpe(bytes_too=False, pre=pre_tokenizers.Metaspace(prepend_scheme="never")),
                                     fuse_unk=False)
    yield "mark_added", with_added(mark_bpe(normalizer=llama_normalizer()))
    yield "suffix", with_suffix(end_of_word_suffix="</w>")
    yield "prefix", with_suffix(continuing_subword_prefix="##")
    yield "unigram", unigram()
    table = charsmap()
    if table:
        yield "t5", unigram(normalizers.Sequence(
            [normalizers.Precompiled(table), normalizers.Replace(Regex(" {2,}"), " "), normalizers.Strip(False, True)]))
    yield "unigram_bytes", unigram(bytes_too=True, pre=pre_tokenizers.Sequence(
        [whole, pre_tokenizers.Metaspace(prepend_scheme="first")]))
    yield "unigram_nmt", with_added(unigram(normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC()])))
    yield "bert", word_piece()
    yield "bert_cased", word_piece(normalizers.BertNormalizer(lowercase=False, clean_text=False), cleanup=False,
                                   processor=processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2)))
    yield "bert_accents", word_piece(normalizers.BertNormalizer(strip_accents=False, handle_chinese_chars=False),
                                     max_input_chars_per_word=6)
    yield "bert_added", with_added(word_piece())
    yield "words", word_level(pre_tokenizers.Whitespace())
    yield "roberta", roberta()
    for name, normalizer in {
            "nfc": normalizers.NFC(), "nfd": normalizers.NFD(), "nfkc": normalizers.NFKC(), "nfkd": normalizers.NFKD(),
            "lowercase": normalizers.Lowercase(), "strip": normalizers.Strip(), "strip_right": normalizers.Strip(False, True),
            "strip_accents": normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents()]),
            "replace": normalizers.Replace("ll", "L"), "replace_regex": normalizers.Replace(Regex(r"\s+|(?<=a)b"), "_"),
            "prepend": normalizers.Prepend("▁▁"), "nmt": normalizers.Nmt()}.items():
        yield "n_" + name, chars(normalizer=normalizer)
    if table:
        yield "n_precompiled", chars(normalizer=normalizers.Precompiled(table))
    for name, pre in {
            "whitespace": pre_tokenizers.Whitespace(), "whitespace_split": whole, "bert": pre_tokenizers.BertPreTokenizer(),
            "digits": pre_tokenizers.Digits(False), "digits_each": pre_tokenizers.Digits(True),
            "punctuation": pre_tokenizers.Punctuation(), "punctuation_contiguous": pre_tokenizers.Punctuation("contiguous"),
            "delimiter": pre_tokenizers.CharDelimiterSplit("e"), "fixed": pre_tokenizers.FixedLength(3),
            "metaspace": pre_tokenizers.Metaspace(), "metaspace_first": pre_tokenizers.Metaspace(prepend_scheme="first"),
            "metaspace_never": pre_tokenizers.Metaspace(replacement="_", prepend_scheme="never"),
            "byte_level": pre_tokenizers.ByteLevel()}.items():
        yield "p_" + name, word_level(pre)
    for behavior in ("removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"):
        for invert in (False, True):
            yield f"p_split_{behavior}{'_invert' * invert}", word_level(regex(r"\s|l", behavior, invert))
    yield "p_split_string", word_level(pre_tokenizers.Split("l", "merged_with_next"))
    yield "p_split_empty_matches", word_level(regex(r"\d*", "isolated"))
    for name, decoder in {
            "none": None, "ctc": decoders.CTC("l", "e", True), "ctc_plain": decoders.CTC("l", "e", False),
            "strip": decoders.Strip("e", 1, 0), "replace": decoders.Replace(Regex("[aeo]+"), "_"),
            "metaspace": decoders.Metaspace(), "wordpiece": decoders.WordPiece("l", True),
            "bpe": decoders.BPEDecoder("l")}.items():
        yield "d_" + name, word_level(pre_tokenizers.Whitespace(), decoder)


def digits_then_gpt2():
    made = bpe()
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
    made.decoder = decoders.ByteLevel()
    return made


def roberta():
    made = bpe()
    made.add_special_tokens(["<s>", "</s>", AddedToken("<mask>", lstrip=True)])
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    made.post_processor = processors.RobertaProcessing(("</s>", made.token_to_id("</s>")), ("<s>", made.token_to_id("<s>")))
    made.decoder = decoders.ByteLevel()
    return made


def record(made, strings):
    """Of each string: ids, and the texts of its ids without and with special tokens, where they are not the string."""
    out = {"ids": [], "text": [], "special_text": []}
    for text in strings:
        ids = made.encode(text, add_special_tokens=False).ids
        out["ids"].append(ids)
        for key, skips in (("text", True), ("special_text", False)):
            shown = [i for i in ids if not skips or made.id_to_token(i) not in special_tokens(made)]
            # Without tokens two of the decoders fail.
            decoded = made.decode(ids, skip_special_tokens=skips) if shown else ""
            out[key].append(None if decoded == text else decoded)
    around = made.encode("a").ids
    inside = made.encode("a", add_special_tokens=False).ids
    begin = next(i for i in range(len(around) + 1) if around[i:i + len(inside)] == inside)
    out["before"], out["after"] = around[:begin], around[begin + len(inside):]
    if out["special_text"] == out["text"]:
        del out["special_text"]
    return out


def special_tokens(made):
    return {token.content for token in made.get_added_tokens_decoder().values() if token.special}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strings", type=int, default=0)
    parser.add_argument("--output", type=pathlib.Path,
                        default=pathlib.Path(__file__).parents[1] / "data" / "tokenizer_json")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    strings = STRINGS + random_strings(arguments.strings or 60, 7)
    (arguments.output / "strings.json").write_text(json.dumps(strings, separators=(",", ":")) + "\n")
    names = []
    for name, made in cases():
        file = json.loads(made.to_str())
        merges = file["model"].get("merges")
        if merges and not name.endswith("added"):
            file["model"]["merges"] = [" ".join(pair) for pair in merges]
        record_of = record(Tokenizer.from_str(json.dumps(file)), strings)
        whole = {"tokenizer": file, "record": record_of}
        (arguments.output / f"{name}.json").write_text(
            json.dumps(whole, ensure_ascii=False, separators=(",", ":")) + "\n")
        names.append(name)
    index = {"tokenizers": tokenizers.__version__, "cases": names}
    (arguments.output / "cases.json").write_text(json.dumps(index, indent=1) + "\n")
    print(len(names), "cases of", len(strings), "strings", file=sys.stderr)


if __name__ == "__main__":
    main()
