// Byte-level BPE on vocabularies built in memory and on trained ones with recorded ids.
#include "tests/tokenizer/support.h"

#include "tests/allocations.h"
#include "tests/catch.h"
#include "tokenizer/models/merger.h"

namespace partita::internal::test {
namespace {

std::unique_ptr<Tokenizer> tiny(const TestVocabulary& vocab, const std::vector<std::string>& merges,
                                const std::string& pre = "gpt-2") {
  GgufWriter file = file_of(vocab, "gpt2", merges);
  file.add("tokenizer.ggml.pre", pre);
  return must_open(file);
}

TEST_CASE("Byte BPE merges the lowest rank first, leftmost of equals") {
  TestVocabulary vocab = byte_vocabulary();
  vocab.add("ab").add("bc").add("abc").add("aa").add("aaa");
  const auto id = [&vocab](const char* token) { return vocab.id(token); };

  const auto bc_first = tiny(vocab, {"b c", "a b", "a bc"});
  CHECK(encode(*bc_first, "abc") == Ids{id("abc")});
  CHECK(encode(*bc_first, "abab") == Ids{id("ab"), id("ab")});

  const auto ab_first = tiny(vocab, {"a b", "b c"});
  CHECK(encode(*ab_first, "abc") == Ids{id("ab"), id("c")});

  const auto pairs = tiny(vocab, {"a a", "aa a"});
  CHECK(encode(*pairs, "aaa") == Ids{id("aaa")});
  CHECK(encode(*pairs, "aaaa") == Ids{id("aa"), id("aa")});
  CHECK(encode(*pairs, "aaaaa") == Ids{id("aa"), id("aaa")});
}

TEST_CASE("Byte BPE equals the recorded ids of trained vocabularies") {
  const auto recorded = record("byte_bpe.json");
  for (const std::string pre : {"llama-bpe", "qwen2", "gpt-2"}) {
    INFO(pre);
    TestVocabulary vocab;
    for (const auto& token : recorded.at(pre + " tokens")) vocab.add(token);
    const auto tokenizer = tiny(vocab, recorded.at(pre + " merges").get<std::vector<std::string>>(), pre);
    check_ids(*tokenizer, recorded.at(pre + " ids"), Specials::kAsText);
  }
}

TEST_CASE("Byte BPE restores any bytes") {
  TestVocabulary vocab = byte_vocabulary();
  vocab.add("th").add("the").add("\xC4\xA0the").add("\xC4\xA0\xC4\xA0").add("\xC3\xA9\xC3\xA9");
  const std::vector<std::string> merges = {"t h", "th e", "\xC4\xA0 the", "\xC4\xA0 \xC4\xA0",
                                           "\xC3\xA9 \xC3\xA9"};
  std::mt19937_64 random(5);
  for (const std::string pre : {"smollm", "llama-bpe", "qwen2", "gpt-2", "default"}) {
    const auto tokenizer = tiny(vocab, merges, pre);
    for (int i = 0; i < 4000; ++i) {
      const std::string text = i % 2 == 0 ? random_bytes(random, 40) : random_text(random, 20);
      REQUIRE(tokenizer->decode(encode(*tokenizer, text)) == text);
    }
    CHECK(tokenizer->dropped_bytes(std::string("\0\xFF\xC3", 3)) == 0);
  }
}

TEST_CASE("A run of invalid bytes is one word") {
  TestVocabulary vocab = byte_vocabulary();
  vocab.add("\xC3\xBF\xC3\xBF");  // bytes FF FF in the alphabet
  const auto tokenizer = tiny(vocab, {"\xC3\xBF \xC3\xBF"});
  CHECK(encode(*tokenizer, "a\xFF\xFFz") == Ids{'a', vocab.id("\xC3\xBF\xC3\xBF"), 'z'});
  CHECK(encode(*tokenizer, "\xE2\x82") == Ids{0xE2, 0x82});
}

TEST_CASE("Bytes without a token become the unknown token or are dropped") {
  TestVocabulary vocab;
  vocab.add("a").add("b").add("ab").add("<unk>", kUnknown);
  const std::vector<std::string> merges = {"a b"};
  const auto leaves_out = tiny(vocab, merges);
  // A letter without tokens is dropped; its neighbours merge, as in the reference implementation.
  CHECK(encode(*leaves_out, "a\u00E9b") == Ids{2});
  CHECK(encode(*leaves_out, "xyz").empty());
  CHECK(leaves_out->dropped_bytes("axbyz") == 3);

  GgufWriter file = file_of(vocab, "gpt2", merges);
  file.add("tokenizer.ggml.unknown_token_id", 3u);
  const auto marks = must_open(file);
  CHECK(encode(*marks, "axb") == Ids{0, 3, 1});
  CHECK(marks->dropped_bytes("axb") == 0);
  // If special tokens are parsed, the spelling of the unknown token is that token.
  CHECK(encode(*marks, "a<unk>b", Specials::kParse) == Ids{0, 3, 1});
  CHECK(encode(*marks, "<unk>").size() == 5);

  // A control token spelled like a byte is not a byte token; a normal token as unknown id is not an unknown
  // token.
  TestVocabulary controls;
  controls.add("a").add("b", kControl).add("u");
  CHECK(encode(*tiny(controls, {}), "ab") == Ids{0});
  CHECK(tiny(controls, {})->dropped_bytes("ab") == 1);
  GgufWriter named = file_of(controls, "gpt2", std::vector<std::string>{});
  named.add("tokenizer.ggml.unknown_token_id", 2u);
  CHECK(encode(*must_open(named), "axu") == Ids{0, 2});
}

TEST_CASE("User-defined tokens are found in any text, control tokens only when parsed") {
  TestVocabulary vocab = byte_vocabulary();
  vocab.add("<|end|>", kControl).add("<think>", kUserDefined).add("<think>>", kUserDefined);
  const auto tokenizer = tiny(vocab, {});
  const TokenId end = vocab.id("<|end|>");
  const TokenId think = vocab.id("<think>");
  CHECK(encode(*tokenizer, "a<think>b") == Ids{'a', think, 'b'});
  CHECK(encode(*tokenizer, "<think>>") == Ids{think + 1});
  CHECK(encode(*tokenizer, "<|end|>").size() == 7);
  CHECK(encode(*tokenizer, "a<|end|><think>", Specials::kParse) == Ids{'a', end, think});
  CHECK(tokenizer->decode(Ids{'a', end, think}) == "a<think>");
  CHECK(tokenizer->decode(Ids{'a', end, think}, true) == "a<|end|><think>");
  CHECK(tokenizer->kind(think) == TokenKind::kUserDefined);
}

TEST_CASE("Words take no allocations of their own") {
  TestVocabulary vocab = byte_vocabulary();
  vocab.add("th").add("the");
  for (const std::string pre :
       {"gpt-2", "llama-bpe", "qwen35", "gpt-4o", "deepseek-v3", "kimi-k2", "tekken"}) {
    const auto tokenizer = tiny(vocab, {"t h", "th e"}, pre);
    std::string text;
    for (int i = 0; i < 20000; ++i) text += "the word " + std::to_string(i) + ", \u4E2D\u6587\n";
    Ids ids;
    ids.reserve(text.size());
    const AllocationWatch watch;
    REQUIRE(tokenizer->encode(text, Specials::kAsText, ids));
    INFO(pre);
    CHECK(watch.count() <= 4);  // the memory of words
    CHECK(ids.size() > 100000);
  }
}

TEST_CASE("Both queues of the merger give the same symbols") {
  std::mt19937_64 random(21);
  for (int round = 0; round < 200; ++round) {
    // Rules of their own, with ranks that are equal, and lower after a merge than before.
    const std::uint64_t salt = random();
    const auto merge_of = [salt](const Symbol& left, const Symbol& right) -> std::optional<Merge> {
      const auto mixed = fold(static_cast<std::uint64_t>(left.id * 31 + right.id) ^ salt, kGoldenRatio);
      if (mixed % 3 == 0 || left.length + right.length > 20) return std::nullopt;
      return Merge{static_cast<std::uint32_t>(mixed >> 8) % 16, static_cast<std::int32_t>((mixed >> 20) % 8)};
    };
    Merger by_heap, by_rank;
    for (std::uint32_t i = 0, length = random() % 300; i < length; ++i) {
      by_heap.symbols.push_back({i, 1, static_cast<std::int32_t>(random() % 4)});
    }
    by_rank.symbols = by_heap.symbols;
    HeapQueue heap;
    RankQueue ranks;
    CHECK(by_heap.run_with(heap, merge_of) == by_rank.run_with(ranks, merge_of));
    std::vector<std::pair<std::int32_t, std::uint32_t>> first, second;
    for (const Symbol& symbol : by_heap.symbols) first.emplace_back(symbol.id, symbol.length);
    for (const Symbol& symbol : by_rank.symbols) second.emplace_back(symbol.id, symbol.length);
    REQUIRE(first == second);
  }
}

TEST_CASE("Words of every length merge in the same order") {
  // Merges of random pairs of tokens; a word is encoded as by the merger, whatever its length.
  std::mt19937_64 random(22);
  TestVocabulary vocab = byte_vocabulary();
  std::vector<std::string> merges;
  MergeTable table(4000);
  for (std::uint32_t rank = 0; merges.size() < 400; ++rank) {
    const auto part = [&] {
      return random() % 4 == 0 ? 256 + random() % (vocab.tokens.size() - 255) : 'a' + random() % 4;
    };
    const std::size_t left = part() % vocab.tokens.size(), right = part() % vocab.tokens.size();
    const std::string joined = vocab.tokens[left] + vocab.tokens[right];
    if (joined.size() > 40 || vocab.id(joined) >= 0) continue;
    merges.push_back(vocab.tokens[left] + " " + vocab.tokens[right]);
    table.set(static_cast<TokenId>(left), static_cast<TokenId>(right),
              {static_cast<std::uint32_t>(merges.size() - 1), static_cast<TokenId>(vocab.tokens.size())});
    vocab.add(joined);
  }
  const auto tokenizer = tiny(vocab, merges);
  for (int round = 0; round < 600; ++round) {
    std::string word;
    for (std::size_t left = 1 + random() % 200; left > 0; --left)
      word += static_cast<char>('a' + random() % 4);
    Merger merger;
    for (std::uint32_t i = 0; i < word.size(); ++i) merger.symbols.push_back({i, 1, word[i]});
    HeapQueue heap;
    merger.run_with(heap, [&table](const Symbol& a, const Symbol& b) { return table.find(a.id, b.id); });
    Ids expected;
    for (const Symbol& symbol : merger.symbols) {
      if (symbol.length > 0) expected.push_back(symbol.id);
    }
    REQUIRE(encode(*tokenizer, word) == expected);
  }
}

TEST_CASE("A word of a megabyte takes linearly many merge steps") {
  Merger merger;
  constexpr std::uint32_t kLength = 1 << 20;
  for (std::uint32_t i = 0; i < kLength; ++i) merger.symbols.push_back({i, 1, 0});
  // Token n is 2^n letters; equal neighbours merge.
  const std::size_t steps = merger.run([](const Symbol& left, const Symbol& right) -> std::optional<Merge> {
    if (left.id != right.id) return std::nullopt;
    return Merge{static_cast<std::uint32_t>(left.id), left.id + 1};
  });
  CHECK(merger.symbols[0].length == kLength);
  CHECK(merger.symbols[0].id == 20);
  CHECK(steps <= 3 * kLength);
}

TEST_CASE("Decoding restores long uniform texts", "[long][slow]") {
  TestVocabulary vocab = byte_vocabulary();
  vocab.add("aa").add("aaaa").add("\xC4\xA0\xC4\xA0");
  const std::vector<std::string> merges = {"a a", "aa aa", "\xC4\xA0 \xC4\xA0"};
  for (const std::string pre : {"smollm", "llama-bpe", "qwen2", "gpt-2", "default"}) {
    const auto tokenizer = tiny(vocab, merges, pre);
    const std::size_t length = pre == "smollm" ? 1 << 20 : 1 << 17;
    for (const std::string unit :
         {"a", " ", "\n", " \n", "\r\n", "1", "!", "\xFF", "\xE2\x82\xAC", "\xCC\x81", "' ", "a "}) {
      INFO(pre << " " << unit);
      std::string text;
      while (text.size() < length) text += unit;
      CHECK(tokenizer->decode(encode(*tokenizer, text)) == text);
      text += "x";
      CHECK(tokenizer->decode(encode(*tokenizer, text)) == text);
    }
  }
}

}  // namespace
}  // namespace partita::internal::test
